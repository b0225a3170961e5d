// The flags that shape a guest, and the guest that they describe.
import type { Argv } from 'yargs';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { catalogue, programNames } from '../shared/guest/programs/catalogue.js';
import { VCPUS_MAX } from '../shared/memory/safepoint-words.js';
import { parseWriteRate } from '../shared/units.js';
import { once, parseMemory, wholeNumber } from './flag-values.js';

/** Flags that shape the guest. */
export function guestOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg(['guest', 'memory', 'vcpus', 'seed', 'write-rate'])
    .option('guest', {
      choices: programNames,
      default: 'hot-set',
      describe: `What the guest does: ${programNames.map((name) => `${name} (${catalogue[name]!.summary})`).join('; ')}`,
    })
    .option('memory', {
      type: 'string',
      default: '256MiB',
      describe: 'Guest memory, a whole number of 4 KiB pages',
      coerce: once(parseMemory),
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
    });
}

export interface GuestArguments {
  readonly guest: string;
  readonly memory: number;
  readonly vcpus: number;
  readonly seed: number;
  readonly writeRate?: number | undefined;
}

/** The guest that the flags describe. */
export function guestSpecOf({ guest, memory, vcpus, seed, writeRate }: GuestArguments): GuestSpec {
  return {
    program: guest,
    memoryBytes: memory,
    vcpus,
    seed,
    writeRate: writeRate ?? catalogue[guest]!.defaultWriteRate,
  };
}
