// A comparison that was saved as JSON, read back: checked field by field, because the file may be anything.
// Knows what a comparison is; which file it came from is the caller's.
import { MicrostunError } from '../../shared/errors.js';
import { checkDocument, describe, isRecord } from '../checks.js';
import { comparisonDocument } from './comparison-schema.js';
import { COMPARISON_VERSION, type Comparison } from './comparison.js';

/** Whether `document` is what `compare --json` printed, or `compare --out` wrote: that, and the reports beside it. */
export function isComparison(document: unknown): boolean {
  return isRecord(document) && (Object.hasOwn(document, 'comparison') || document['kind'] === 'comparison');
}

/**
 * The comparison in `document`, for which `isComparison` holds; the reports beside it are not looked at.
 * @throws MicrostunError USAGE when this version of microstun cannot read it; `name` says in whose name.
 */
export function readComparison(document: unknown, name: string): Comparison {
  const saved: unknown =
    isRecord(document) && Object.hasOwn(document, 'comparison') ? document['comparison'] : document;
  if (isRecord(saved) && Object.hasOwn(saved, 'version') && saved['version'] !== COMPARISON_VERSION) {
    throw new MicrostunError(
      'USAGE',
      `${name} is a comparison of version ${describe(saved['version'])}; this microstun reads version ${COMPARISON_VERSION}`,
    );
  }
  checkDocument(saved, comparisonDocument, `${name} is a damaged microstun comparison`);
  return saved as Comparison;
}
