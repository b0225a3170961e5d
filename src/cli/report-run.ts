// The report, or a comparison, as an HTML file: from a saved JSON, or of a migration that just ended.
// Reads and writes files; what is in them is report/'s.
import { readFile, stat } from 'node:fs/promises';
import path from 'node:path';
import { MicrostunError, messageOf } from '../shared/errors.js';
import { renderComparisonPage } from '../html/comparison-page.js';
import { renderHtml } from '../html/html-report.js';
import { readSaved } from '../report/read-saved.js';
import type { MigrationReport } from '../report/document.js';
import { complain } from './output.js';
import { writeWhole } from './whole-file.js';

/** A report beyond this is none: the largest one has a few thousand samples, regions and rounds. */
const REPORT_BYTES_MAX = 256 * 1024 * 1024;

/** Draws the report or the comparison in the file `saved`; answers the exit status. Without `out` the page is put beside it. */
export async function runReport(saved: string, out: string | undefined): Promise<number> {
  const page = out ?? pageBeside(saved);
  if (path.resolve(page) === path.resolve(saved))
    throw new MicrostunError('USAGE', `--out ${page} is the report itself; give another name`);
  const document = readSaved(await readText(saved), saved);
  await writePage(
    document.kind === 'comparison' ? renderComparisonPage(document.comparison) : renderHtml(document.report),
    page,
  );
  return 0;
}

/**
 * Writes the page of `report` to the file `out` and says so on standard error.
 * @throws MicrostunError OUTPUT_FAILED when it cannot be written there.
 */
export async function writeHtmlReport(report: MigrationReport, out: string): Promise<void> {
  await writePage(renderHtml(report), out);
}

/**
 * Writes `page` to the file `out` and says so on standard error.
 * @throws MicrostunError OUTPUT_FAILED when it cannot be written there.
 */
export async function writePage(page: string, out: string): Promise<void> {
  await writeWhole(out, page, 'the HTML report');
  complain(`the HTML report is ${out}`);
}

function pageBeside(saved: string): string {
  const { dir, name } = path.parse(saved);
  return path.join(dir, `${name}.html`);
}

async function readText(file: string): Promise<string> {
  try {
    const { size } = await stat(file);
    if (size > REPORT_BYTES_MAX)
      throw new MicrostunError('USAGE', `${file} is no microstun report: it has ${size} bytes`);
    return await readFile(file, 'utf8');
  } catch (error) {
    if (error instanceof MicrostunError) throw error;
    throw new MicrostunError('USAGE', `${file} cannot be read: ${messageOf(error)}`, { cause: error });
  }
}
