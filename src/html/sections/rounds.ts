// Rounds of pre-copy: pages that each had to bring against pages that it sent, as bars and as a table; and the traces behind them.
// Knows the report; drawing is the page's script.
import { formatBytes, formatCount, formatMs } from '../../shared/units.js';
import type { MigrationReport, RoundReport } from '../../report/document.js';
import { chartPlace, type Chart } from '../charts.js';
import { figure, html, type Markup } from '../markup.js';
import { card, missing, tile, type Section } from './section.js';

/** A table beyond this many rounds shows the first and the last of them. */
const ROUNDS_LISTED = 60;

export function roundsSection({ rounds, trace }: MigrationReport): Section {
  const title = 'Rounds';
  const tracing = html`<dl class="tiles is-small">
    ${tile('Traces', trace.mode, 'who installs them')}
    ${tile('Installed in', figure('trace.installMs', trace.installMs, formatMs(trace.installMs)), 'first time, all memory')}
    ${tile('Page fires', figure('trace.pageFires', trace.pageFires, formatCount(trace.pageFires)), 'writes that met a trace')}
  </dl>`;
  if (rounds.length === 0) {
    const note = missing('No page was copied before the switch-over: there was no round.');
    return { markup: card('rounds', title, html`${note} ${tracing}`), charts: [] };
  }
  const chart = roundsChart(rounds);
  return {
    charts: [chart],
    markup: card(
      'rounds',
      title,
      html`<p class="lede">${story(rounds)}</p>
        ${chartPlace(chart, 'Dirty pages and sent pages of each round')} ${tracing}
        <details>
          <summary>All rounds in numbers</summary>
          ${table(rounds)}
        </details>`,
    ),
  };
}

function story(rounds: readonly RoundReport[]): string {
  const first = rounds[0]!;
  const last = rounds.at(-1)!;
  const begin = `Round ${first.round} had ${formatCount(first.dirtyPages)} pages to bring`;
  if (rounds.length === 1) return `${begin}. The light part of the bar is pages that needed no bytes.`;
  return `${begin}, the last of ${formatCount(rounds.length)} rounds ${formatCount(last.dirtyPages)}. Each bar is what was dirty; the light part of it needed no bytes, or went another way.`;
}

/** Dirty and sent pages of each round, as bars. */
export function roundsChart(
  rounds: readonly Pick<RoundReport, 'round' | 'dirtyPages' | 'sentPages'>[],
): Chart {
  return {
    id: 'rounds',
    kind: 'bars',
    x: rounds.map((_, at) => at),
    xLabels: rounds.map(({ round }) => String(round)),
    xTitle: 'round',
    yTitle: 'pages',
    // Bars are compared by their lengths: on a logarithmic axis a tenth looks like half.
    isLog: false,
    bands: [],
    series: [
      { label: 'dirty', colour: 'dirty', values: rounds.map(({ dirtyPages }) => dirtyPages), width: 0.72 },
      { label: 'sent', colour: 'sent', values: rounds.map(({ sentPages }) => sentPages), width: 0.4 },
    ],
  };
}

function table(rounds: readonly RoundReport[]): Markup {
  const half = ROUNDS_LISTED / 2;
  const isLong = rounds.length > ROUNDS_LISTED;
  const rows = rounds.map((round, at) => ({ round, at }));
  return html`<div class="scroll">
    <table class="numbers">
      <thead>
        <tr>
          <th scope="col">round</th>
          <th scope="col">dirty</th>
          <th scope="col">sent</th>
          <th scope="col">zero</th>
          <th scope="col">bytes</th>
          <th scope="col">time</th>
          <th scope="col">rate</th>
        </tr>
      </thead>
      <tbody>
        ${(isLong ? rows.slice(0, half) : rows).map(row)}
        ${
          isLong
            ? html`<tr>
                <td colspan="7" class="soft">… ${formatCount(rounds.length - ROUNDS_LISTED)} more</td>
              </tr>`
            : undefined
        }
        ${isLong ? rows.slice(-half).map(row) : undefined}
      </tbody>
    </table>
  </div>`;
}

type RoundFigure = 'dirtyPages' | 'sentPages' | 'zeroPages' | 'sentBytes' | 'durationMs';

function row({ round: facts, at }: { round: RoundReport; at: number }): Markup {
  const { round, dirtyPages, sentPages, zeroPages, sentBytes, durationMs } = facts;
  const cell = (name: RoundFigure, shown: string): Markup =>
    html`<td>${figure(`rounds.${at}.${name}`, facts[name], shown)}</td>`;
  return html`<tr>
    <th scope="row">${String(round)}</th>
    ${cell('dirtyPages', formatCount(dirtyPages))} ${cell('sentPages', formatCount(sentPages))}
    ${cell('zeroPages', formatCount(zeroPages))} ${cell('sentBytes', formatBytes(sentBytes))}
    ${cell('durationMs', formatMs(durationMs))}
    <td>${durationMs > 0 ? `${formatBytes((sentBytes / durationMs) * 1000)}/s` : ''}</td>
  </tr>`;
}
