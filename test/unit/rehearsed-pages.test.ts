import { describe, expect, it } from 'vitest';
import { BITMAP_HEADER_BYTES, compact, rawBitmapBytes } from '../../src/shared/memory/compacted-bitmap.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { REHEARSED_PAGES, rehearsedPages } from '../../src/shared/memory/rehearsed-pages.js';
import { Kind } from '../support/naive-packing.js';

/** The kinds of the leaves of a bitmap of one node of sixteen. */
function kindsOf(bitmap: PageBitmap): Set<number> {
  const form = Buffer.from(compact(bitmap)).subarray(BITMAP_HEADER_BYTES);
  expect(form[0]).toBe(Kind.SPLIT);
  const kindAt = (at: number, nth: number): number => Math.floor(form.readUIntLE(at, 6) / 8 ** nth) & 7;
  expect(kindAt(1, 0)).toBe(Kind.SPLIT);
  return new Set(Array.from({ length: 15 }, (_, nth) => kindAt(7, nth)));
}

const every = new Set([Kind.CLEAR, Kind.SET, Kind.RAW, Kind.POSITIONS, Kind.HOLES, Kind.RUNS]);

describe('the pages of a rehearsal', () => {
  const pages = rehearsedPages();

  it('are packed: a raw bitmap would rehearse other code', () => {
    expect(compact(pages).length).toBeLessThan(rawBitmapBytes(REHEARSED_PAGES) / 2);
  });

  it('have a leaf of every kind', () => {
    expect(kindsOf(pages)).toEqual(every);
  });

  it('have one in their second half, which is what is dirtied last', () => {
    const late = new PageBitmap(REHEARSED_PAGES);
    const from = REHEARSED_PAGES / 2;
    for (let page = pages.nextSet(from); page < REHEARSED_PAGES; page = pages.nextSet(page + 1))
      late.add(page);
    expect(kindsOf(late)).toEqual(every);
  });
});
