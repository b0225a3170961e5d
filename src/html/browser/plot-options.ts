// A chart as uPlot's options: its scales, its axes, its series, its legend.
// Reads what is shown now, which an update replaces; when to draw is chart-board.ts's.
import uPlot from 'uplot';
import type { Chart, ChartSeries } from '../charts.js';
import { labelBars } from './bar-labels.js';
import { colour } from './colours.js';
import { formatTick, formatTime, formatValue } from './formats.js';
import { shadeBands } from './phase-bands.js';
import { barRange, linearRange, logRange, type Extent } from './plot-values.js';

/** What a plot shows now. */
export interface Shown {
  chart: Chart;
  extent: Extent;
}

const FONT = '12px system-ui, sans-serif';
/** CSS pixels: a plot in a narrower place is lower. */
const NARROW_WIDTH = 520;

// uPlot's enumeration exists in its types only, and only one of its values is needed.
// eslint-disable-next-line @typescript-eslint/no-unsafe-enum-assignment
const LOGARITHMIC = 3 as uPlot.Scale.Distr.Logarithmic;

const barSteps = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10_000, 20_000, 50_000];

/** `width` is in CSS pixels. */
export function plotOptions(shown: Shown, isLog: boolean, width: number): uPlot.Options {
  const { kind, series } = shown.chart;
  const isLines = kind === 'lines';
  return {
    width,
    height: width < NARROW_WIDTH ? 220 : 280,
    padding: [12, 12, 0, 0],
    cursor: { drag: { x: isLines, y: false }, points: { show: isLines }, y: false },
    legend: {
      live: true,
      markers: { width: 0, fill: (_, at) => colour(series[at - 1]!.colour) },
    },
    hooks: {
      drawClear: [
        (plot) => {
          shadeBands(plot, shown.chart.bands);
        },
      ],
      draw: isLines
        ? []
        : [
            (plot) => {
              labelBars(plot, shown.chart);
            },
          ],
    },
    scales: {
      x: { time: false, ...(isLines ? {} : { range: () => barRange(shown.chart) }) },
      y: isLog
        ? { distr: LOGARITHMIC, log: 10, range: () => logRange(shown.extent) }
        : { range: (_plot, _lowest, highest) => linearRange(highest) },
    },
    axes: [isLines ? timeAxis(shown) : barAxis(shown), valueAxis(shown, isLog)],
    series: [xSeries(shown), ...series.map((one) => (isLines ? lineOf(one, shown) : barOf(one, shown)))],
  };
}

/** What both axes are like. */
const axis: uPlot.Axis = { stroke: () => colour('soft'), font: FONT, ticks: { show: false } };

/** What the x axes of both kinds are like. */
function xAxis({ chart }: Shown): uPlot.Axis {
  const title =
    chart.xTitle === ''
      ? { size: 30 }
      : { label: chart.xTitle, labelFont: FONT, labelSize: 18, labelGap: 0, size: 28 };
  return { ...axis, ...title, grid: { show: false } };
}

function timeAxis(shown: Shown): uPlot.Axis {
  return {
    ...xAxis(shown),
    space: 64,
    values: (_, splits) => {
      const stepMs = splits.length > 1 ? splits[1]! - splits[0]! : undefined;
      return splits.map((ms) => formatTime(ms, stepMs));
    },
  };
}

function barAxis(shown: Shown): uPlot.Axis {
  const { xLabels } = shown.chart;
  const isWide = xLabels !== 'ms' && xLabels.some((label) => label.length > 4);
  return {
    ...xAxis(shown),
    space: isWide ? 76 : 32,
    incrs: barSteps,
    values: (_, splits) => splits.map((at) => (Number.isInteger(at) ? nameOf(shown.chart, at) : '')),
  };
}

function valueAxis(shown: Shown, isLog: boolean): uPlot.Axis {
  const isBetween = (one: number): boolean => Math.abs(Math.log10(one) % 1) > 1e-9;
  return {
    ...axis,
    size: 52,
    grid: {
      stroke: () => colour('rule'),
      width: 1,
      filter: (_, splits) => splits.map((one) => (isLog && isBetween(one) ? null : one)),
    },
    // uPlot leaves out ticks of a logarithmic axis by making them null.
    values: (_, splits: (number | null)[]) =>
      splits.map((one) => {
        if (one === null || (isLog && one < 1) || shown.chart.x.length === 0) return '';
        return formatTick(one, isLog ? 1 : (splits[1] ?? 0) - (splits[0] ?? 0));
      }),
  };
}

function xSeries(shown: Shown): uPlot.Series {
  const { kind, xTitle } = shown.chart;
  return {
    label: kind === 'lines' ? 'time' : xTitle || 'range',
    value: (_, at: number | null) => {
      if (at === null) return '';
      return kind === 'lines' ? formatTime(at) : nameOf(shown.chart, Math.round(at));
    },
  };
}

function lineOf({ label, colour: name }: ChartSeries, shown: Shown): uPlot.Series {
  return {
    label,
    value: (_, value) => legendText(value, shown.chart),
    stroke: () => colour(name),
    fill: () => colour(`${name}-wash`),
    width: 1.5,
    spanGaps: false,
    points: { show: false },
  };
}

function barOf({ label, colour: name, width = 1 }: ChartSeries, shown: Shown): uPlot.Series {
  return {
    label,
    value: (_, value) => legendText(value, shown.chart),
    stroke: () => colour(name),
    fill: () => colour(name),
    width: 0,
    paths: uPlot.paths.bars!({ size: [width, 90 * width], radius: 0.12 }),
    points: { show: false },
  };
}

/** uPlot's types know nothing of a value that is not there. */
function legendText(value: number | null | undefined, { isFine = false }: Chart): string {
  return value === null || value === undefined ? '' : formatValue(value, isFine);
}

function nameOf({ xLabels }: Chart, at: number): string {
  return xLabels === 'ms' ? '' : (xLabels[at] ?? '');
}
