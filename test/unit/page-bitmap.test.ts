import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { bitCount32, PageBitmap, PAGES_MAX } from '../../src/shared/memory/page-bitmap.js';

/** A guest's size, a set of its pages, and a region [from, end) of it. */
const setsAndRegions = fc
  .oneof(fc.integer({ min: 1, max: 130 }), fc.constantFrom(31, 32, 33, 63, 64, 65, 513, 1025))
  .chain((pageCount) =>
    fc.record({
      pageCount: fc.constant(pageCount),
      // Runs and holes of any length, as claims page by page.
      members: fc
        .array(fc.tuple(fc.boolean(), fc.integer({ min: 1, max: 40 })), { maxLength: 60 })
        .map((stretches) =>
          stretches
            .flatMap(([isMember, pages]) => Array<boolean>(pages).fill(isMember))
            .slice(0, pageCount)
            .concat(Array<boolean>(pageCount).fill(false))
            .slice(0, pageCount),
        ),
      from: fc.nat({ max: pageCount + 2 }),
      end: fc.nat({ max: pageCount }),
    }),
  );

function bitmapOf(members: readonly boolean[]): PageBitmap {
  const bitmap = new PageBitmap(members.length);
  members.forEach((isMember, page) => {
    if (isMember) bitmap.add(page);
  });
  return bitmap;
}

function naiveNextRun(members: readonly boolean[], from: number, end: number): [number, number] | undefined {
  let first = from;
  while (first < end && !members[first]) first++;
  if (first >= end) return undefined;
  let pastLast = first;
  while (pastLast < end && members[pastLast]) pastLast++;
  return [first, pastLast];
}

describe('a page bitmap', () => {
  it('fills exactly its pages', () => {
    for (const pageCount of [1, 31, 32, 33, 64, 1000]) {
      const bitmap = new PageBitmap(pageCount);
      bitmap.fill();
      expect(bitmap.count()).toBe(pageCount);
      expect(bitmap.nextRun(0)).toEqual([0, pageCount]);
    }
  });

  it('counts its edges: the pages that differ from the one before, and the end of a last run', () => {
    fc.assert(
      fc.property(setsAndRegions, ({ members }) => {
        const edges = [...members, false].filter(
          (isMember, page) => isMember !== (members[page - 1] ?? false),
        );
        expect(bitmapOf(members).edgeCount()).toBe(edges.length);
      }),
    );
  });

  it('is empty when it is made and after it was cleared', () => {
    const bitmap = new PageBitmap(1025);
    expect(bitmap.count()).toBe(0);
    expect(bitmap.nextRun(0)).toBeUndefined();
    bitmap.fill();
    bitmap.clear();
    expect(bitmap.count()).toBe(0);
    expect(bitmap.nextRun(0)).toBeUndefined();
  });

  it('has the pages that were added, counts each once, and no other', () => {
    fc.assert(
      fc.property(setsAndRegions, ({ members }) => {
        const bitmap = bitmapOf(members);
        members.forEach((isMember, page) => {
          if (isMember) bitmap.add(page);
          expect(bitmap.has(page)).toBe(isMember);
        });
        expect(bitmap.count()).toBe(members.filter(Boolean).length);
      }),
    );
  });

  it('finds the next run in any region as a walk page by page does', () => {
    fc.assert(
      fc.property(setsAndRegions, ({ members, from, end }) => {
        expect(bitmapOf(members).nextRun(from, end)).toEqual(naiveNextRun(members, from, end));
      }),
      { numRuns: 1000 },
    );
  });

  it('goes up to its last page when no end is given', () => {
    fc.assert(
      fc.property(setsAndRegions, ({ pageCount, members, from }) => {
        expect(bitmapOf(members).nextRun(from)).toEqual(naiveNextRun(members, from, pageCount));
      }),
    );
  });

  it('is covered by its runs: walked one after the other they hold each page once', () => {
    fc.assert(
      fc.property(setsAndRegions, ({ members }) => {
        const bitmap = bitmapOf(members);
        const covered = members.map(() => false);
        for (let run = bitmap.nextRun(0); run !== undefined; run = bitmap.nextRun(run[1])) {
          expect(run[0]).toBeLessThan(run[1]);
          covered.fill(true, ...run);
        }
        expect(covered).toEqual(members);
      }),
    );
  });

  it('finds its pages up to the last there can be, and refuses more', () => {
    const bitmap = new PageBitmap(PAGES_MAX);
    const pages = [0, 2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 2 ** 30, PAGES_MAX - 33, PAGES_MAX - 1];
    for (const page of pages) bitmap.add(page);
    const found: number[] = [];
    // Not page by page: what is clear in between is 64 million words.
    for (const page of pages) found.push(bitmap.nextSet(Math.max(0, page - 40)));
    expect(found).toEqual([
      0,
      2 ** 20 - 1,
      2 ** 20 - 1,
      2 ** 20 - 1,
      2 ** 30,
      PAGES_MAX - 33,
      PAGES_MAX - 33,
    ]);
    expect(bitmap.nextRun(PAGES_MAX - 32)).toEqual([PAGES_MAX - 1, PAGES_MAX]);
    expect(bitmap.nextClear(PAGES_MAX - 1)).toBe(PAGES_MAX);
    expect(bitmap.nextSet(PAGES_MAX)).toBe(PAGES_MAX);
    expect(bitmap.count()).toBe(pages.length);
    expect(bitmap.edgeCount()).toBe(2 * 5);
    expect(() => new PageBitmap(PAGES_MAX + 1, new Int32Array(1))).toThrow(RangeError);
  });

  it('shares the words that it is given', () => {
    const words = new Int32Array(2);
    const bitmap = new PageBitmap(40, words);
    bitmap.add(31);
    bitmap.add(33);
    expect([...words]).toEqual([-(2 ** 31), 2]);
    words[0] = 1;
    expect(bitmap.has(0)).toBe(true);
    expect(bitmap.has(31)).toBe(false);
  });
});

describe('a bit count', () => {
  it('is the number of ones in the word', () => {
    fc.assert(
      fc.property(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), (word) => {
        expect(bitCount32(word)).toBe((word >>> 0).toString(2).replaceAll('0', '').length);
      }),
    );
    expect(bitCount32(-1)).toBe(32);
    expect(bitCount32(-(2 ** 31))).toBe(1);
  });
});
