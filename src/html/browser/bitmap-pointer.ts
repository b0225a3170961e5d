// Says what lies under the pointer in the drawing of the bitmap.
// Knows the drawing's cells; the drawing itself is SVG in the page.
import type { BitmapCells } from '../islands.js';
import { elementOf } from './elements.js';
import { formatWhole } from './formats.js';

const REGION_MEBIBYTES = 2;

export function watchBitmap(cells: BitmapCells): void {
  const grid = elementOf('bitmap-grid');
  const output = elementOf('bitmap-cell');
  grid.addEventListener('pointermove', (event) => {
    const box = grid.getBoundingClientRect();
    output.textContent = cellText(
      cells,
      (event.clientX - box.left) / box.width,
      (event.clientY - box.top) / box.height,
    );
  });
  grid.addEventListener('pointerleave', () => {
    output.textContent = '';
  });
}

/** `x` and `y` are shares of the drawing's width and height. Where there is no cell there is nothing to say. */
export function cellText(
  { columns, counts, regionsPerCell, pagesPerCell }: BitmapCells,
  x: number,
  y: number,
): string {
  const rows = Math.ceil(counts.length / columns);
  const cell = Math.floor(y * rows) * columns + Math.floor(x * columns);
  const dirty = counts[cell];
  if (dirty === undefined) return '';
  const mebibytes = cell * regionsPerCell * REGION_MEBIBYTES;
  return `at ${formatWhole(mebibytes)} MiB: ${formatWhole(dirty)} of ${formatWhole(pagesPerCell)} pages dirty`;
}
