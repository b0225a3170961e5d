// The comparison in numbers: every figure of every setting, the settings themselves, and the runs that failed.
// Knows the comparison; plain HTML.
import { formatRange, formatRatio, formatValue, MISSING } from '../../report/comparison/values.js';
import type {
  ComparedSetting,
  Comparison,
  ComparisonCell,
  ComparisonRow,
} from '../../report/comparison/comparison.js';
import { auditsOf, overBudgetOf } from '../../report/comparison/text.js';
import { reportText } from '../../report/document.js';
import { formatCount } from '../../shared/units.js';
import { figure, html, type Markup } from '../markup.js';
import { card } from './section.js';

export function numbersSection(comparison: Comparison): Markup {
  const { settings, rows, runs } = comparison;
  return card(
    'numbers',
    'All of it in numbers',
    html`<p class="lede">
        ${runs === 1 ? 'One run of each setting' : 'Medians, their ratio to the first setting’s, and the quartiles below'}.
        “${MISSING}” stands where no run measured it.
      </p>
      <div class="scroll is-whole">
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col"></th>
              ${settings.map(({ name }) => html`<th scope="col">${name}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${rows.map(numbersRow)}
            <tr>
              <th scope="row">stuns over their budget</th>
              ${settings.map((setting) => html`<td>${overBudgetOf(setting)}</td>`)}
            </tr>
            <tr>
              <th scope="row">audits that passed</th>
              ${settings.map((setting) => html`<td>${auditsOf(setting)}</td>`)}
            </tr>
            <tr>
              <th scope="row">runs that failed</th>
              ${settings.map(({ failures }) => html`<td>${formatCount(failures.length)}</td>`)}
            </tr>
          </tbody>
        </table>
      </div>
      <details>
        <summary>The comparison as JSON, every run in it</summary>
        <pre>${reportText(comparison)}</pre>
      </details>`,
  );
}

function numbersRow({ name, unit, isPart, cells }: ComparisonRow, at: number): Markup {
  const cell = ({ median, lowerQuartile, upperQuartile, ratio }: ComparisonCell, column: number): Markup => {
    if (median === null) return html`<td class="soft">${MISSING}</td>`;
    const range = formatRange(unit, lowerQuartile, upperQuartile);
    const shown = formatValue(unit, median);
    return html`<td>
      ${figure(`rows.${at}.cells.${column}.median`, median, shown)}
      ${column === 0 || ratio === null ? undefined : html`<small>${formatRatio(ratio)}</small>`}
      ${range === shown ? undefined : html`<span class="quartiles">${range}</span>`}
    </td>`;
  };
  return html`<tr>
    <th scope="row" class="${isPart ? 'is-part' : ''}">${name}</th>
    ${cells.map(cell)}
  </tr>`;
}

export function settingsTable({ settings, runs }: Comparison): Markup {
  return card(
    'settings',
    'The settings',
    html`<table class="setting-list">
      <tbody>
        ${settings.map(
          (setting, at) =>
            html`<tr>
              <th scope="row">${setting.name}</th>
              <td>
                ${setting.summary === '' ? undefined : html`<span>${setting.summary}</span>`}
                ${setting.flags.length === 0 ? html`<span class="soft">no flags of its own</span>` : html`<code>${setting.flags.join(' ')}</code>`}
              </td>
              <td>${completed(setting, at, runs)}</td>
            </tr>`,
        )}
      </tbody>
    </table>`,
  );
}

function completed({ completed }: ComparedSetting, at: number, runs: number): Markup {
  return html`${figure(`settings.${at}.completed`, completed, formatCount(completed))} of ${formatCount(runs)}
  runs`;
}

export function failuresSection({ settings }: Comparison): Markup | undefined {
  const failures = settings.flatMap(({ name, failures }) => failures.map((failure) => ({ name, failure })));
  if (failures.length === 0) return undefined;
  return card(
    'failures',
    'Runs that failed',
    html`<p class="lede">They count in no figure above.</p>
      <table class="setting-list">
        <tbody>
          ${failures.map(
            ({ name, failure: { run, status, code, message, flags } }) =>
              html`<tr>
                <th scope="row">${name}, run ${formatCount(run + 1)}</th>
                <td><span>${message}</span><code>${flags.join(' ')}</code></td>
                <td>${code}, status ${String(status)}</td>
              </tr>`,
          )}
        </tbody>
      </table>`,
  );
}
