// Settings compared: the same guest, seed and link migrated several times by each, in turn, and what each cost.
// Pure: reports in, a table out.
import { formatBytes, formatCount, formatMs } from '../units.js';
import type { MigrationReport } from './report.js';

/** One way to migrate, by the flags that make it. */
export interface Setting {
  readonly name: string;
  readonly flags: readonly string[];
}

/** Before vSphere 7, after it, each change alone, and what lies beyond. */
export const standardSettings: readonly Setting[] = [
  { name: 'before vSphere 7', flags: ['--mode', 'pre-copy', '--trace', 'all-vcpus', '--bitmap', 'raw'] },
  {
    name: 'compacted bitmap alone',
    flags: ['--mode', 'pre-copy', '--trace', 'all-vcpus', '--bitmap', 'compacted'],
  },
  {
    name: 'dedicated tracer alone',
    flags: ['--mode', 'pre-copy', '--trace', 'dedicated', '--bitmap', 'raw'],
  },
  { name: 'vSphere 7', flags: ['--mode', 'pre-copy', '--trace', 'dedicated', '--bitmap', 'compacted'] },
  { name: 'hybrid', flags: ['--mode', 'hybrid', '--trace', 'dedicated', '--bitmap', 'compacted'] },
];

interface Metric {
  readonly name: string;
  readonly of: (report: MigrationReport) => number;
  readonly format: (value: number) => string;
}

/** Parts of the stun that are neither the network nor the wait for pages: what this program itself costs. */
export function ownStunMs({ stun: { parts } }: MigrationReport): number {
  return (
    parts.parkMs + parts.harvestMs + parts.compactionMs + parts.sendMs + parts.validationMs + parts.resumeMs
  );
}

const metrics: readonly Metric[] = [
  { name: 'stun', of: ({ stun }) => stun.stunMs, format: formatMs },
  { name: "guest's own gap", of: ({ stun }) => stun.guestGapMs, format: formatMs },
  { name: 'stun: last harvest', of: ({ stun }) => stun.parts.harvestMs, format: formatMs },
  { name: 'stun: encode the bitmap', of: ({ stun }) => stun.parts.compactionMs, format: formatMs },
  { name: 'stun: place pages', of: ({ stun }) => stun.parts.placementMs, format: formatMs },
  { name: 'stun: parts of our own', of: ownStunMs, format: formatMs },
  { name: 'trace install', of: ({ trace }) => trace.installMs, format: formatMs },
  { name: 'vCPUs stopped to trace', of: ({ trace }) => trace.stoppedMs, format: formatMs },
  { name: 'longest stop to trace', of: ({ trace }) => trace.longestStopMs, format: formatMs },
  { name: 'longest guest stall before', of: ({ trace }) => trace.longestVcpuPauseMs, format: formatMs },
  {
    name: 'throughput while copying',
    of: ({ guestCost }) => guestCost.duringPagesPerSecond ?? NaN,
    format: (value) => `${formatCount(value)} pages/s`,
  },
  { name: 'bitmap on the wire', of: ({ bitmap }) => bitmap.sentBytes, format: formatBytes },
  { name: 'bytes on the wire', of: ({ bytes }) => bytes.total, format: formatBytes },
  { name: 'rounds', of: ({ rounds }) => rounds.length, format: formatCount },
  { name: 'total time', of: ({ totalMs }) => totalMs, format: formatMs },
];

export interface Spread {
  readonly median: number;
  readonly lowerQuartile: number;
  readonly upperQuartile: number;
}

/** Quartiles by linear interpolation (the usual type 7). */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b);
  const at = (share: number): number => {
    const position = share * (sorted.length - 1);
    const below = sorted[Math.floor(position)] ?? NaN;
    return below + (position % 1) * ((sorted[Math.ceil(position)] ?? below) - below);
  };
  return { median: at(0.5), lowerQuartile: at(0.25), upperQuartile: at(0.75) };
}

export interface ComparisonRow {
  readonly metric: string;
  /** One for each setting, in order; `ratio` is its median against the first setting's, null where that is 0. */
  readonly cells: readonly (Spread & { readonly ratio: number | null; readonly text: string })[];
}

/** What was measured: the reports of each setting's runs, in the order of `settings`. */
export interface Comparison {
  readonly settings: readonly Setting[];
  readonly runs: number;
  readonly rows: readonly ComparisonRow[];
}

/** Compares; every setting has at least one report. */
export function compareReports(
  settings: readonly Setting[],
  reports: readonly (readonly MigrationReport[])[],
): Comparison {
  const rows = metrics.map(({ name, of, format }): ComparisonRow => {
    const spreads = reports.map((ofSetting) => spreadOf(ofSetting.map(of)));
    const first = spreads[0]?.median ?? 0;
    return {
      metric: name,
      cells: spreads.map((spread) => ({
        ...spread,
        ratio: first === 0 ? null : spread.median / first,
        text: format(spread.median),
      })),
    };
  });
  return { settings, runs: reports[0]?.length ?? 0, rows };
}

/** The comparison as a table: medians, and how they stand to the first setting's. */
export function renderComparison({ settings, runs, rows }: Comparison): string {
  const header = [`median of ${runs}`, ...settings.map(({ name }) => name)];
  const body = rows.map(({ metric, cells }) => [
    metric,
    ...cells.map(({ text, ratio }, index) =>
      index === 0 || ratio === null ? text : `${text} (×${ratio.toFixed(2)})`,
    ),
  ]);
  const widths = header.map((_, column) => Math.max(...[header, ...body].map((row) => row[column]!.length)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, column) => (column === 0 ? cell.padEnd(widths[0]!) : cell.padStart(widths[column]!)))
      .join('  ');
  return [line(header), widths.map((width) => '─'.repeat(width)).join('  '), ...body.map(line)].join('\n');
}
