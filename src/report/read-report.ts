// A report that was saved as JSON, read back: checked field by field, because the file may be anything.
// Knows what a report is; which file it came from is the caller's.
import { MicrostunError } from '../shared/errors.js';
import { checkDocument, describe, isRecord } from './checks.js';
import { REPORT_VERSION, type MigrationReport } from './document.js';
import { migrationReport } from './report-schema.js';

/**
 * The report in `document`, a parsed JSON; unknown fields are kept.
 * @throws MicrostunError USAGE when it is none that this version of microstun can read; `name` says in whose name.
 */
export function readReport(document: unknown, name: string): MigrationReport {
  checkKind(document, name);
  checkDocument(document, migrationReport, `${name} is a damaged microstun report`);
  return document as unknown as MigrationReport;
}

/** Tells what people mix up with a report, or bring from another version, from a damaged one. */
function checkKind(document: unknown, name: string): asserts document is Record<string, unknown> {
  if (!isRecord(document) || !('version' in document) || !('outcome' in document)) {
    throw new MicrostunError(
      'USAGE',
      `${name} is no microstun report; give it what \`microstun demo --json\` or \`microstun source --json\` printed`,
    );
  }
  if (document['version'] !== REPORT_VERSION) {
    throw new MicrostunError(
      'USAGE',
      `${name} is a report of version ${describe(document['version'])}; this microstun reads version ${REPORT_VERSION}`,
    );
  }
  if (document['outcome'] === 'failed') {
    throw new MicrostunError(
      'USAGE',
      `${name} is the report of a migration that failed; only one that completed can be drawn`,
    );
  }
}
