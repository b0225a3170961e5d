// The bitmap in words: addresses, sizes, what a cell is and what is in it.
// Pure; the page and its script say the same.
import {
  dirtyUnitsWithin,
  gapBefore,
  pagesOf,
  placesOf,
  spanOf,
  type Cells,
  type DirtyUnits,
  type Span,
  type View,
} from './cells.js';
import { extremesOf, shadeBounds, shadeOf } from './shades.js';

const UNITS = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];

export function countText(count: number): string {
  return count.toLocaleString('en-US', { maximumFractionDigits: 0 });
}

export function regionsText(count: number): string {
  return `${countText(count)} ${count === 1 ? 'region' : 'regions'}`;
}

/** As few digits as it takes, two behind the point at the most: "8 GiB", "1.5 TiB". */
export function sizeText(bytes: number): string {
  const unit = bytes < 1 ? 0 : Math.min(UNITS.length - 1, Math.floor(Math.log2(bytes) / 10));
  const value = bytes / 1024 ** unit;
  return `${value.toLocaleString('en-US', { maximumFractionDigits: 2 })}\u00a0${UNITS[unit]}`;
}

function addressText(bytes: number): string {
  return `0x${bytes.toString(16)}`;
}

/** The first byte and the last. */
export function rangeText({ unitBytes, unitPages, pages }: DirtyUnits, { from, to }: Span): string {
  const end = Math.min(to * unitBytes, pages * (unitBytes / unitPages));
  return `${addressText(from * unitBytes)}–${addressText(Math.max(from * unitBytes, end - 1))}`;
}

/** What a stretch is called in the trail of those before it. */
export function viewName(of: DirtyUnits, view: View): string {
  if (view.order === 'dirty') {
    const regions = regionsText((view.to - view.from) * of.unitRegions);
    return view.from === 0 ? regions : `${regions} from ${addressText(of.at[view.from]! * of.unitBytes)}`;
  }
  const size = sizeText(pagesOf(of, view) * (of.unitBytes / of.unitPages));
  return view.from === 0 ? size : `${size} at ${addressText(view.from * of.unitBytes)}`;
}

/** What a cell stands for, and a row of them. */
export function scaleText(of: DirtyUnits, { placesPerCell, columns, counts, view }: Cells): string {
  const regions = placesPerCell * of.unitRegions;
  const size = sizeText(placesPerCell * of.unitBytes);
  if (view.order === 'dirty')
    return regions === 1
      ? 'A cell is a dirty region of 2\u00a0MiB; a line is where clean memory lies between two.'
      : `A cell is ${countText(regions)} dirty regions; a line is where clean memory lies before one.`;
  const cell = regions === 1 ? `a region of ${size}` : `${size}, ${countText(regions)} regions`;
  const row = counts.length > columns ? `, a row ${sizeText(columns * placesPerCell * of.unitBytes)}` : '';
  return `A cell is ${cell}${row}.`;
}

/** What is in a cell, and where that is. */
export function cellText(of: DirtyUnits, cells: Cells, cell: number): string {
  const dirty = cells.counts[cell];
  if (dirty === undefined) return '';
  const places = placesOf(cells, cell);
  const span = spanOf(of, places);
  const within = dirtyUnitsWithin(of, places) * of.unitRegions;
  const regions =
    of.unitRegions === 1 && cells.placesPerCell > 1 && within > 0 ? `, in ${regionsText(within)}` : '';
  const gap = cells.view.order === 'dirty' ? gapBefore(of, places.from) : 0;
  const after = gap > 0 ? `, behind ${sizeText(gap * of.unitBytes)} of clean memory` : '';
  return (
    `${rangeText(of, span)}${span.from === 0 ? '' : `, at ${sizeText(span.from * of.unitBytes)}`}: ` +
    `${countText(dirty)} of ${countText(pagesOf(of, places))} pages dirty${regions}${after}`
  );
}

export interface NamedShade {
  readonly shade: number;
  readonly name: string;
}

/** The shades in use, the lightest first, by how many pages they stand for. */
export function namedShades(counts: readonly number[]): NamedShade[] {
  const bounds = shadeBounds(counts);
  const named: NamedShade[] = counts.includes(0) ? [{ shade: 0, name: 'clean' }] : [];
  let from = extremesOf(counts).least;
  for (const [index, bound] of bounds.entries()) {
    const range = from === bound ? countText(bound) : `${countText(from)}–${countText(bound)}`;
    const unit = index < bounds.length - 1 ? '' : bound === 1 ? ' page' : ' pages';
    named.push({ shade: shadeOf(bound, bounds), name: range + unit });
    from = bound + 1;
  }
  return named;
}
