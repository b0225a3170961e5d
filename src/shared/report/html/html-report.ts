// The report as one HTML file that needs nothing else: style, drawing library, numbers and script are all in it.
// Pure but for reading the drawing library; a report in, a page out.
import { createHash } from 'node:crypto';
import { formatMs } from '../../units.js';
import type { MigrationReport } from '../report.js';
import { plotAssets } from './assets.js';
import { bitmapCells, bitmapSection } from './bitmap.js';
import { chartsClient } from './charts-client.js';
import { headline } from './headline.js';
import { faultSection, gapSection } from './histograms.js';
import { html, jsonIsland, trusted, type Markup } from './markup.js';
import { roundsSection } from './rounds.js';
import { pageStyle } from './style.js';
import { stunSection } from './stun.js';
import { ledgerSection, settingsSection } from './tables.js';
import { timelineSection } from './timeline.js';

/** The page of a completed migration. */
export function renderHtml(report: MigrationReport): string {
  const plot = plotAssets();
  const scripts = [plot.script, chartsClient];
  const timeline = timelineSection(report);
  const rounds = roundsSection(report);
  const faults = faultSection(report);
  const gaps = gapSection(report);
  const cells = bitmapCells(report);
  const charts = [timeline, rounds, faults, gaps].flatMap((section) => section.charts);
  // Two charts stand side by side; one without the other takes the width.
  const arePaired = faults.charts.length > 0 && gaps.charts.length > 0;
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${contentPolicy(scripts)}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>microstun: ${report.guest.program}, stun ${formatMs(report.stun.stunMs)}</title>
        <link rel="icon" href="data:," />
        <style>
          ${trusted(plot.style)} ${trusted(pageStyle)}
        </style>
      </head>
      <body>
        <main>
          ${headline(report)} ${timeline.markup} ${stunSection(report)} ${rounds.markup}
          ${bitmapSection(report, cells)}
          <div class="${arePaired ? 'pair' : ''}">${faults.markup} ${gaps.markup}</div>
          ${ledgerSection(report)} ${settingsSection(report)}
          <noscript><p class="missing">Charts need JavaScript; every number is in the tables.</p></noscript>
          <footer>Made by microstun. Charts drawn by uPlot. This file loads nothing from anywhere.</footer>
        </main>
        ${jsonIsland('charts', { charts, cells: cells ?? null })} ${scripts.map(scriptElement)}
      </body>
    </html>`;
  return `${page.text}\n`;
}

/** The script to the letter: its hash is in the page's policy. */
function scriptElement(script: string): Markup {
  return trusted(`<script>${script}</script>`);
}

/** Nothing is loaded; of scripts, only those two run that are named by their hash, whatever else got into the page. */
function contentPolicy(scripts: readonly string[]): string {
  const hashes = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
  return `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${hashes.join(' ')}`;
}
