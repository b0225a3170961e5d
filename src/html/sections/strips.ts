// Strip plots: for each setting every run as a dot, the quartiles as a box, the median as a line, all on one scale.
// Knows a row of a comparison; plain HTML and SVG, drawn without a script.
import { formatRange, formatValue, scaleFor } from '../../report/comparison/values.js';
import type { ComparedSetting, ComparisonCell, ComparisonRow } from '../../report/comparison/comparison.js';
import { figure, html, trusted, type Markup } from '../markup.js';
import { missing } from './section.js';

/** The drawing's own measures; it is stretched to the place that it gets, its lines and dots are not. */
const WIDTH = 1000;
const HEIGHT = 34;
const BOX_HEIGHT = 20;

/** Runs lie this far apart around the middle line, so that those of the same value can be told apart. */
const LANES = [0, -3.6, 3.6, -7.2, 7.2];

/** Where the axis begins and ends, and where it has a tick. */
export interface Axis {
  readonly from: number;
  readonly to: number;
  readonly ticks: readonly { readonly at: number; readonly label: string }[];
}

const TICKS_WANTED = 4;

/** An axis from zero, or below where there are negative values, with round ticks in the unit of its largest value. */
export function axisOf({ unit, cells }: Pick<ComparisonRow, 'unit' | 'cells'>): Axis {
  const values = cells.flatMap((cell) => cell.values.filter((value) => value !== null));
  const lowest = values.reduce((one, other) => Math.min(one, other), 0);
  const highest = values.reduce((one, other) => Math.max(one, other), 0);
  const { one = 1, name = '' } = scaleFor(unit, Math.max(highest, -lowest)) ?? {};
  const wanted = (highest - lowest) / one / TICKS_WANTED;
  // Nothing but zeros, or what a saved file can hold and no axis: one unit.
  if (!(wanted > 0) || !Number.isFinite(wanted)) {
    const ends = [0, one].map((at) => ({ at, label: at === 0 ? '0' : `1 ${name}`.trim() }));
    return { from: 0, to: one, ticks: ends };
  }
  const step = roundUp(wanted);
  const first = Math.floor(lowest / one / step);
  const last = Math.max(first + 1, Math.ceil(highest / one / step));
  const ticks = Array.from({ length: Math.min(last - first, 2 * TICKS_WANTED) + 1 }, (_, at) => {
    const shown = Number(((first + at) * step).toPrecision(6));
    return { at: (first + at) * step * one, label: shown.toLocaleString('en-US') };
  });
  const end = ticks.at(-1)!;
  return {
    from: first * step * one,
    to: last * step * one,
    ticks: [...ticks.slice(0, -1), { ...end, label: `${end.label} ${name}`.trim() }],
  };
}

/** The next of 1, 2, 5, 10, … */
function roundUp(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value));
  return power * ([1, 2, 5].find((one) => one * power >= value * 0.999) ?? 10);
}

/** `at` is the row's place in the comparison. */
export function strips(
  row: ComparisonRow,
  at: number,
  title: string,
  remark: string,
  settings: readonly ComparedSetting[],
): Markup {
  const head = html`<h3>${title}</h3>
    <p class="hint">${remark}</p>`;
  if (row.cells.every(({ median }) => median === null))
    return html`<div class="strips">${head} ${missing('No run measured it.')}</div>`;
  const axis = axisOf(row);
  return html`<div class="strips">
    ${head}
    <div class="strip-rows">
      ${row.cells.map((cell, column) => {
        const place = `rows.${at}.cells.${column}`;
        const name = settings[column]!.name;
        return html`<span class="strip-name">${name}</span>
          ${caption(row, cell, place)}
          <div class="strip">${drawing(cell, axis, `${title}, ${name}`)}</div>`;
      })}
      <div class="ticks">
        ${axis.ticks.map((tick) => html`<span style="left:${share(tick.at, axis)}">${tick.label}</span>`)}
      </div>
    </div>
  </div>`;
}

function caption(
  { unit }: ComparisonRow,
  { median, lowerQuartile, upperQuartile }: ComparisonCell,
  place: string,
): Markup {
  if (median === null || lowerQuartile === null) return html`<span class="strip-value soft">no value</span>`;
  const shown = formatValue(unit, median);
  const range = formatRange(unit, lowerQuartile, upperQuartile);
  return html`<span class="strip-value"
    >${figure(`${place}.median`, median, shown)}
    ${range === shown ? undefined : html`<small>${range}</small>`}</span
  >`;
}

function drawing(
  { values, median, lowerQuartile, upperQuartile }: ComparisonCell,
  axis: Axis,
  label: string,
): Markup {
  const x = (value: number): number => Math.round(WIDTH * shareOf(value, axis) * 10) / 10;
  const middle = HEIGHT / 2;
  const grid = axis.ticks.map(({ at }) => `M${x(at)} 0v${HEIGHT}`).join('');
  const dots = values
    .flatMap((value, run) =>
      value === null ? [] : [`M${x(value)} ${middle + LANES[run % LANES.length]!}h.01`],
    )
    .join('');
  const box =
    lowerQuartile === null || upperQuartile === null
      ? undefined
      : html`<rect
          class="strip-box"
          x="${x(lowerQuartile)}"
          y="${middle - BOX_HEIGHT / 2}"
          width="${Math.max(0, x(upperQuartile) - x(lowerQuartile))}"
          height="${BOX_HEIGHT}"
        ></rect>`;
  return html`<svg
    viewBox="0 0 ${WIDTH} ${HEIGHT}"
    preserveAspectRatio="none"
    role="img"
    aria-label="${label}"
  >
    ${trusted(`<path class="strip-grid" d="${grid}"></path>`)} ${box}
    ${trusted(`<path class="strip-dots" d="${dots}"></path>`)}
    ${
      median === null
        ? undefined
        : html`<path
            class="strip-median"
            d="M${x(median)} ${middle - BOX_HEIGHT / 2 - 3}v${BOX_HEIGHT + 6}"
          ></path>`
    }
  </svg>`;
}

/** Where on the axis a value is, 0 to 1. */
function shareOf(value: number, { from, to }: Axis): number {
  const share = (value - from) / (to - from);
  return Number.isFinite(share) ? Math.min(1, Math.max(0, share)) : 0;
}

function share(value: number, axis: Axis): string {
  return `${(100 * shareOf(value, axis)).toFixed(3)}%`;
}
