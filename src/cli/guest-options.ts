// The flags that shape a guest, and the guest that they describe.
import type { Argv } from 'yargs';
import { MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { catalogue, programNames } from '../shared/guest/programs/catalogue.js';
import { VCPUS_MAX } from '../shared/memory/safepoint-words.js';
import { parseWriteRate } from '../shared/units.js';
import { memorySize, once, parseHotSet, wholeNumber } from './flag-values.js';

/** Flags that shape the guest. */
export function guestOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg(['guest', 'memory', 'vcpus', 'seed', 'write-rate', 'hot-set'])
    .option('guest', {
      choices: programNames,
      default: 'hot-set',
      describe: `What the guest does: ${programNames.map((name) => `${name} (${catalogue[name]!.summary})`).join('; ')}`,
    })
    .option('memory', {
      type: 'string',
      default: '256MiB',
      describe: 'Guest memory, a whole number of 4 KiB pages',
      coerce: once(memorySize('--memory')),
    })
    .option('vcpus', {
      type: 'string',
      default: '2',
      describe: `vCPUs, 1 to ${VCPUS_MAX}`,
      coerce: once(wholeNumber('--vcpus', 1, VCPUS_MAX)),
    })
    .option('seed', {
      type: 'string',
      default: '1',
      describe: 'Seed of everything random in the guest',
      coerce: once(wholeNumber('--seed', 0, 0xffff_ffff)),
    })
    .option('write-rate', {
      type: 'string',
      describe: 'Pages the guest writes a second, such as 50k, or max (default: 100k)',
      coerce: once(parseWriteRate),
    })
    .option('hot-set', {
      type: 'string',
      describe: 'Of the guest hot-set: it writes all over so much memory, and nowhere else',
      coerce: once(parseHotSet),
    })
    .check(({ guest, memory, 'hot-set': hotSet }) => refuseHotSet(guest, memory, hotSet));
}

// A hot set of another guest, or of more than there is, is a mistake.
function refuseHotSet(guest: string, memory: number, hotSet: number | undefined): true {
  if (hotSet === undefined) return true;
  if (guest !== 'hot-set')
    throw new MicrostunError(
      'USAGE',
      `--hot-set is of the guest hot-set, not of ${guest}; leave one of them out`,
    );
  if (hotSet > memory)
    throw new MicrostunError(
      'USAGE',
      `--hot-set is more than the guest's memory; give at most ${memory} bytes`,
    );
  return true;
}

export interface GuestArguments {
  readonly guest: string;
  readonly memory: number;
  readonly vcpus: number;
  readonly seed: number;
  readonly writeRate?: number | undefined;
  readonly hotSet?: number | undefined;
}

/** The guest that the flags describe. */
export function guestSpecOf({ guest, memory, vcpus, seed, writeRate, hotSet }: GuestArguments): GuestSpec {
  return {
    program: guest,
    memoryBytes: memory,
    vcpus,
    seed,
    writeRate: writeRate ?? catalogue[guest]!.defaultWriteRate,
    hotSetBytes: hotSet ?? 0,
  };
}
