// What `--json` prints when a destination ends.
// Knows no migration; the fields are filled in by destination-run.ts.
import type { FailureReport, MigrationReport } from '../report/document.js';

export interface DestinationReport {
  readonly outcome: 'ran' | 'refused' | 'cancelled' | 'pages-lost' | 'failed';
  readonly pid: number;
  readonly error: { readonly code: string; readonly message: string } | null;
  readonly guest: { readonly slices: number; readonly pagesWritten: number } | null;
  /** What became of each forwarding (--forward-to), in order. */
  readonly forwarded: readonly (MigrationReport | FailureReport)[];
}
