// How long a guest's module may take to load, and what is said of one that does not.
// Knows times and texts; who loads it is in guest-module.ts and read-facts.ts.
import { fileURLToPath } from 'node:url';
import { MicrostunError } from '../errors.js';
import { after, type Timer } from '../timers.js';

/** A module that has not loaded by then never will. */
export const LOAD_MS_MAX = 10_000;

/** What Node ends with when a top-level await can never settle. */
export const UNSETTLED_STATUS = 13;

export const NEVER_LOADED = 'it never finishes loading: its top level waits for something, or loops';

/** That the guest in `module` cannot be had. */
export function loadFailure(module: string, why: string, cause?: unknown): MicrostunError {
  return new MicrostunError('GUEST_FAILED', `the guest module ${fileURLToPath(module)}: ${why}`, { cause });
}

/** Calls `onFailure` unless it is cancelled in time; does nothing for a guest without a module. */
export function watchLoading(
  module: string | undefined,
  onFailure: (error: MicrostunError) => void,
): Timer | undefined {
  if (module === undefined) return undefined;
  return after(LOAD_MS_MAX, () => {
    onFailure(loadFailure(module, NEVER_LOADED));
  });
}

/** That a machine was not to start any more. */
export function closedError(): MicrostunError {
  return new MicrostunError('CANCELLED', 'the machine was closed while it started');
}
