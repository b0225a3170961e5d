// What people write: a guest of their own, typed here and checked before anything of it runs.
// Knows no file and no machine; guest-module.ts says in which file a mistake is.
import { messageOf, MicrostunError } from '../errors.js';
import { MEMORY_BYTES_MAX } from '../memory/layout.js';
import { PAGE_BYTES } from '../memory/pages.js';
import { VCPUS_MAX } from '../memory/safepoint-words.js';
import { parseSize } from '../units.js';
import { deviceSpecsOf, type DeviceDefinition } from './devices/define-devices.js';
import type { DeviceSpec, GuestFactory, GuestProgram } from './guest-program.js';

/** What a guest is started with unless a flag says otherwise. */
export interface GuestSettings {
  /** What reports and messages call it; by default the name of its file. */
  readonly name?: string;
  /** Bytes, or text such as '64MiB'; whole pages of 4 KiB. */
  readonly memory?: number | string;
  /** vCPUs, from 1 on. */
  readonly vcpus?: number;
  /** By their names; what they are bound to outside is each host's to say. */
  readonly devices?: Readonly<Record<string, DeviceDefinition>>;
}

/** A guest: what it is started with, and its program, or what makes that for a GuestSpec. */
export type GuestDefinition = GuestSettings &
  (
    | (GuestProgram & {
        /** Only of a guest that has no program of its own. */
        readonly create?: never;
      })
    | {
        /** Makes the program of a guest that precomputes something from what it is started with. */
        readonly create: GuestFactory;
      }
  );

/** What a definition says of the guest beside its program, checked; what it does not say is undefined. */
export interface GuestFacts {
  readonly name: string | undefined;
  readonly memoryBytes: number | undefined;
  readonly vcpus: number | undefined;
  readonly devices: readonly DeviceSpec[];
}

const PROGRAM_KEYS = [
  'boot',
  'runSlice',
  'audit',
  'beforeMigration',
  'afterMigration',
] as const satisfies readonly (keyof GuestProgram)[];
const KEYS: readonly string[] = ['name', 'memory', 'vcpus', 'devices', 'create', ...PROGRAM_KEYS];

/** What a message, a report and a terminal show as it is. */
const NAME = /^[\p{L}\p{N}][\p{L}\p{N} ._-]{0,63}$/u;

/**
 * Answers `definition`, which is checked: `export default defineGuest({ runSlice(vcpu) { … } })`.
 * @throws MicrostunError GUEST_FAILED saying what is wrong with it.
 */
export function defineGuest<Definition extends GuestDefinition>(definition: Definition): Definition {
  factsOf(definition);
  return definition;
}

/**
 * What `definition`, which may be anything, says of its guest.
 * @throws MicrostunError GUEST_FAILED when it is no guest.
 */
export function factsOf(definition: unknown): GuestFacts {
  if (typeof definition !== 'object' || definition === null || Array.isArray(definition))
    throw wrong(
      `a guest is an object such as { runSlice(vcpu) { … } }, not ${Array.isArray(definition) ? 'a list' : typeof definition}`,
    );
  const unknown = Object.keys(definition).filter((key) => !KEYS.includes(key));
  if (unknown.length > 0)
    throw wrong(`a guest has no "${unknown.join('", "')}"; what it may have is ${KEYS.join(', ')}`);
  const { name, memory, vcpus, devices, create, ...program } = definition as Readonly<
    Record<string, unknown>
  >;
  refuseProgram(create, program);
  return {
    name: nameOf(name),
    memoryBytes: memoryBytesOf(memory),
    vcpus: vcpusOf(vcpus),
    devices: devices === undefined ? [] : deviceSpecsOf(devices),
  };
}

/**
 * Answers `program`, which may be anything, if it can be run.
 * @throws MicrostunError GUEST_FAILED when it cannot.
 */
export function checkProgram(program: unknown): GuestProgram {
  if (typeof program !== 'object' || program === null)
    throw wrong(`create(spec) answers a program such as { runSlice(vcpu) { … } }, not ${typeof program}`);
  refuseProgram(undefined, program as Readonly<Record<string, unknown>>);
  return program as GuestProgram;
}

function refuseProgram(create: unknown, program: Readonly<Record<string, unknown>>): void {
  for (const [key, value] of Object.entries({ create, ...program }))
    if (value !== undefined && typeof value !== 'function' && (KEYS.includes(key) || key === 'create'))
      throw wrong(`"${key}" is a function, not ${typeof value}`);
  const said = PROGRAM_KEYS.filter((key) => program[key] !== undefined);
  if (create !== undefined && said.length > 0)
    throw wrong(`a guest has create or ${said.join(', ')}, not both: what create answers has them`);
  if (create === undefined && program['runSlice'] === undefined)
    throw wrong('a guest has a function runSlice(vcpu), one bounded piece of its work; this one has none');
}

function nameOf(name: unknown): string | undefined {
  if (name === undefined) return undefined;
  if (typeof name !== 'string' || !NAME.test(name))
    throw wrong('"name" is up to 64 letters, digits, spaces, dots, dashes and underscores');
  return name;
}

function memoryBytesOf(memory: unknown): number | undefined {
  if (memory === undefined) return undefined;
  const bytes = typeof memory === 'string' ? sizeOf(memory) : memory;
  if (
    typeof bytes !== 'number' ||
    !(bytes >= PAGE_BYTES && bytes <= MEMORY_BYTES_MAX) ||
    bytes % PAGE_BYTES !== 0
  )
    throw wrong(
      `"memory" is a whole number of pages of ${PAGE_BYTES} bytes, at most ${MEMORY_BYTES_MAX / 2 ** 40} TiB, such as '64MiB'; it is ${shown(memory)}`,
    );
  return bytes;
}

function sizeOf(text: string): number {
  try {
    return parseSize(text);
  } catch (error) {
    throw wrong(`"memory": ${messageOf(error)}`, error);
  }
}

function vcpusOf(vcpus: unknown): number | undefined {
  if (vcpus === undefined) return undefined;
  if (typeof vcpus !== 'number' || !Number.isInteger(vcpus) || vcpus < 1 || vcpus > VCPUS_MAX)
    throw wrong(`"vcpus" is a whole number from 1 to ${VCPUS_MAX}; it is ${shown(vcpus)}`);
  return vcpus;
}

function shown(value: unknown): string {
  return typeof value === 'number' || typeof value === 'string' ? `${value}` : typeof value;
}

function wrong(what: string, cause?: unknown): MicrostunError {
  return new MicrostunError('GUEST_FAILED', what, { cause });
}
