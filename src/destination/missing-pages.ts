// What is said of a guest whose source is away with pages of it: how many it lacks, and which are lost in the end.
// Pure.
import { MicrostunError } from '../shared/errors.js';
import type { IncomingPages } from './hands.js';

/** So many runs of lost pages are named in the error; a guest that is kept parked can be asked for the rest. */
const LOST_RUNS_NAMED = 20;

/** That `source` has been away for `farewellMs`, and what its user can do. */
export function describeAbsence(source: string, farewellMs: number, pages: IncomingPages): string {
  return (
    `the source ${source} has been away for ${farewellMs / 1000} s, and the guest lacks ${pages.lackingPages} of its ` +
    `${pages.pageCount} pages. It is waited for and dialled again; the guest runs on, and a vCPU that needs one of ` +
    'those pages waits. Bring the source back, or interrupt this process to give them up'
  );
}

/** PAGES_LOST, with the runs of pages that never came. */
export function lostPagesError(pages: IncomingPages): MicrostunError {
  const { count, runs } = pages.missing();
  const named = runs
    .slice(0, LOST_RUNS_NAMED)
    .map(([first, pastLast]) => (pastLast - first === 1 ? `${first}` : `${first}-${pastLast - 1}`));
  return new MicrostunError(
    'PAGES_LOST',
    `the source is gone with ${count} of the guest's ${pages.pageCount} pages; the guest is parked. ` +
      `Lost pages: ${named.join(', ')}${runs.length > named.length ? ', …' : ''}`,
  );
}
