// What a report says of the proofs that a guest is whole: its own audit, and the comparison with its source.
// A part of report-schema.ts, which has all the others.
import { count, fields, list, text, truth } from './schema-parts.js';

export const audit = fields({ passed: truth(), checked: count(), failed: count(), findings: list(text()) });

export const verify = fields({
  windows: count().describe('regions of 2 MiB that were compared'),
  pages: count().describe('pages of them, each by a hash of 64 bits'),
  rereadPages: count().describe(
    'of these: hashed once more in memory after the resume, because nothing had been stored to them yet',
  ),
  mismatchedPages: count().describe('pages that were not what the source had at the hand-over'),
  mismatched: list(count()).describe('the first of them, by their addresses in the guest divided by 4096'),
});
