// How a migration ended here, and in what state its guest's machine is handed on.
// Does not know why it ended: that is states/outcome.ts.
import { unreachable, type MicrostunError } from '../shared/errors.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import type { IncomingMachine } from './hands.js';
import { lostPagesError } from './missing-pages.js';
import type { Place } from './preparation.js';
import type { Outcome } from './states/states.js';

type Refused = Extract<Outcome, { kind: 'refused' }>;

/** A guest that runs here comes with its machine. */
export type IncomingResult<Machine = GuestMachine> =
  | { readonly kind: 'running'; readonly machine: Machine; readonly isSourceGone: boolean }
  | Refused
  /** The guest is parked with pages missing, which the error names. */
  | { readonly kind: 'pages-lost'; readonly machine: Machine; readonly error: MicrostunError }
  | { readonly kind: 'failed'; readonly machine: Machine; readonly error: MicrostunError };

/** What becomes of a guest that is here. */
export async function resultOf<Machine extends IncomingMachine>(
  outcome: Exclude<Outcome, Refused>,
  { machine, pages }: Place<Machine>,
): Promise<IncomingResult<Machine>> {
  switch (outcome.kind) {
    case 'running':
      // Its source may have gone while it was parked for its audit.
      if (machine.isStopped) await machine.resume();
      return { ...outcome, machine };
    case 'pages-lost':
      // The guest runs no further on memory that it does not have.
      machine.stop();
      return { kind: 'pages-lost', machine, error: lostPagesError(pages) };
    case 'failed':
      return { ...outcome, machine };
    default:
      return unreachable(outcome);
  }
}
