// The flagship of comparisons at the head of its page: a logic a row, and below them what VMware has published.
// Knows the comparison; plain HTML.
import type { Comparison } from '../../report/comparison/comparison.js';
import {
  comparability,
  flagshipCell,
  flagshipColumns,
  isOfPublishedSize,
  published,
  type FlagshipColumn,
} from '../../report/comparison/flagship.js';
import { formatRange, formatValue, MISSING } from '../../report/comparison/values.js';
import { figure, html, type Markup } from '../markup.js';
import { card } from './section.js';

/** Nothing where the comparison is another one. */
export function flagshipSection(comparison: Comparison): Markup | undefined {
  if (comparison.isFlagship !== true) return undefined;
  const hasPublished = isOfPublishedSize(comparison);
  return card(
    'flagship',
    'The headline',
    html`<p class="lede">
        A raw bitmap has a bit for each page that the guest could have; a compacted one has what is in it; the
        one that goes ahead is out of the way when the guest stops.
      </p>
      <div class="scroll is-whole">
        <table class="matrix">
          <thead>
            <tr>
              <th scope="col">medians</th>
              ${flagshipColumns.map(({ head }) => html`<th scope="col">${head.join(' ')}</th>`)}
            </tr>
          </thead>
          <tbody>
            ${comparison.settings.map(
              ({ name }, at) =>
                html`<tr>
                  <th scope="row">${name}</th>
                  ${flagshipColumns.map((column) => cellOf(comparison, column, at))}
                </tr>`,
            )}
            ${hasPublished ? publishedRows() : undefined}
          </tbody>
        </table>
      </div>
      ${hasPublished ? html`<p class="hint">${comparability}</p>` : undefined}`,
  );
}

function cellOf(comparison: Comparison, column: FlagshipColumn, at: number): Markup {
  const found = flagshipCell(comparison, column, at);
  if (found === undefined || found.cell.median === null) return html`<td class="soft">${MISSING}</td>`;
  const { place, cell } = found;
  const shown = formatValue(column.unit, cell.median);
  const range = formatRange(column.unit, cell.lowerQuartile, cell.upperQuartile);
  return html`<td>
    ${figure(place, found.cell.median, shown)}
    ${range === shown ? undefined : html`<span class="quartiles">${range}</span>`}
  </td>`;
}

function publishedRows(): Markup[] {
  return published.map(
    ({ name, texts }) =>
      html`<tr>
        <th scope="row" class="soft">${name}, published</th>
        ${texts.map((text) => html`<td class="soft">${text ?? MISSING}</td>`)}
      </tr>`,
  );
}
