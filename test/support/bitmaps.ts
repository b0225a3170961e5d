// Sets of pages of every shape, as fast-check makes them.
// Knows bitmaps; what is done with them is the tests' business.
import fc from 'fast-check';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';

export const pageCounts = fc.oneof(
  fc.integer({ min: 1, max: 200 }),
  fc.constantFrom(
    1,
    7,
    8,
    9,
    31,
    32,
    33,
    513,
    1025,
    4095,
    4096,
    4097,
    20_000,
    65_535,
    65_536,
    65_537,
    140_001,
  ),
);

/** What a stretch of pages is like: empty, full, one page in so many, all but one in so many, or runs of about so many. */
const stretches = fc.record({
  pages: fc.oneof(
    { weight: 2, arbitrary: fc.integer({ min: 1, max: 300 }) },
    { weight: 2, arbitrary: fc.integer({ min: 120, max: 20_000 }) },
    { weight: 1, arbitrary: fc.constantFrom(4096, 8192, 65_536) },
  ),
  kind: fc.constantFrom('clear', 'set', 'positions', 'holes', 'runs'),
  step: fc.constantFrom(2, 3, 30, 40, 100, 1000),
  seed: fc.nat(),
});

/** Sets of every density: each part of a bitmap is of a kind of its own. */
export const bitmaps = fc
  .record({ pageCount: pageCounts, parts: fc.array(stretches, { maxLength: 12 }) })
  .map(({ pageCount, parts }) => {
    const bitmap = new PageBitmap(pageCount);
    let page = 0;
    for (const { pages, kind, step, seed } of parts) {
      const random = randomFrom(seed);
      let isSet = false;
      for (const end = Math.min(pageCount, page + pages); page < end; page++) {
        const isHit = random() < 1 / step;
        if (isHit) isSet = !isSet;
        if (
          kind === 'set' ||
          (kind === 'positions' && isHit) ||
          (kind === 'holes' && !isHit) ||
          (kind === 'runs' && isSet)
        )
          bitmap.add(page);
      }
    }
    return bitmap;
  });

/** Numbers from 0 to 1 that a seed makes. */
export function randomFrom(seed: number): () => number {
  let state = seed | 1;
  return () => {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    return (state >>> 0) / 2 ** 32;
  };
}

export function bitmapOf(pageCount: number, ...pages: readonly number[]): PageBitmap {
  const bitmap = new PageBitmap(pageCount);
  for (const page of pages) bitmap.add(page);
  return bitmap;
}

export function pagesOf(bitmap: PageBitmap): number[] {
  const pages: number[] = [];
  for (let page = bitmap.nextSet(0); page < bitmap.pageCount; page = bitmap.nextSet(page + 1))
    pages.push(page);
  return pages;
}
