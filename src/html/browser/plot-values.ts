// What of a chart is plotted, and between which bounds.
// Pure; charts in, numbers out.
import type { Chart } from '../charts.js';

export type PlotValues = (number | null)[][];

export interface Extent {
  readonly highest: number;
  /** Where a logarithmic axis begins. */
  readonly floor: number;
}

/** One list a series. On a logarithmic axis there is no place for nothing. */
export function plotValues({ series }: Chart, isLog: boolean): PlotValues {
  return series.map(({ values }) => values.map((one) => (isLog && !(one !== null && one > 0) ? null : one)));
}

export function extentOf(values: PlotValues): Extent {
  let highest = 0;
  let lowest = Infinity;
  for (const list of values) {
    for (const one of list) {
      highest = Math.max(highest, one ?? 0);
      lowest = Math.min(lowest, one ?? Infinity);
    }
  }
  // A bar of the smallest value still has to be seen: the axis begins at a power of ten well below it.
  return { highest, floor: 10 ** Math.floor(Math.log10(Math.max(1, Math.min(lowest, highest)) / 2)) };
}

/** Half a bar's place on each side of the bars. */
export function barRange({ x }: Chart): [number, number] {
  return [-0.6, Math.max(1, x.length) - 0.4];
}

export function logRange({ highest, floor }: Extent): [number, number] {
  return [floor, Math.max(floor * 100, highest * 1.3)];
}

export function linearRange(highest: number): [number, number] {
  return [0, (highest > 0 ? highest : 1) * 1.12];
}
