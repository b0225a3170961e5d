// The pieces that sections of the page share: a card, a note where something is missing, a table of names and values.
// Knows nothing of a report.
import type { Chart } from '../charts.js';
import { html, type Insert, type Markup } from '../markup.js';

/** A section of the page and the charts that its script has to draw in it. */
export interface Section {
  readonly markup: Markup;
  readonly charts: readonly Chart[];
}

export function card(id: string, title: string, body: Markup): Markup {
  return html`<section class="card" id="${id}" aria-labelledby="${id}-title">
    <h2 id="${id}-title">${title}</h2>
    ${body}
  </section>`;
}

/** Said in place of a chart when the report has nothing to draw. */
export function missing(sentence: string): Markup {
  return html`<p class="missing">${sentence}</p>`;
}

/** A figure with its name above and a remark below. */
export function tile(name: string, value: Insert, remark: Insert, tone = ''): Markup {
  return html`<div class="tile ${tone}">
    <dt>${name}</dt>
    <dd class="value">${value}</dd>
    <dd class="remark">${remark}</dd>
  </div>`;
}

export type NamedValue = readonly [name: string, value: Insert];

export function nameValueTable(caption: string, rows: readonly NamedValue[]): Markup {
  return html`<table class="pairs">
    <caption>
      ${caption}
    </caption>
    <tbody>
      ${rows.map(
        ([name, value]) =>
          html`<tr>
            <th scope="row">${name}</th>
            <td>${value}</td>
          </tr>`,
      )}
    </tbody>
  </table>`;
}

/** A share of a whole as a CSS length; what cannot be a share is none. */
export function percent(part: number, whole: number): string {
  const share = whole > 0 ? part / whole : 0;
  return `${(Math.min(1, Math.max(0, Number.isFinite(share) ? share : 0)) * 100).toFixed(3)}%`;
}
