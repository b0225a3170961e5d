// The report as one HTML file that needs nothing else: style, drawing library, numbers and script are all in it.
// A report in, a page out; the page's frame is charts-page.ts's.
import { formatMs } from '../shared/units.js';
import type { MigrationReport } from '../report/document.js';
import { bitmapSection, drawnBitmap } from './sections/bitmap.js';
import { headline } from './sections/headline.js';
import { faultSection, gapSection } from './sections/histograms.js';
import { html } from './markup.js';
import { renderChartsPage } from './charts-page.js';
import { roundsSection } from './sections/rounds.js';
import { stunSection } from './sections/stun.js';
import { ledgerSection, settingsSection } from './sections/tables.js';
import { timelineSection } from './sections/timeline.js';

/** The page of a completed migration. */
export function renderHtml(report: MigrationReport): string {
  const timeline = timelineSection(report);
  const rounds = roundsSection(report);
  const faults = faultSection(report);
  const gaps = gapSection(report);
  const bitmap = drawnBitmap(report);
  const charts = [timeline, rounds, faults, gaps].flatMap((section) => section.charts);
  // Two charts stand side by side; one without the other takes the width.
  const arePaired = faults.charts.length > 0 && gaps.charts.length > 0;
  return renderChartsPage({
    title: `microstun: ${report.guest.program}, stun ${formatMs(report.stun.stunMs)}`,
    body: html`${headline(report)} ${timeline.markup} ${stunSection(report)} ${rounds.markup}
      ${bitmapSection(report, bitmap)}
      <div class="${arePaired ? 'pair' : ''}">${faults.markup} ${gaps.markup}</div>
      ${ledgerSection(report)} ${settingsSection(report)}
      <noscript><p class="missing">Charts need JavaScript; every number is in the tables.</p></noscript>
      <footer>Made by microstun. Charts drawn by uPlot. This file loads nothing from anywhere.</footer>`,
    island: { charts, bitmap },
    script: 'report-page',
    connects: false,
  });
}
