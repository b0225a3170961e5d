// Which guests a destination is told to take: names of built-in ones, and files of guests that people bring.
// Knows flags and files; what is compared with them when a guest comes is allowed-guests.ts's.
import { AllowedGuests, type AllowedModule } from '../destination/allowed-guests.js';
import { MicrostunError } from '../shared/errors.js';
import { isModulePath, moduleAt } from '../shared/guest/guest-module.js';
import { readFacts } from '../shared/guest/read-facts.js';
import { codeHashOf, programNames } from '../shared/guest/programs/catalogue.js';
import { HASH_DIGITS_SHOWN } from '../shared/guest/programs/program-code.js';

const PINNED = new RegExp(`^(.+)@([\\da-f]{${HASH_DIGITS_SHOWN},64})$`);

/** One `--allow-guest`. */
export type AllowedFlag = string | AllowedModule;

/** @throws MicrostunError USAGE when it is no built-in guest, and no file that can be one of another. */
export function parseAllowed(text: string): AllowedFlag {
  if (programNames.includes(text)) return text;
  const [, path = text, pinned] = PINNED.exec(text) ?? [];
  if (!isModulePath(path))
    throw new MicrostunError(
      'USAGE',
      `--allow-guest ${text} is no guest; choose one of ${programNames.join(', ')}, or give the path of a module, such as ./${text}.js`,
    );
  const module = moduleAt(path);
  const hash = codeHashOf('', module);
  if (pinned !== undefined && !hash.startsWith(pinned))
    throw new MicrostunError(
      'USAGE',
      `--allow-guest ${text}: the code of ${path} is ${hash}; look at what has changed, or give that after the @`,
    );
  return { file: path, module, pinned };
}

/**
 * Those that the flags name, each of which can be loaded; every built-in one where there are none.
 * @throws MicrostunError GUEST_FAILED naming the module that is no guest.
 */
export async function allowedGuestsOf(flags: readonly AllowedFlag[] | undefined): Promise<AllowedGuests> {
  if (flags === undefined) return new AllowedGuests();
  const modules = flags.filter((flag) => typeof flag !== 'string');
  await Promise.all(modules.map(({ module }) => readFacts(module)));
  return new AllowedGuests(
    flags.filter((flag) => typeof flag === 'string'),
    modules,
  );
}
