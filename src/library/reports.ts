// Reports: read back, and drawn as text or as a page.
// What a report is, and how it is drawn, is report/'s and html/'s; these are the doors to them.
import { renderHtml } from '../html/html-report.js';
import type { MigrationReport } from '../report/document.js';
import { readReport as readDocument } from '../report/read-report.js';
import { renderReport as renderText } from '../report/text-report.js';

/**
 * The report in `document`: what `JSON.parse` made of one that was saved, or that `microstun … --json` printed. Fields that
 * nobody knows are let be.
 * @param document - what may be a report.
 * @param name - of whose name a complaint is to speak, such as the file's.
 * @throws MicrostunError USAGE when it is no report that this version of microstun can read, with the place of the damage.
 */
export function readReport(document: unknown, name = 'the document'): MigrationReport {
  return readDocument(document, name);
}

/** The report as text for people, as `microstun demo` prints it. */
export function renderReport(report: MigrationReport): string {
  return renderText(report);
}

/** The report as one HTML file that needs nothing else: to be written to a file, or served. */
export function htmlReport(report: MigrationReport): string {
  return renderHtml(report);
}
