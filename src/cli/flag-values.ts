// The values of flags: parsed here and refused here, with what to write instead.
// Knows text and numbers; which flag takes which value is said in the files of options.
import type { ScriptedCut } from '../lab/emulated-link.js';
import { MicrostunError } from '../shared/errors.js';
import { MEMORY_BYTES_MAX, PIECE_BYTES_MAX } from '../shared/memory/layout.js';
import { PAGE_BYTES, REGION_BYTES } from '../shared/memory/pages.js';
import { isModulePath } from '../shared/guest/guest-module.js';
import { programNames } from '../shared/guest/programs/catalogue.js';
import { NOTICE_MS_MAX } from '../shared/limits.js';
import { parseDurationMs, parseSize } from '../shared/units.js';
import type { Address } from '../shared/wire/sockets.js';

/** A flag given twice reaches yargs as a list; it is one value or an error. */
export function once<Value, Result>(parse: (value: Value) => Result): (value: Value | Value[]) => Result {
  return (value) => {
    if (Array.isArray(value))
      throw new MicrostunError(
        'USAGE',
        `a flag was given ${value.length} times: ${value.join(', ')}; give it once`,
      );
    return parse(value);
  };
}

/** A parser of whole numbers from `min` to `max`. */
export function wholeNumber(name: string, min: number, max: number): (text: string) => number {
  return (text) => {
    const value = /^\d+$/.test(text) ? Number(text) : NaN;
    if (!(value >= min && value <= max)) {
      throw new MicrostunError(
        'USAGE',
        `${name} ${text} makes no sense; give a whole number from ${min} to ${max}`,
      );
    }
    return value;
  };
}

/** Longer than light takes around the earth is no network of ours, and the heartbeat would not outlive it. */
const DELAY_MS_MAX = 2000;

export function parseNotice(text: string): number {
  const ms = parseDurationMs(text);
  if (ms <= NOTICE_MS_MAX) return ms;
  throw new MicrostunError(
    'USAGE',
    `--guest-notice ${text} is too long; give at most ${NOTICE_MS_MAX / 1000}s, and 0s for none`,
  );
}

export function parseDelay(text: string): number {
  const ms = parseDurationMs(text);
  if (ms > DELAY_MS_MAX)
    throw new MicrostunError('USAGE', `--delay ${text} is too long; give at most ${DELAY_MS_MAX} ms`);
  return ms;
}

/** Cuts in one value: a list would look like a flag that was given several times. */
export interface CutScript {
  readonly cuts: readonly ScriptedCut[];
}

export function parseCuts(text: string): CutScript {
  const cuts = text.split(',').map((cut) => {
    const [at = '', forTime = '0ms', ...rest] = cut.split('+');
    if (rest.length > 0)
      throw new MicrostunError(
        'USAGE',
        `--cut ${cut} is no cut; write an instant, such as 2s, and perhaps for how long: 2s+500ms`,
      );
    return { atMs: parseDurationMs(at), forMs: parseDurationMs(forTime) };
  });
  return { cuts };
}

/** `--memory`: an address space. */
export function parseMemory(text: string): number {
  const bytes = parsePages('--memory', text);
  if (bytes > MEMORY_BYTES_MAX) {
    throw new MicrostunError(
      'USAGE',
      `--memory ${text} is too much: a guest has at most ${MEMORY_BYTES_MAX / 2 ** 40}TiB`,
    );
  }
  return bytes;
}

/** `--reserve`: memory for a guest in one piece. */
export function parseReserve(text: string): number {
  const bytes = parsePages('--reserve', text);
  if (bytes > PIECE_BYTES_MAX) {
    throw new MicrostunError(
      'USAGE',
      `--reserve ${text} is too much: it is for one guest in one piece, which has at most ${PIECE_BYTES_MAX / 2 ** 20}MiB ` +
        '(4 GiB less 2 MiB); a larger guest takes its memory as it touches it',
    );
  }
  return bytes;
}

/** `--hot-set`: at least a page. */
export function parseHotSet(text: string): number {
  const bytes = parsePages('--hot-set', text);
  if (bytes === 0) throw new MicrostunError('USAGE', `--hot-set ${text} is nothing; leave it out`);
  return bytes;
}

/** `--resident`: whole chunks of 2 MiB. */
export function parseResident(text: string): number {
  const bytes = parseSize(text);
  if (bytes % REGION_BYTES === 0) return bytes;
  const next = Math.ceil(bytes / REGION_BYTES) * REGION_BYTES;
  throw new MicrostunError('USAGE', `--resident ${text} is no whole number of 2 MiB chunks; try ${next}`);
}

// A size in whole pages.
function parsePages(flag: string, text: string): number {
  const bytes = parseSize(text);
  if (bytes % PAGE_BYTES === 0) return bytes;
  const next = Math.ceil(bytes / PAGE_BYTES) * PAGE_BYTES;
  throw new MicrostunError(
    'USAGE',
    `${flag} ${text} is no whole number of ${PAGE_BYTES}-byte pages; try ${next}`,
  );
}

/** `--guest`: a built-in one, or a module. */
export function parseGuest(text: string): string {
  if (!isModulePath(text) && !programNames.includes(text))
    throw new MicrostunError(
      'USAGE',
      `--guest ${text} is no guest; choose one of ${programNames.join(', ')}, or give the path of a module, such as ./${text}.js`,
    );
  return text;
}

/** Flags that may be given more than once, as yargs names them. */
const REPEATABLE: readonly string[] = ['allow-guest', 'allowGuest'];

/** Refuses flags that were given more than once and take one value, whatever their kind. */
export function refuseRepeatedFlags(parsed: Readonly<Record<string, unknown>>): true {
  for (const [name, value] of Object.entries(parsed)) {
    if (name !== '_' && !REPEATABLE.includes(name) && Array.isArray(value)) {
      throw new MicrostunError(
        'USAGE',
        `--${name} was given ${value.length} times: ${value.join(', ')}; give it once`,
      );
    }
  }
  return true;
}

/** A fixed first port needs room for the row of page connections and the fault connection behind it. */
export function checkPortRow(listen: Address | undefined, connections: number): void {
  const { port } = listen ?? { port: 0 };
  if (port === 0 || port + connections <= 65535) return;
  throw new MicrostunError(
    'USAGE',
    `--listen with port ${port} leaves no room for ${connections} page connections and one for faults below 65536; choose a lower port`,
  );
}
