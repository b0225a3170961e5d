// The bitmap's drawing in the page: puts cells, their numbers where there is room, and what is pointed at into its SVG.
// Knows cells; what the reader does is bitmap-zoom.ts's.
import { closerView, type Cells, type DirtyUnits } from '../bitmap/cells.js';
import { extremesOf, shadeBounds, shadeOf } from '../bitmap/shades.js';
import { outlineOf, shapesOf } from '../bitmap/shapes.js';
import { countText, namedShades } from '../bitmap/texts.js';
import { elementOf } from './elements.js';

/** A cell that is so wide has room for a number of three digits. */
const NUMBERED_CELL_PX = 18;
const DIGITS_PX_MAX = 12;

export class BitmapDrawing {
  readonly #grid = elementOf('bitmap-grid');
  readonly #shades = elementOf('bitmap-shades');
  readonly #outline = shape('path', 'grid-outline');
  #cells: Cells | undefined;

  get width(): number {
    return this.#grid.clientWidth;
  }

  draw(of: DirtyUnits, cells: Cells): void {
    this.#cells = cells;
    const { rows, shades, lines, gaps } = shapesOf(of, cells);
    const parts = shades.map((path, shade) => shape('path', `shade-${shade}`, { d: path }));
    const bounds = shadeBounds(cells.counts);
    this.#grid.setAttribute('viewBox', `0 0 ${cells.columns} ${Math.max(1, rows)}`);
    this.#grid.replaceChildren(
      ...parts,
      shape('path', 'grid-lines', { d: lines }),
      shape('path', 'grid-breaks', { d: gaps }),
      shape('path', 'grid-gaps', { d: gaps }),
      ...this.#numbers(cells, bounds),
      this.#outline,
    );
    this.#outline.setAttribute('d', '');
    this.#grid.classList.toggle('is-closest', closerView(cells, 0) === undefined);
    this.#shades.replaceChildren(
      ...namedShades(cells.counts).map(({ shade, name }) => {
        const swatch = document.createElement('i');
        swatch.className = `swatch shade-${shade}`;
        const item = document.createElement('li');
        item.append(swatch, name);
        return item;
      }),
    );
  }

  /** Draws a line around the cells from one to another, or around none. */
  outline(first: number | undefined, last = first): void {
    const cells = this.#cells;
    if (cells === undefined) return;
    const path =
      first === undefined || last === undefined
        ? ''
        : outlineOf(cells, Math.min(first, last), Math.max(first, last));
    this.#outline.setAttribute('d', path);
  }

  /** The cell at a place in the window; undefined where there is none. */
  cellAt(x: number, y: number): number | undefined {
    const cells = this.#cells;
    if (cells === undefined) return undefined;
    const { columns, counts } = cells;
    const box = this.#grid.getBoundingClientRect();
    const rows = Math.ceil(counts.length / columns);
    const column = Math.floor(((x - box.left) / box.width) * columns);
    const row = Math.floor(((y - box.top) / box.height) * rows);
    const cell = row * columns + column;
    return column >= 0 && column < columns && row >= 0 && cell < counts.length ? cell : undefined;
  }

  #numbers({ counts, columns }: Cells, bounds: readonly number[]): SVGElement[] {
    const cellPx = this.width / columns;
    if (cellPx < NUMBERED_CELL_PX || extremesOf(counts).most > 999) return [];
    const size = Math.min(DIGITS_PX_MAX, cellPx * 0.45) / cellPx;
    return counts.flatMap((count, cell) => {
      if (count === 0) return [];
      const number = shape('text', `on-shade-${shadeOf(count, bounds)}`, {
        x: String((cell % columns) + 0.5),
        y: String(Math.floor(cell / columns) + 0.5),
        'font-size': String(size),
      });
      number.textContent = countText(count);
      return [number];
    });
  }
}

function shape(
  name: 'path' | 'text',
  className: string,
  attributes: Readonly<Record<string, string>> = {},
): SVGElement {
  const element = document.createElementNS('http://www.w3.org/2000/svg', name);
  element.setAttribute('class', className);
  for (const [attribute, value] of Object.entries(attributes)) element.setAttribute(attribute, value);
  return element;
}
