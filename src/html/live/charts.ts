// The charts of a live page: as they stand in it, empty, and what is new in them.
// Knows the history of a run; drawing is the page's script.
import { ROUNDS_SHOWN, type LiveHistory, type LivePoint } from './history.js';
import type { Chart, ChartSeries } from '../charts.js';
import type { ChartPatch } from './patch.js';
import { roundsChart } from '../sections/rounds.js';

const MEBIBYTE = 1024 ** 2;

interface LiveLines {
  readonly chart: Chart;
  /** One value a series. */
  readonly valuesOf: (point: LivePoint) => readonly (number | null)[];
  /** Names of the phases are on one chart; the others have their shades. */
  readonly isLabelled: boolean;
}

const hosts = [
  { label: 'source', colour: 'source' },
  { label: 'destination', colour: 'destination' },
] as const;

const lines: readonly LiveLines[] = [
  {
    chart: linesChart('throughput', 'pages written a second', hosts),
    valuesOf: ({ pagesPerSecond, remotePagesPerSecond }) => [pagesPerSecond, remotePagesPerSecond],
    isLabelled: true,
  },
  {
    chart: linesChart('stalls', 'ms', hosts),
    valuesOf: ({ longestStallUs, remoteStallUs }) => [inMs(longestStallUs), inMs(remoteStallUs)],
    isLabelled: false,
  },
  {
    chart: linesChart('bandwidth', 'MiB a second', [{ label: 'sent', colour: 'sent' }]),
    valuesOf: ({ bytesPerSecond }) => [Math.round((100 * bytesPerSecond) / MEBIBYTE) / 100],
    isLabelled: false,
  },
];

function inMs(us: number | null): number | null {
  return us === null ? null : us / 1000;
}

function linesChart(
  id: string,
  yTitle: string,
  series: readonly Pick<ChartSeries, 'label' | 'colour'>[],
): Chart {
  return {
    id,
    kind: 'lines',
    x: [],
    xLabels: 'ms',
    xTitle: '',
    yTitle,
    isLog: false,
    isFine: true,
    bands: [],
    series: series.map((one) => ({ ...one, values: [] })),
  };
}

/** The charts by their ids, empty. */
export const liveCharts = {
  throughput: lines[0]!.chart,
  stalls: lines[1]!.chart,
  bandwidth: lines[2]!.chart,
  rounds: roundsChart([]),
} as const;

/** What the charts show from the point at `from` on. Rounds are few and come whole. */
export function chartPatches(history: LiveHistory, from: number): ChartPatch[] {
  const points = history.pointsFrom(from);
  const x = points.map(({ atMs }) => atMs);
  const { bands } = history;
  const unlabelled = bands.map((band) => ({ ...band, label: '' }));
  const rounds = roundsChart(history.rounds.slice(-ROUNDS_SHOWN));
  return [
    ...lines.map(({ chart, valuesOf, isLabelled }): ChartPatch => {
      const rows = points.map(valuesOf);
      return {
        id: chart.id,
        from,
        x,
        xLabels: 'ms',
        values: chart.series.map((_, series) => rows.map((row) => row[series] ?? null)),
        bands: isLabelled ? bands : unlabelled,
      };
    }),
    {
      id: rounds.id,
      from: 0,
      x: rounds.x,
      xLabels: rounds.xLabels,
      values: rounds.series.map(({ values }) => values),
      bands: [],
    },
  ];
}
