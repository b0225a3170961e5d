// A comparison as one HTML file that needs nothing else, and no script: strip plots, the stun in parts, every number.
// Pure; a comparison in, a page out.
import {
  describeGuest,
  describeLink,
  formatRange,
  formatValue,
  MISSING,
} from '../report/comparison/values.js';
import type { Comparison, ComparisonRow } from '../report/comparison/comparison.js';
import { stunPartKeys } from '../report/stun-parts.js';
import { formatCount } from '../shared/units.js';
import { flagshipSection } from './sections/flagship.js';
import { failuresSection, numbersSection, settingsTable } from './sections/comparison-table.js';
import { figure, html, type Markup } from './markup.js';
import { renderPage } from './page.js';
import { card, missing, percent, tile } from './sections/section.js';
import { strips } from './sections/strips.js';
import { styleOf } from './bundles.js';

/** What is drawn, by the id of its row; the rest is in the table. */
const drawn: readonly (readonly [id: string, title: string, remark: string])[] = [
  ['guestGapMs', 'The guest stood still', 'last slice at the source to first at the destination'],
  ['recoveryMs', 'Recovery', 'from the stop to 90 % of its throughput before'],
  ['longestStallAfterMs', 'Longest stall after the resume', 'of any vCPU, between two slices or for a page'],
  ['stunMs', 'Stop to answer', 'on the source’s clock'],
  ['lostShare', 'Guest throughput lost', 'while it was copied, against the second before'],
  ['longestStallBeforeMs', 'Longest stall before the stun', 'of any vCPU, between two slices'],
  ['longestTraceStopMs', 'Longest stop to trace', 'of any vCPU'],
  ['bitmapMs', 'The bitmap in the stun', 'to encode it and to validate it'],
  ['wireBytes', 'Bytes on the wire', 'all connections, both ways'],
  ['totalMs', 'Total time', 'start to resume'],
];

/** The page of a comparison. */
export function renderComparisonPage(comparison: Comparison): string {
  const { settings } = comparison;
  return renderPage({
    title: `microstun: ${formatCount(settings.length)} settings compared`,
    style: styleOf('comparison-page'),
    body: html`${head(comparison)} ${flagshipSection(comparison)} ${settingsTable(comparison)}
      ${stripSection(comparison)} ${partsSection(comparison)} ${numbersSection(comparison)}
      ${failuresSection(comparison)}
      <footer>Made by microstun. This file loads nothing from anywhere and runs no script.</footer>`,
    islands: undefined,
    scripts: [],
  });
}

function head(comparison: Comparison): Markup {
  const { subject, settings, runs } = comparison;
  return html`<header>
    <p class="eyebrow"><b>microstun</b> comparison</p>
    <h1>One guest, moved <em>${formatCount(settings.length)} ways</em></h1>
    <p class="subtitle">
      ${describeGuest(subject)}. ${describeLink(subject)}. ${formatCount(runs)} ${runs === 1 ? 'run' : 'runs'}
      of each setting, interleaved, each in processes of its own.
    </p>
    <p class="badges">${badges(comparison)}</p>
    ${gapTiles(comparison)}
  </header>`;
}

function badges({ settings, isComplete, runs }: Comparison): Markup {
  const sum = (of: (setting: Comparison['settings'][number]) => number): number =>
    settings.reduce((total, setting) => total + of(setting), 0);
  const completed = sum((setting) => setting.completed);
  const failed = sum(({ failures }) => failures.length);
  const late = sum(({ overBudget }) => overBudget);
  const passed = sum(({ audits }) => audits.passed);
  const damaged = sum(({ audits }) => audits.failed);
  const badge = (tone: string, text: string): Markup => html`<span class="badge ${tone}">${text}</span>`;
  return html`${badge(completed > 0 ? 'is-good' : '', `${formatCount(completed)} runs completed`)}
  ${failed > 0 ? badge('is-bad', `${formatCount(failed)} failed`) : undefined}
  ${late > 0 ? badge('is-warning', `${formatCount(late)} ${late === 1 ? 'stun' : 'stuns'} over budget`) : undefined}
  ${isComplete ? undefined : badge('is-warning', `interrupted: ${formatCount(runs * settings.length - completed - failed)} runs did not take place`)}
  ${
    damaged > 0
      ? badge('is-bad', `${formatCount(damaged)} audits failed`)
      : passed > 0
        ? badge('is-good', `${passed === completed ? 'every audit' : `${formatCount(passed)} audits`} passed`)
        : badge('', 'no audit')
  }`;
}

function gapTiles(comparison: Comparison): Markup | undefined {
  const found = rowOf(comparison, 'guestGapMs');
  if (found === undefined) return undefined;
  const { row, at } = found;
  return html`<dl class="tiles">
    ${row.cells.map(({ median, lowerQuartile, upperQuartile }, column) =>
      tile(
        `Stood still, ${comparison.settings[column]!.name}`,
        median === null
          ? MISSING
          : figure(`rows.${at}.cells.${column}.median`, median, formatValue(row.unit, median)),
        median === null ? 'no run completed' : formatRange(row.unit, lowerQuartile, upperQuartile),
      ),
    )}
  </dl>`;
}

function rowOf({ rows }: Comparison, id: string): { row: ComparisonRow; at: number } | undefined {
  const at = rows.findIndex((row) => row.id === id);
  const row = rows[at];
  return row === undefined ? undefined : { row, at };
}

function stripSection(comparison: Comparison): Markup {
  const plots = drawn.flatMap(([id, title, remark]) => {
    const found = rowOf(comparison, id);
    return found === undefined ? [] : [strips(found.row, found.at, title, remark, comparison.settings)];
  });
  return card(
    'runs',
    'Run by run',
    html`<p class="lede">
        A dot is a run, the line the median, the box reaches from quartile to quartile. Each figure has a
        scale of its own.
      </p>
      <div class="strip-plots">${plots}</div>`,
  );
}

function partsSection(comparison: Comparison): Markup {
  const { settings } = comparison;
  const title = 'The stun in its parts';
  const parts = stunPartKeys.flatMap((key) => {
    const found = rowOf(comparison, key);
    return found === undefined ? [] : [{ key, ...found }];
  });
  const medianOf = (row: ComparisonRow, column: number): number =>
    Math.max(0, row.cells[column]?.median ?? 0);
  const sums = settings.map((_, column) => parts.reduce((sum, { row }) => sum + medianOf(row, column), 0));
  const longest = sums.reduce((most, sum) => Math.max(most, sum), 0);
  if (!(longest > 0)) return card('parts', title, missing('No run completed.'));
  return card(
    'parts',
    title,
    html`<p class="lede">Medians of each part, in the order in which they pass.</p>
      <div class="bars has-values" role="img" aria-label="The parts of the stun of each setting">
        ${settings.map(
          ({ name }, column) =>
            html`<span class="bar-name">${name}</span>
              <div class="stack">
                ${parts.map(
                  ({ key, row }) =>
                    html`<i
                      class="part-${key}"
                      style="width:${percent(medianOf(row, column), longest)}"
                      title="${row.name}: ${formatValue(row.unit, row.cells[column]?.median ?? null)}"
                    ></i>`,
                )}
              </div>
              <span class="bar-value">${formatValue('ms', sums[column] === 0 ? null : sums[column]!)}</span>`,
        )}
      </div>
      <ul class="phases">
        ${parts.map(({ key, row }) => html`<li><i class="swatch part-${key}"></i>${row.name}</li>`)}
      </ul>
      <p class="hint">
        Medians of parts need not add up to the median of the whole; what stands beside a bar is their sum.
      </p>`,
  );
}
