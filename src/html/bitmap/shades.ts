// How dark a cell of the bitmap is: by how many of its pages were dirty, in steps that suit what is looked at.
// Pure; colours are browser/colours.css's.

/** The darkest; 0 is clean. */
export const DARKEST = 5;

/**
 * Upper bounds of the shades in use, ascending: from the least that any cell has, which the lowest holds, to the most. By powers
 * of two, whatever a cell stands for: one dirty page of all memory is seen, and so are differences among many.
 */
export function shadeBounds(counts: readonly number[]): number[] {
  const { least, most } = extremesOf(counts);
  if (most === 0) return [];
  const exponent = Math.ceil(Math.log2(most));
  const step = Math.max(1, Math.ceil((exponent - Math.floor(Math.log2(least))) / DARKEST));
  const bounds = Array.from({ length: DARKEST }, (_, below) => 2 ** (exponent - below * step));
  bounds[0] = most;
  return bounds.filter((bound) => bound >= least).reverse();
}

/** The least that a dirty cell has, and the most; 0 where none is dirty. */
export function extremesOf(counts: readonly number[]): { least: number; most: number } {
  let least = Infinity;
  let most = 0;
  for (const count of counts) {
    if (!(count > 0)) continue;
    least = Math.min(least, count);
    most = Math.max(most, count);
  }
  return { least: Math.min(least, most), most };
}

/** Few shades are the dark ones. */
export function shadeOf(count: number, bounds: readonly number[]): number {
  if (!(count > 0)) return 0;
  const index = bounds.findIndex((bound) => count <= bound);
  return DARKEST - bounds.length + 1 + (index === -1 ? bounds.length - 1 : index);
}
