// How dark a cell of the bitmap is: by how many of its pages were dirty, in steps that suit what is looked at.
// Pure; colours are browser/colours.css's.

/** The darkest; 0 is clean. */
export const DARKEST = 5;

/**
 * Upper bounds of the shades in use, where `most` is the highest count, ascending by a power of two each. The lowest holds a single
 * page and the highest `most`, whatever a cell stands for: one dirty page of all memory is seen.
 */
export function shadeBounds(most: number): number[] {
  if (!(most >= 1)) return [];
  const exponent = Math.ceil(Math.log2(most));
  const step = Math.max(1, Math.ceil(exponent / DARKEST));
  const bounds = Array.from({ length: DARKEST }, (_, below) => 2 ** (exponent - below * step));
  bounds[0] = most;
  return bounds.filter((bound) => bound >= 1).reverse();
}

export function highest(counts: readonly number[]): number {
  return counts.reduce((one, other) => Math.max(one, other), 0);
}

/** Few shades are the dark ones. */
export function shadeOf(count: number, bounds: readonly number[]): number {
  if (!(count > 0)) return 0;
  const index = bounds.findIndex((bound) => count <= bound);
  return DARKEST - bounds.length + 1 + (index === -1 ? bounds.length - 1 : index);
}
