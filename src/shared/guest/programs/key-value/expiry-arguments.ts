// When a key is to expire, as a command says it: in seconds or milliseconds, from now on or as Unix time.
// Knows no key.
import { Message, type Kit } from './kit.js';

const units = ['EX', 'PX', 'EXAT', 'PXAT'] as const;
export type ExpiryUnit = (typeof units)[number];

/** Beyond this a sum with the clock would not be one of Redis' milliseconds, which have 63 bits. */
const MS_MAX = 2 ** 63;

/** The unit that an argument names; undefined when it is something else. */
export function expiryOption(kit: Kit, argument: number): ExpiryUnit | undefined {
  return units.find((unit) => kit.is(argument, unit));
}

/**
 * The instant that an argument says, in milliseconds of Unix time; undefined when it is none, and the client has been told.
 * `SET` and those like it take no time that is not positive; `isPastAllowed`: EXPIRE and those like it do.
 */
export function expiryMs(
  kit: Kit,
  argument: number,
  unit: ExpiryUnit,
  name: string,
  isPastAllowed = false,
): number | undefined {
  const said = kit.integer(argument);
  if (Number.isNaN(said)) {
    kit.fail(Message.NOT_AN_INTEGER);
    return undefined;
  }
  const ms = unit === 'EX' || unit === 'EXAT' ? said * 1000 : said;
  const at = unit === 'EX' || unit === 'PX' ? kit.keys.nowMs + ms : ms;
  if ((said <= 0 && !isPastAllowed) || Math.abs(ms) >= MS_MAX || at >= MS_MAX) {
    kit.fail(`ERR invalid expire time in '${name}' command`);
    return undefined;
  }
  return at;
}
