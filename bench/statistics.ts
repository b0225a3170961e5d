// Medians and quantiles of repeated measurements, and how they are written in a table.
// Pure; knows nothing of what was measured.

import { medianOf } from '../src/shared/quantile.js';

export function median(values: readonly number[]): number {
  return medianOf(values) ?? nothing();
}

/** Of values in order, one that was measured, however few there are. */
export function quantileOfSorted(sorted: readonly number[], share: number): number {
  return sorted[Math.max(0, Math.min(sorted.length - 1, Math.ceil(share * sorted.length) - 1))] ?? nothing();
}

export { medianOf };

function nothing(): never {
  throw new Error('a quantile of nothing');
}

/** Rows as aligned columns: the first to the left, the others to the right. */
export function table(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const all = [head, ...rows];
  const widths = head.map((_, column) => Math.max(...all.map((row) => (row[column] ?? '').length)));
  return all
    .map((row) =>
      row
        .map((cell, column) => (column === 0 ? cell.padEnd(widths[column]!) : cell.padStart(widths[column]!)))
        .join('  '),
    )
    .map((line) => `  ${line}`.trimEnd())
    .join('\n');
}
