// What a page's script draws, as data: it becomes JSON in the page and browser/chart-board.ts reads it there.
// Numbers and names only; no report, no HTML but the place where a chart goes.
import { html, type Markup } from './markup.js';

/** Names of colours in browser/colours.css. */
export type Colour = 'before' | 'source' | 'destination' | 'dirty' | 'sent' | 'stun';

export interface ChartSeries {
  readonly label: string;
  readonly colour: Colour;
  /** One a value of `x`; null where there is none: lines end there and begin anew. */
  readonly values: readonly (number | null)[];
  /** Bars: share of the place on the axis that they fill. */
  readonly width?: number;
}

/** A stretch of the x axis that is shaded. */
export interface ChartBand {
  readonly label: string;
  readonly from: number;
  readonly to: number;
  readonly tone: Tone;
}

export type Tone = 'setup' | 'trace' | 'copy' | 'copy-odd' | 'stun' | 'push' | 'audit';

export interface Chart {
  readonly id: string;
  readonly kind: 'lines' | 'bars';
  readonly x: readonly number[];
  /** Milliseconds since the start on the x axis, or names for each of its whole numbers. */
  readonly xLabels: 'ms' | readonly string[];
  readonly xTitle: string;
  readonly yTitle: string;
  readonly series: readonly ChartSeries[];
  readonly bands: readonly ChartBand[];
  /** Whether the y axis starts out logarithmic; bars can be switched. */
  readonly isLog: boolean;
  /** Whether the values are worth more than whole numbers. */
  readonly isFine?: boolean;
}

/** The place of a chart in the page. */
export function chartPlace({ id, kind, isLog }: Chart, description: string): Markup {
  const toggle =
    kind === 'bars'
      ? html`<button type="button" class="toggle" data-chart="${id}">
          ${isLog ? 'linear scale' : 'log scale'}
        </button>`
      : undefined;
  return html`<figure class="chart">
    ${toggle}
    <div class="plot plot-${kind}" id="chart-${id}" role="img" aria-label="${description}"></div>
  </figure>`;
}
