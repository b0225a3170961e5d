// What was saved as JSON, read back, whichever of the documents it is: the report of a migration, or a comparison.
// Knows which is which; what is in them is read-report.ts's and read-comparison.ts's.
import { parseSaved } from './checks.js';
import type { Comparison } from './comparison/comparison.js';
import { isComparison, readComparison } from './comparison/read-comparison.js';
import { readReport } from './read-report.js';
import type { MigrationReport } from './document.js';

export type Saved =
  | { readonly kind: 'migration'; readonly report: MigrationReport }
  | { readonly kind: 'comparison'; readonly comparison: Comparison };

/**
 * The document in `text`.
 * @throws MicrostunError USAGE when it is none that this version of microstun can read; `name` says in whose name.
 */
export function readSaved(text: string, name: string): Saved {
  const document = parseSaved(text, name);
  return isComparison(document)
    ? { kind: 'comparison', comparison: readComparison(document, name) }
    : { kind: 'migration', report: readReport(document, name) };
}
