// The bitmap cut into cells: all of memory or only its dirty units, from any place to any other, as fine as there is room.
// Pure arithmetic: a page does it for its overview and its script for every look closer. Knows no report and no browser.
import type { DrawnBitmap } from '../islands.js';

/** Closer than to so many places nobody needs to look: that many have room for their numbers. */
export const READABLE_PLACES = 128;

/** A bitmap as it is looked at: units that have dirty pages, in order of address. */
export interface DirtyUnits {
  readonly pages: number;
  readonly unitPages: number;
  readonly unitBytes: number;
  readonly unitRegions: number;
  /** All that the guest has. */
  readonly units: number;
  /** Which have dirty pages, ascending. */
  readonly at: readonly number[];
  /** How many each of these has. */
  readonly dirty: readonly number[];
}

/** What lies side by side: all units, or only those with dirty pages, closed up. */
export type Order = 'memory' | 'dirty';

/** A stretch of places, which are units or dirty units, by their order. */
export interface View {
  readonly order: Order;
  readonly from: number;
  readonly to: number;
}

export interface Cells {
  readonly view: View;
  /** A power of two; the last cell may have fewer. */
  readonly placesPerCell: number;
  readonly columns: number;
  /** Dirty pages of each. */
  readonly counts: readonly number[];
}

/** How many cells there may be, and how much wider than high their grid is to be. */
export interface Room {
  readonly cellsMax: number;
  readonly aspect: number;
}

/** Where the page is wide, and where it is a phone's. */
export const WIDE: Room = { cellsMax: 4096, aspect: 4 };
export const NARROW: Room = { cellsMax: 1024, aspect: 1 };

/** Units from the first to before the last: what a cell or a view is of. */
export interface Span {
  readonly from: number;
  readonly to: number;
}

export function dirtyUnitsOf({ pages, pageBytes, regionPages, unitRegions, dirty }: DrawnBitmap): DirtyUnits {
  const unitPages = unitRegions * regionPages;
  const at: number[] = [];
  const counts: number[] = [];
  let unit = 0;
  for (let pair = 0; pair + 1 < dirty.length; pair += 2) {
    unit += dirty[pair]!;
    at.push(unit);
    counts.push(dirty[pair + 1]!);
  }
  return {
    pages,
    unitPages,
    unitBytes: unitPages * pageBytes,
    unitRegions,
    units: Math.ceil(pages / unitPages),
    at,
    dirty: counts,
  };
}

/** All that there is in an order. */
export function wholeView({ units, at }: DirtyUnits, order: Order): View {
  return { order, from: 0, to: order === 'memory' ? units : at.length };
}

export function cellsOf(of: DirtyUnits, view: View, { cellsMax, aspect }: Room): Cells {
  const places = Math.max(0, view.to - view.from);
  const placesPerCell = 2 ** Math.max(0, Math.ceil(Math.log2(places / cellsMax)));
  const counts = Array<number>(Math.ceil(places / placesPerCell)).fill(0);
  const [first, past] = dirtyWithin(of, view);
  for (let index = first; index < past; index++) {
    const place = view.order === 'memory' ? of.at[index]! : index;
    counts[Math.floor((place - view.from) / placesPerCell)]! += of.dirty[index]!;
  }
  // A power of two: then a row begins at a round address as well.
  const columns = 2 ** Math.max(4, Math.round(Math.log2(Math.sqrt(aspect * counts.length))));
  return { view, placesPerCell, columns, counts };
}

/** The places of the cells from one to another. */
export function placesOf({ view, placesPerCell }: Cells, first: number, last = first): View {
  return {
    order: view.order,
    from: view.from + first * placesPerCell,
    to: Math.min(view.to, view.from + (last + 1) * placesPerCell),
  };
}

/** From the first unit of a stretch to its last: in order of dirty ones, with the gaps between them. */
export function spanOf({ at }: DirtyUnits, { order, from, to }: View): Span {
  if (order === 'memory') return { from, to };
  if (from >= to) return { from: 0, to: 0 };
  return { from: at[from]!, to: at[to - 1]! + 1 };
}

/** Pages of a stretch; gaps that are not drawn do not count. */
export function pagesOf({ pages, unitPages, units, at }: DirtyUnits, { order, from, to }: View): number {
  const last = order === 'memory' ? to - 1 : (at[to - 1] ?? -1);
  const missing = last === units - 1 && to > from ? units * unitPages - pages : 0;
  return (to - from) * unitPages - missing;
}

/** How many units of a stretch have dirty pages. */
export function dirtyUnitsWithin(of: DirtyUnits, view: View): number {
  const [first, past] = dirtyWithin(of, view);
  return past - first;
}

/** Clean units that the order of dirty ones leaves out before a place. */
export function gapBefore({ at }: DirtyUnits, place: number): number {
  const unit = at[place];
  return unit === undefined ? 0 : unit - (place === 0 ? 0 : at[place - 1]! + 1);
}

/**
 * What a look at the cells from one to another shows: their places, or as many about them as are readable at once.
 * Undefined when that is no closer look than the one there is.
 */
export function closerView(cells: Cells, first: number, last = first): View | undefined {
  const { view } = cells;
  const chosen = placesOf(cells, first, last);
  let { from, to } = chosen;
  if (first === last && to - from < READABLE_PLACES) {
    from = Math.max(view.from, Math.floor(from / READABLE_PLACES) * READABLE_PLACES);
    to = Math.min(view.to, (Math.floor(chosen.from / READABLE_PLACES) + 1) * READABLE_PLACES);
  }
  return to - from < view.to - view.from ? { order: view.order, from, to } : undefined;
}

/** The next cell with a dirty page, in either direction; undefined when there is none. */
export function nextDirtyCell({ counts }: Cells, from: number, step: 1 | -1): number | undefined {
  for (let cell = from + step; cell >= 0 && cell < counts.length; cell += step)
    if (counts[cell]! > 0) return cell;
  return undefined;
}

// Indices of the dirty units that lie in a stretch.
function dirtyWithin({ at }: DirtyUnits, { order, from, to }: View): [first: number, past: number] {
  return order === 'dirty' ? [from, to] : [lowerBound(at, from), lowerBound(at, to)];
}

/** The first index whose value is not below `least`. */
function lowerBound(ascending: readonly number[], least: number): number {
  let low = 0;
  let high = ascending.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (ascending[middle]! < least) low = middle + 1;
    else high = middle;
  }
  return low;
}
