// The flags that shape a guest, and the guest that they describe.
import type { Argv } from 'yargs';
import { MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { complaintAbout } from '../shared/guest/devices/device-windows.js';
import { baseNameOf, isModulePath, moduleAt } from '../shared/guest/guest-module.js';
import { readFacts } from '../shared/guest/read-facts.js';
import { catalogue, programNames } from '../shared/guest/programs/catalogue.js';
import { REGION_BYTES } from '../shared/memory/pages.js';
import { VCPUS_MAX } from '../shared/memory/safepoint-words.js';
import { parseWriteRate } from '../shared/units.js';
import { once, parseGuest, parseHotSet, parseMemory, parseResident, wholeNumber } from './flag-values.js';

/** What a guest has unless a flag or its module says otherwise. */
export const MEMORY_BYTES = 256 << 20;
const VCPUS = 2;
const WRITE_RATE = 100_000;

/** Flags that shape the guest. */
export function guestOptions<T>(yargs: Argv<T>) {
  return yargs
    .requiresArg(['guest', 'memory', 'vcpus', 'seed', 'write-rate', 'hot-set', 'resident'])
    .option('guest', {
      type: 'string',
      default: 'hot-set',
      describe: `What the guest does: ${programNames.map((name) => `${name} (${catalogue[name]!.summary})`).join('; ')}; or a module of your own, by its path: ./my-guest.js`,
      coerce: once(parseGuest),
    })
    .option('memory', {
      type: 'string',
      describe:
        'Guest memory, a whole number of 4 KiB pages (default: what the guest is made for, or else 256MiB)',
      coerce: once(parseMemory),
    })
    .option('vcpus', {
      type: 'string',
      describe: `vCPUs, 1 to ${VCPUS_MAX} (default: what the guest is made for, or else 2)`,
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
    .check(({ guest, memory, resident, 'hot-set': hotSet }) => {
      const hasOwnMemory = memory === undefined && isModulePath(guest);
      const bytes = hasOwnMemory ? Infinity : (memory ?? MEMORY_BYTES);
      refuseResident(bytes, resident);
      return refuseHotSet(guest, resident ?? bytes, hotSet);
    });
}

// More than there is, or chunks that would stick out of memory.
function refuseResident(memory: number, resident: number | undefined): void {
  if (resident === undefined) return;
  if (resident > memory)
    throw new MicrostunError(
      'USAGE',
      `--resident is more than the guest's memory; give at most ${memory} bytes, or leave it out`,
    );
  if (Number.isFinite(memory) && memory % REGION_BYTES !== 0)
    throw new MicrostunError(
      'USAGE',
      `--memory ${memory} is no whole number of 2 MiB chunks, which --resident scatters over it; try ${Math.ceil(memory / REGION_BYTES) * REGION_BYTES}`,
    );
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
  readonly memory?: number | undefined;
  readonly vcpus?: number | undefined;
  readonly seed: number;
  readonly writeRate?: number | undefined;
  readonly hotSet?: number | undefined;
  readonly resident?: number | undefined;
}

/** A guest that is to be started, and the URL of its code unless it is built in. */
export interface ChosenGuest {
  readonly spec: GuestSpec;
  readonly module: string | undefined;
}

/**
 * The guest that the flags describe; what they leave out, its module says, or we do.
 * @throws MicrostunError GUEST_FAILED when its module is no guest.
 */
export async function guestOf(args: GuestArguments): Promise<ChosenGuest> {
  const { guest, memory, vcpus, seed, writeRate, hotSet, resident } = args;
  const module = isModulePath(guest) ? moduleAt(guest) : undefined;
  const facts = module === undefined ? undefined : await readFacts(module);
  if (facts !== undefined && programNames.includes(facts.name ?? ''))
    throw new MicrostunError(
      'GUEST_FAILED',
      `the guest module ${guest} has the name "${facts.name}" of a built-in guest; give it another`,
    );
  const memoryBytes = memory ?? facts?.memoryBytes ?? MEMORY_BYTES;
  refuseResident(memoryBytes, resident);
  const spec: GuestSpec = {
    program: module === undefined ? guest : (facts?.name ?? baseNameOf(module)),
    memoryBytes,
    vcpus: vcpus ?? facts?.vcpus ?? VCPUS,
    seed,
    writeRate: writeRate ?? catalogue[guest]?.defaultWriteRate ?? WRITE_RATE,
    hotSetBytes: hotSet ?? 0,
    residentBytes: resident ?? 0,
    devices: facts?.devices ?? catalogue[guest]?.devices ?? [],
  };
  const complaint = complaintAbout(spec);
  if (complaint !== undefined) throw new MicrostunError('USAGE', `the guest ${guest} ${complaint}`);
  return { spec, module };
}
