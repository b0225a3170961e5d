// The flags that shape a guest, and the guest that they describe.
import type { Argv } from 'yargs';
import { MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { catalogue, programNames } from '../shared/guest/programs/catalogue.js';
import { REGION_BYTES } from '../shared/memory/pages.js';
import { VCPUS_MAX } from '../shared/memory/safepoint-words.js';
import { parseWriteRate } from '../shared/units.js';
import { once, parseHotSet, parseMemory, parseResident, wholeNumber } from './flag-values.js';

/** Flags that shape the guest. */
export function guestOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg(['guest', 'memory', 'vcpus', 'seed', 'write-rate', 'hot-set', 'resident'])
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
    })
    .option('hot-set', {
      type: 'string',
      describe: 'Of the guest hot-set: it writes all over so much memory, and nowhere else',
      coerce: once(parseHotSet),
    })
    .option('resident', {
      type: 'string',
      describe:
        'All of its memory that the guest ever touches, in chunks of 2 MiB that the seed scatters over the rest, such as 1GiB of --memory 24TiB (default: all of it)',
      coerce: once(parseResident),
    })
    .check(({ memory, resident }) => refuseResident(memory, resident))
    .check(({ guest, memory, resident, 'hot-set': hotSet }) =>
      refuseHotSet(guest, resident ?? memory, hotSet),
    );
}

// More than there is, or chunks that would stick out of memory.
function refuseResident(memory: number, resident: number | undefined): true {
  if (resident === undefined) return true;
  if (resident > memory)
    throw new MicrostunError(
      'USAGE',
      `--resident is more than the guest's memory; give at most ${memory} bytes, or leave it out`,
    );
  if (memory % REGION_BYTES !== 0)
    throw new MicrostunError(
      'USAGE',
      `--memory ${memory} is no whole number of 2 MiB chunks, which --resident scatters over it; try ${Math.ceil(memory / REGION_BYTES) * REGION_BYTES}`,
    );
  return true;
}

// A hot set of another guest, or of more than is resident, is a mistake.
function refuseHotSet(guest: string, resident: number, hotSet: number | undefined): true {
  if (hotSet === undefined) return true;
  if (guest !== 'hot-set')
    throw new MicrostunError(
      'USAGE',
      `--hot-set is of the guest hot-set, not of ${guest}; leave one of them out`,
    );
  if (hotSet > resident)
    throw new MicrostunError(
      'USAGE',
      `--hot-set is more than the memory that the guest touches; give at most ${resident} bytes`,
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
  readonly resident?: number | undefined;
}

/** The guest that the flags describe. */
export function guestSpecOf(args: GuestArguments): GuestSpec {
  const { guest, memory, vcpus, seed, writeRate, hotSet, resident } = args;
  return {
    program: guest,
    memoryBytes: memory,
    vcpus,
    seed,
    writeRate: writeRate ?? catalogue[guest]!.defaultWriteRate,
    hotSetBytes: hotSet ?? 0,
    residentBytes: resident ?? 0,
    devices: catalogue[guest]!.devices ?? [],
  };
}
