// Samples of several guests on one time axis, as lines that end where nothing was sampled.
// Pure; numbers only.

/** What was measured between each two instants, at the later one. */
export interface SampledLine {
  readonly atMs: readonly number[];
  readonly values: readonly number[];
}

/** A pause so many times as long as the usual one, and no shorter than this, is a gap: nothing is drawn across it. */
const GAP_FACTOR = 8;
const GAP_MS_MIN = 100;

/**
 * All instants of `lines` and `edges` in order, with the values of each line there: what was measured across the instant,
 * and null where nothing was. In each gap there is an instant, so that no line crosses it.
 */
export function onOneAxis(
  lines: readonly SampledLine[],
  edges: readonly number[],
): { readonly x: readonly number[]; readonly columns: readonly (readonly (number | null)[])[] } {
  const gaps = lines.map(gapMsOf);
  const instants = new Set([...edges]);
  for (const [line, { atMs }] of lines.entries()) {
    for (const [row, at] of atMs.entries()) {
      const before = atMs[row - 1];
      if (before !== undefined && at - before > gaps[line]!) instants.add((before + at) / 2);
      instants.add(at);
    }
  }
  const x = [...instants].sort((one, other) => one - other);
  return { x, columns: lines.map((line, at) => columnOf(x, line, gaps[at]!)) };
}

function columnOf(x: readonly number[], { atMs, values }: SampledLine, gapMs: number): (number | null)[] {
  let row = 0;
  return x.map((at) => {
    while (row < atMs.length && atMs[row]! < at) row++;
    const next = atMs[row];
    if (next === undefined) return null;
    const before = atMs[row - 1];
    const isSampled = next === at || (before !== undefined && next - before <= gapMs);
    return isSampled ? (values[row] ?? null) : null;
  });
}

function gapMsOf({ atMs }: SampledLine): number {
  const pauses = atMs
    .slice(1)
    .map((at, row) => at - atMs[row]!)
    .sort((one, other) => one - other);
  return Math.max(GAP_MS_MIN, GAP_FACTOR * (pauses[pauses.length >> 1] ?? 0));
}
