// Quantiles of a few values.
// Pure; knows nothing of what was measured.

/** By linear interpolation between the two nearest values (the usual type 7); null where there is no value. */
export function quantileOf(values: readonly number[], share: number): number | null {
  const sorted = [...values].sort((one, other) => one - other);
  const position = share * (sorted.length - 1);
  const below = sorted[Math.floor(position)];
  if (below === undefined) return null;
  return below + (position % 1) * ((sorted[Math.ceil(position)] ?? below) - below);
}

export function medianOf(values: readonly number[]): number | null {
  return quantileOf(values, 0.5);
}
