// A comparison as a table for a spreadsheet: one row a run, in the order of the settings.
// Pure; RFC 4180 with plain line ends, figures in the units that the header names.
import type { Comparison } from './comparison.js';

/** One row for each run that took place: what it was, how it ended, and each figure; empty where a run did not measure it. */
export function comparisonCsv({ settings, runs, rows }: Comparison): string {
  const header = ['setting', 'flags', 'run', 'outcome', 'status', 'error', ...rows.map(({ id }) => id)];
  const lines = settings.flatMap(({ name, flags, failures }, at) =>
    Array.from({ length: runs }, (_, run) => {
      const failure = failures.find((one) => one.run === run);
      const figures = rows.map(({ cells }) => cells[at]?.values[run] ?? null);
      if (failure === undefined && figures.every((figure) => figure === null)) return [];
      const end = failure === undefined ? ['completed', 0, ''] : ['failed', failure.status, failure.message];
      return [[name, flags.join(' '), run + 1, ...end, ...figures]];
    }).flat(),
  );
  return [header, ...lines].map((cells) => cells.map(cellOf).join(',')).join('\n') + '\n';
}

// A spreadsheet takes what begins with one of these for a formula; a message of a peer must not be one.
function cellOf(value: string | number | null): string {
  if (value === null) return '';
  if (typeof value === 'number') return String(value);
  const text = /^[=+@\t\r]/.test(value) ? `'${value}` : value;
  return /[",\r\n]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text;
}
