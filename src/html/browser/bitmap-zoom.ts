// Looking closer at the bitmap, and back: by pointer, by keys and by buttons, in all of memory or only what is dirty of it.
// Knows the cells and where the reader looks; how they are drawn is bitmap-drawing.ts's.
import {
  cellsOf,
  closerView,
  dirtyUnitsOf,
  NARROW,
  nextDirtyCell,
  spanOf,
  WIDE,
  wholeView,
  type Cells,
  type DirtyUnits,
  type Order,
  type View,
} from '../bitmap/cells.js';
import { cellText, rangeText, scaleText, viewName } from '../bitmap/texts.js';
import type { DrawnBitmap } from '../islands.js';
import { BitmapDrawing } from './bitmap-drawing.js';
import { elementOf } from './elements.js';

const WIDE_PX = 640;

export class BitmapZoom {
  readonly #of: DirtyUnits;
  readonly #drawing = new BitmapDrawing();
  readonly #grid = elementOf('bitmap-grid');
  readonly #controls = elementOf('bitmap-zoom');
  /** What is shown, and within what: the widest view first. */
  #trail: [View, ...View[]];
  #cells: Cells;
  /** The cell that keys and buttons mean. */
  #cursor: number | undefined;
  /** Where the pointer went down. */
  #pressed: number | undefined;

  constructor(bitmap: DrawnBitmap) {
    this.#of = dirtyUnitsOf(bitmap);
    this.#trail = [wholeView(this.#of, 'memory')];
    this.#cells = this.#cut();
    this.#controls.hidden = false;
    this.#grid.setAttribute('role', 'application');
    this.#grid.setAttribute('tabindex', '0');
    this.#grid.setAttribute(
      'aria-label',
      'Dirty pages by their place in memory. Arrow keys go from cell to cell, Page Up and Page Down to dirty ones; Enter looks closer, Escape goes back.',
    );
    this.#listen();
    this.#show();
  }

  #listen(): void {
    const grid = this.#grid;
    grid.addEventListener('pointermove', (event) => {
      this.#pointAt(event);
    });
    grid.addEventListener('pointerleave', () => {
      if (this.#pressed === undefined) this.#moveTo(undefined);
    });
    grid.addEventListener('pointerdown', (event) => {
      if (event.button !== 0) return;
      this.#pressed = this.#drawing.cellAt(event.clientX, event.clientY);
      // A finger that moves scrolls the page.
      if (event.pointerType !== 'touch') grid.setPointerCapture(event.pointerId);
    });
    grid.addEventListener('pointerup', (event) => {
      const first = this.#pressed;
      const last = this.#drawing.cellAt(event.clientX, event.clientY) ?? this.#cursor;
      this.#pressed = undefined;
      if (first !== undefined && last !== undefined) this.#lookCloser(first, last);
    });
    grid.addEventListener('pointercancel', () => {
      this.#pressed = undefined;
      this.#moveTo(undefined);
    });
    grid.addEventListener('keydown', (event) => {
      if (this.#key(event.key)) event.preventDefault();
    });
    this.#controls.addEventListener('keydown', (event) => {
      if (event.key === 'Escape') this.#goBack(1);
    });
    this.#controls.addEventListener('click', (event) => {
      const button = event.target instanceof Element ? event.target.closest('button') : null;
      if (button !== null) this.#press(button.dataset);
    });
    let isWide = this.#isWide;
    let width = this.#drawing.width;
    new ResizeObserver(() => {
      if (this.#drawing.width === width) return;
      width = this.#drawing.width;
      // Where there is less room the cells are others; else only their numbers are.
      if (this.#isWide !== isWide) this.#cursor = undefined;
      isWide = this.#isWide;
      this.#show();
    }).observe(grid);
  }

  get #isWide(): boolean {
    return this.#drawing.width >= WIDE_PX;
  }

  get #view(): View {
    return this.#trail.at(-1) ?? this.#trail[0];
  }

  #cut(): Cells {
    return cellsOf(this.#of, this.#view, this.#isWide ? WIDE : NARROW);
  }

  #pointAt({ clientX, clientY }: PointerEvent): void {
    const cell = this.#drawing.cellAt(clientX, clientY);
    if (cell === undefined) return;
    this.#moveTo(cell);
    if (this.#pressed !== undefined) this.#drawing.outline(this.#pressed, cell);
  }

  #press({ order, action, step }: DOMStringMap): void {
    if (order === 'memory' || order === 'dirty') this.#changeOrder(order);
    else if (step !== undefined) this.#goBack(this.#trail.length - 1 - Number(step));
    else if (action === 'previous') this.#toDirty(-1);
    else if (action === 'next') this.#toDirty(1);
    else if (action === 'out') this.#goBack(1);
    else if (action === 'in') this.#lookCloserAtCursor();
  }

  /** Whether the key means something here. */
  #key(key: string): boolean {
    const { columns, counts } = this.#cells;
    const at = this.#cursor ?? 0;
    const last = counts.length - 1;
    const goals: Readonly<Record<string, number>> = {
      ArrowLeft: at - 1,
      ArrowRight: at + 1,
      ArrowUp: at - columns,
      ArrowDown: at + columns,
      Home: 0,
      End: last,
    };
    const goal = goals[key];
    if (goal !== undefined) this.#moveTo(goal >= 0 && goal <= last ? goal : at);
    else if (key === 'PageUp') this.#toDirty(-1);
    else if (key === 'PageDown') this.#toDirty(1);
    else if (key === 'Enter' || key === ' ') this.#lookCloserAtCursor();
    else if (key === 'Escape' && this.#trail.length > 1) this.#goBack(1);
    else return false;
    return true;
  }

  #toDirty(step: 1 | -1): void {
    const from = this.#cursor ?? (step === 1 ? -1 : this.#cells.counts.length);
    this.#moveTo(nextDirtyCell(this.#cells, from, step) ?? this.#cursor);
  }

  #moveTo(cell: number | undefined): void {
    this.#cursor = cell;
    this.#drawing.outline(cell);
    elementOf('bitmap-cell').textContent = cell === undefined ? '' : cellText(this.#of, this.#cells, cell);
  }

  #lookCloserAtCursor(): void {
    const cell = this.#cursor ?? nextDirtyCell(this.#cells, -1, 1);
    if (cell !== undefined) this.#lookCloser(cell, cell);
  }

  #lookCloser(first: number, last: number): void {
    const view = closerView(this.#cells, Math.min(first, last), Math.max(first, last));
    if (view === undefined) {
      this.#moveTo(last);
      return;
    }
    this.#trail.push(view);
    this.#cursor = undefined;
    this.#show();
  }

  #goBack(steps: number): void {
    const { from } = this.#view;
    const [first, ...closer] = this.#trail;
    const left = this.#trail.length - 1 - steps;
    if (steps < 1 || left < 0) return;
    this.#trail = [first, ...closer.slice(0, left)];
    this.#cursor = undefined;
    this.#show();
    // Where one came from.
    this.#moveTo(Math.floor((from - this.#view.from) / this.#cells.placesPerCell));
  }

  #changeOrder(order: Order): void {
    if (order === this.#view.order) return;
    this.#trail = [wholeView(this.#of, order)];
    this.#cursor = undefined;
    this.#show();
  }

  #show(): void {
    const of = this.#of;
    this.#cells = this.#cut();
    this.#drawing.draw(of, this.#cells);
    this.#moveTo(this.#cursor);
    elementOf('bitmap-scale').textContent = scaleText(of, this.#cells);
    elementOf('bitmap-range').textContent = rangeText(of, spanOf(of, this.#view));
    for (const button of this.#controls.querySelectorAll<HTMLButtonElement>('[data-order]'))
      button.setAttribute('aria-pressed', String(button.dataset['order'] === this.#view.order));
    // Focus that was in the trail would be lost with it.
    const trail = elementOf('bitmap-trail');
    const hadFocus = trail.contains(document.activeElement);
    trail.replaceChildren(...this.#trail.map((view, step) => this.#stepOf(view, step)));
    if (hadFocus) trail.querySelector<HTMLElement>('li:last-child > button')?.focus();
  }

  #stepOf(view: View, step: number): HTMLElement {
    const button = document.createElement('button');
    button.type = 'button';
    button.dataset['step'] = String(step);
    button.textContent = viewName(this.#of, view);
    if (view === this.#view) button.setAttribute('aria-current', 'location');
    const item = document.createElement('li');
    item.append(button);
    return item;
  }
}
