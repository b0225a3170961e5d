// The built-in guests by name, and what each is for.
import { MicrostunError } from '../../errors.js';
import { residentBytesOf, type GuestFactory, type GuestProgram, type GuestSpec } from '../guest-program.js';
import { hotSet, sequential, uniform, zipf } from './page-writer.js';
import { replay } from './replay.js';

interface CatalogueEntry {
  readonly summary: string;
  readonly factory: GuestFactory;
  /** Pages a second when the user names no rate. */
  readonly defaultWriteRate: number;
  /** What its audit takes beside the guest itself; nothing to speak of if not said. */
  readonly auditMemoryBytes?: (spec: GuestSpec) => number;
}

/** Every built-in guest. */
export const catalogue: Readonly<Record<string, CatalogueEntry>> = {
  uniform: { summary: 'writes pages all over memory alike', factory: uniform, defaultWriteRate: 100_000 },
  'hot-set': {
    summary: 'nine writes in ten go to a tenth of memory',
    factory: hotSet,
    defaultWriteRate: 100_000,
  },
  sequential: { summary: 'page after page, round and round', factory: sequential, defaultWriteRate: 100_000 },
  zipf: { summary: 'few pages are popular, most are not', factory: zipf, defaultWriteRate: 100_000 },
  replay: {
    summary: 'deterministic: all of memory is recomputed and compared',
    factory: replay,
    defaultWriteRate: 100_000,
    // It runs the whole guest again, in memory of its own, where nothing lies between its pages.
    auditMemoryBytes: residentBytesOf,
  },
};

export const programNames = Object.keys(catalogue);

/** What the audit of `spec` takes beside the guest itself, in bytes. */
export function auditMemoryBytesOf(spec: GuestSpec): number {
  return Object.hasOwn(catalogue, spec.program)
    ? (catalogue[spec.program]?.auditMemoryBytes?.(spec) ?? 0)
    : 0;
}

/**
 * Makes the program that `spec` names.
 * @throws MicrostunError GUEST_FAILED when there is none of that name.
 */
export function makeProgram(spec: GuestSpec): GuestProgram {
  const entry = Object.hasOwn(catalogue, spec.program) ? catalogue[spec.program] : undefined;
  if (entry === undefined) {
    throw new MicrostunError(
      'GUEST_FAILED',
      `there is no guest "${spec.program}"; choose one of ${programNames.join(', ')}`,
    );
  }
  return entry.factory(spec);
}
