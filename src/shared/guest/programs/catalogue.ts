// The built-in guests by name, and what each is for.
import { MicrostunError } from '../../errors.js';
import {
  residentBytesOf,
  type DeviceSpec,
  type GuestFactory,
  type GuestProgram,
  type GuestSpec,
} from '../guest-program.js';
import { echoDevices } from './echo.js';
import { keyValueDevices } from './key-value/service.js';
import { hashOfCode } from './program-code.js';

interface CatalogueEntry {
  readonly summary: string;
  /** Where its code is: the module that `load` loads. */
  readonly code: URL;
  /** Every vCPU loads its own program, and no other: that is time before the guest runs. */
  readonly load: () => Promise<GuestFactory>;
  /** None if not said. */
  readonly devices?: readonly DeviceSpec[];
  /** Pages a second when the user names no rate. */
  readonly defaultWriteRate: number;
  /** What its audit takes beside the guest itself; nothing to speak of if not said. */
  readonly auditMemoryBytes?: (spec: GuestSpec) => number;
}

/** `name`: of its factory. */
function pageWriter(
  name: 'uniform' | 'hotSet' | 'sequential' | 'zipf',
): Pick<CatalogueEntry, 'code' | 'load' | 'defaultWriteRate'> {
  return {
    code: new URL('./page-writer.js', import.meta.url),
    load: async () => (await import('./page-writer.js'))[name],
    defaultWriteRate: 100_000,
  };
}

/** Every built-in guest. */
export const catalogue: Readonly<Record<string, CatalogueEntry>> = {
  uniform: { ...pageWriter('uniform'), summary: 'writes pages all over memory alike' },
  'hot-set': { ...pageWriter('hotSet'), summary: 'nine writes in ten go to a tenth of memory' },
  sequential: { ...pageWriter('sequential'), summary: 'page after page, round and round' },
  zipf: { ...pageWriter('zipf'), summary: 'few pages are popular, most are not' },
  echo: {
    summary: 'answers what it is told, at its service "echo"',
    code: new URL('./echo.js', import.meta.url),
    load: async () => (await import('./echo.js')).echo,
    devices: echoDevices,
    defaultWriteRate: 0,
  },
  replay: {
    summary: 'deterministic: all of memory is recomputed and compared',
    code: new URL('./replay.js', import.meta.url),
    load: async () => (await import('./replay.js')).replay,
    defaultWriteRate: 100_000,
    // It runs the whole guest again, in memory of its own, where nothing lies between its pages.
    auditMemoryBytes: residentBytesOf,
  },
  'key-value': {
    summary: "a store that speaks Redis' protocol to the clients of its service redis",
    code: new URL('./key-value/key-value.js', import.meta.url),
    load: async () => (await import('./key-value/key-value.js')).keyValue,
    devices: keyValueDevices,
    // It writes what its clients tell it to.
    defaultWriteRate: 0,
  },
  ledger: {
    summary: 'transfers money between accounts under locks, and its total never changes',
    code: new URL('./ledger.js', import.meta.url),
    load: async () => (await import('./ledger.js')).ledger,
    defaultWriteRate: 100_000,
  },
};

export const programNames = Object.keys(catalogue);

/** The guest of that name; undefined when there is none. */
function entryOf(program: string): CatalogueEntry | undefined {
  return Object.hasOwn(catalogue, program) ? catalogue[program] : undefined;
}

/**
 * The hash of that guest's code as it is now (program-code.ts); empty when there is no such guest. `module`: of a guest
 * that people bring, whatever it is called.
 * @throws MicrostunError GUEST_FAILED when the code cannot be read.
 */
export function codeHashOf(program: string, module?: string): string {
  if (module !== undefined) return hashOfCode(new URL(module));
  const entry = entryOf(program);
  return entry === undefined ? '' : hashOfCode(entry.code);
}

/** What the audit of `spec` takes beside the guest itself, in bytes. */
export function auditMemoryBytesOf(spec: GuestSpec): number {
  return entryOf(spec.program)?.auditMemoryBytes?.(spec) ?? 0;
}

/**
 * Loads and makes the program that `spec` names.
 * @throws MicrostunError GUEST_FAILED when there is none of that name.
 */
export async function makeProgram(spec: GuestSpec): Promise<GuestProgram> {
  const entry = entryOf(spec.program);
  if (entry === undefined) {
    throw new MicrostunError(
      'GUEST_FAILED',
      `there is no guest "${spec.program}"; choose one of ${programNames.join(', ')}`,
    );
  }
  const factory = await entry.load();
  return factory(spec);
}
