// The cells of the bitmap as SVG paths, a cell being a square of 1: one path a shade, and the lines between cells.
// Pure; knows cells and shades.
import { gapBefore, type Cells, type DirtyUnits } from './cells.js';
import { DARKEST, shadeBounds, shadeOf } from './shades.js';

export interface Shapes {
  readonly rows: number;
  /** The `d` of each shade's path; empty where no cell has it. */
  readonly shades: readonly string[];
  /** What parts cells. In the order of dirty units, those that follow each other in memory are not parted. */
  readonly lines: string;
  /** Where the order of dirty units leaves out clean ones. */
  readonly gaps: string;
}

export function shapesOf(of: DirtyUnits, cells: Cells): Shapes {
  const { columns, counts, view } = cells;
  const rows = Math.ceil(counts.length / columns);
  const bounds = shadeBounds(counts);
  const shades = Array<string>(DARKEST + 1).fill('');
  for (let row = 0; row < rows; row++) {
    const end = Math.min(columns, counts.length - row * columns);
    for (let column = 0; column < end;) {
      const shade = shadeOf(counts[row * columns + column]!, bounds);
      let next = column + 1;
      while (next < end && shadeOf(counts[row * columns + next]!, bounds) === shade) next++;
      shades[shade]! += `M${column} ${row}h${next - column}v1h${column - next}z`;
      column = next;
    }
  }
  const across = steps(rows + 1, (row) => `M0 ${row}h${columns}`);
  return view.order === 'memory'
    ? { rows, shades, lines: across + steps(columns + 1, (column) => `M${column} 0v${rows}`), gaps: '' }
    : { rows, shades, lines: across, gaps: gapsOf(of, cells) };
}

/** Cells from one to another, row by row. */
export function outlineOf({ columns }: Cells, first: number, last: number): string {
  let path = '';
  for (let row = Math.floor(first / columns); row <= Math.floor(last / columns); row++) {
    const from = Math.max(first - row * columns, 0);
    const to = Math.min(last - row * columns, columns - 1) + 1;
    path += `M${from} ${row}h${to - from}v1h${from - to}z`;
  }
  return path;
}

function gapsOf(of: DirtyUnits, { view, placesPerCell, columns, counts }: Cells): string {
  return counts
    .map((_, cell) =>
      gapBefore(of, view.from + cell * placesPerCell) > 0
        ? `M${cell % columns} ${Math.floor(cell / columns)}v1`
        : '',
    )
    .join('');
}

function steps(count: number, path: (step: number) => string): string {
  return Array.from({ length: count }, (_, step) => path(step)).join('');
}
