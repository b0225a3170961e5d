import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  BITMAP_HEADER_BYTES,
  BitmapError,
  compact,
  encodeBitmap,
  encodeRaw,
  expand,
  rawBitmapBytes,
} from '../../src/shared/memory/compacted-bitmap.js';
import { PageBitmap, PAGES_MAX } from '../../src/shared/memory/page-bitmap.js';

const RAW = 1;
const RUNS = 2;

const pageCounts = fc.oneof(
  fc.integer({ min: 1, max: 200 }),
  fc.constantFrom(1, 7, 8, 9, 31, 32, 33, 513, 1025, 4095, 20_000),
);

/** Sets of every density: runs and holes of lengths from one page to thousands. */
const bitmaps = pageCounts.chain((pageCount) => {
  const stretch = fc.oneof(
    { weight: 3, arbitrary: fc.integer({ min: 1, max: 3 }) },
    { weight: 1, arbitrary: fc.integer({ min: 1, max: 300 }) },
    { weight: 1, arbitrary: fc.integer({ min: 120, max: 20_000 }) },
  );
  return fc
    .record({ startsSet: fc.boolean(), stretches: fc.array(stretch, { maxLength: 300 }) })
    .map(({ startsSet, stretches }) => {
      const bitmap = new PageBitmap(pageCount);
      let page = 0;
      stretches.forEach((pages, index) => {
        const end = Math.min(pageCount, page + pages);
        if ((index % 2 === 0) === startsSet) for (let one = page; one < end; one++) bitmap.add(one);
        page = end;
      });
      return bitmap;
    });
});

function bitmapOf(pageCount: number, ...pages: readonly number[]): PageBitmap {
  const bitmap = new PageBitmap(pageCount);
  for (const page of pages) bitmap.add(page);
  return bitmap;
}

/** An encoded bitmap written by hand. */
function encoded(format: number, pageCount: number, ...body: readonly number[]): Uint8Array {
  const header = Buffer.alloc(BITMAP_HEADER_BYTES);
  header[0] = format;
  header.writeUInt32BE(pageCount, 1);
  return Buffer.concat([header, Buffer.from(body)]);
}

describe('a bitmap on the wire', () => {
  it('expands to the set that was compacted', () => {
    fc.assert(
      fc.property(bitmaps, (bitmap) => {
        expect(expand(compact(bitmap), bitmap.pageCount).words).toEqual(bitmap.words);
      }),
    );
  });

  it('expands to the set that was encoded raw', () => {
    fc.assert(
      fc.property(bitmaps, (bitmap) => {
        const raw = encodeRaw(bitmap);
        expect(raw.length).toBe(rawBitmapBytes(bitmap.pageCount));
        expect(expand(raw, bitmap.pageCount).words).toEqual(bitmap.words);
      }),
    );
  });

  it('is never larger compacted than raw', () => {
    fc.assert(
      fc.property(bitmaps, (bitmap) => {
        expect(compact(bitmap).length).toBeLessThanOrEqual(rawBitmapBytes(bitmap.pageCount));
      }),
    );
  });

  it('is raw when its runs would be more than half as many numbers as it has bytes', () => {
    const pageCount = 1024;
    const runs = 128 / 2 / 2;
    const bitmap = bitmapOf(pageCount);
    for (let run = 0; run < runs; run++) bitmap.add(2 * run);
    expect(bitmap.edgeCount()).toBe(128 / 2);
    expect(compact(bitmap)[0]).toBe(RUNS);
    bitmap.add(pageCount - 1);
    expect(compact(bitmap)).toEqual(encodeRaw(bitmap));
  });

  it('is written in runs wherever that is half of the raw form, however long the numbers', () => {
    fc.assert(
      fc.property(bitmaps, (bitmap) => {
        const rawBytes = rawBitmapBytes(bitmap.pageCount) - BITMAP_HEADER_BYTES;
        expect(compact(bitmap)[0]).toBe(bitmap.edgeCount() <= rawBytes / 2 ? RUNS : RAW);
      }),
    );
  });

  it('has the bytes that docs/protocol.md promises', () => {
    expect(compact(bitmapOf(100))).toEqual(new Uint8Array([RUNS, 0, 0, 0, 100]));
    expect(compact(bitmapOf(100, 3, 4))).toEqual(new Uint8Array([RUNS, 0, 0, 0, 100, 3, 2]));
    expect(compact(bitmapOf(70_000, 300))).toEqual(new Uint8Array([RUNS, 0, 1, 0x11, 0x70, 0xac, 2, 1]));
    expect(encodeRaw(bitmapOf(12, 0, 9, 11))).toEqual(new Uint8Array([RAW, 0, 0, 0, 12, 0b1, 0b1010]));
  });

  it('costs a header and a run when every page is in it', () => {
    const all = new PageBitmap(1_000_000);
    all.fill();
    expect(compact(all).length).toBe(BITMAP_HEADER_BYTES + 1 + 3);
  });

  it('travels in the form that was asked for', () => {
    const bitmap = bitmapOf(1025, 512, 1024);
    expect(encodeBitmap(bitmap, 'raw')).toEqual(encodeRaw(bitmap));
    expect(encodeBitmap(bitmap, 'compacted')).toEqual(compact(bitmap));
  });

  it('is read where it lies in a larger buffer', () => {
    const bitmap = bitmapOf(1025, 0, 512, 513, 1024);
    for (const form of [compact(bitmap), encodeRaw(bitmap)]) {
      const around = Buffer.concat([Buffer.alloc(3, 0xff), form, Buffer.alloc(3, 0xff)]);
      expect(expand(around.subarray(3, 3 + form.length), 1025).words).toEqual(bitmap.words);
    }
  });
});

describe('a large bitmap on the wire', () => {
  const sizes = [2 ** 20 - 1, 2 ** 20, 2 ** 20 + 1, 10_000_000, PAGES_MAX - 1, PAGES_MAX];
  const sparse = (pageCount: number): number[] => [0, 31, 2 ** 20 - 5, pageCount - 2, pageCount - 1];

  it.each(sizes)('is the same set again: %d pages, of which five are set', (pageCount) => {
    const bitmap = bitmapOf(pageCount, ...sparse(pageCount));
    const form = compact(bitmap);
    expect(form.length).toBeLessThan(30);
    const again = expand(form, pageCount);
    expect(again.count()).toBe(5);
    for (const page of sparse(pageCount)) expect(again.has(page), `page ${page}`).toBe(true);
    expect(() => expand(form, pageCount - 1)).toThrow(BitmapError);
  });

  it.each([2 ** 20 + 1, 10_000_000, PAGES_MAX])('is the same set again, full: %d pages', (pageCount) => {
    const all = new PageBitmap(pageCount);
    all.fill();
    expect(all.count()).toBe(pageCount);
    const again = expand(compact(all), pageCount);
    expect(again.count()).toBe(pageCount);
    expect(again.nextClear(0)).toBe(pageCount);
  });

  it('is the same set again where every third page is set, raw', () => {
    const pageCount = 2 ** 20 + 65;
    const bitmap = new PageBitmap(pageCount);
    for (let page = 0; page < pageCount; page += 3) bitmap.add(page);
    expect(expand(compact(bitmap), pageCount).words).toEqual(bitmap.words);
  });
});

describe('a set of pages', () => {
  it('has exactly one form in runs and one raw: what expands is what would be encoded', () => {
    const bodies = fc.oneof(
      fc.uint8Array({ maxLength: 12 }),
      fc.array(fc.oneof(fc.integer({ min: 0, max: 3 }), fc.constantFrom(0x80, 0x81, 0xff, 127)), {
        maxLength: 12,
      }),
    );
    let accepted = 0;
    fc.assert(
      fc.property(fc.constantFrom(RAW, RUNS), pageCounts, bodies, (format, pageCount, body) => {
        const bytes = encoded(format, pageCount, ...body);
        const bitmap = expandOrRefuse(bytes, pageCount);
        if (bitmap === undefined) return;
        accepted++;
        const again = format === RAW ? encodeRaw(bitmap) : compact(bitmap);
        // Runs that are denser than half of the raw form are never written, but have one form all the same.
        if (again[0] !== format) expect(bitmap.edgeCount()).toBeGreaterThan(Math.ceil(pageCount / 8) / 2);
        else expect(Buffer.from(again)).toEqual(Buffer.from(bytes));
      }),
      { numRuns: 3000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });
});

describe('a hostile bitmap', () => {
  const sample = bitmapOf(1025, 1, 2, 3, 400, 401, 1024);

  it('is refused when its raw form is cut at any byte, or goes on', () => {
    const raw = encodeRaw(sample);
    for (let length = 0; length < raw.length; length++) {
      expect(() => expand(raw.subarray(0, length), 1025), `cut at byte ${length}`).toThrow(BitmapError);
    }
    expect(() => expand(Buffer.concat([raw, Buffer.of(0)]), 1025)).toThrow(BitmapError);
  });

  it('is refused when its runs are cut inside of a pair; between two pairs it is the shorter set', () => {
    const runs = compact(sample);
    expect([...runs.subarray(BITMAP_HEADER_BYTES)]).toEqual([1, 3, 0x8c, 3, 2, 0xee, 4, 1]);
    const betweenPairs = new Map([
      [5, bitmapOf(1025)],
      [7, bitmapOf(1025, 1, 2, 3)],
      [10, bitmapOf(1025, 1, 2, 3, 400, 401)],
    ]);
    for (let length = 0; length < runs.length; length++) {
      const cut = runs.subarray(0, length);
      const shorter = betweenPairs.get(length);
      if (shorter === undefined)
        expect(() => expand(cut, 1025), `cut at byte ${length}`).toThrow(BitmapError);
      else expect(expand(cut, 1025).words).toEqual(shorter.words);
    }
  });

  it.each([
    ['is for fewer pages', encodeRaw(bitmapOf(1024)), 1025],
    ['is for fewer pages, which its runs would allow', compact(bitmapOf(1024, 1)), 1025],
    ['is for more pages', compact(bitmapOf(1026)), 1025],
    ['is for the most pages there can be', encoded(RUNS, 0xffff_ffff), 1025],
    ['has format 0', encoded(0, 100, 1, 1), 100],
    ['has a format nobody knows', encoded(3, 100, 1, 1), 100],
    ['has an empty set run', encoded(RUNS, 100, 1, 0), 100],
    ['has an empty set run at its very end', encoded(RUNS, 100, 1, 1, 98, 0), 100],
    ['has an empty clear run that is not the first', encoded(RUNS, 100, 1, 1, 0, 1), 100],
    ['writes 1 in two bytes', encoded(RUNS, 100, 0x81, 0, 1), 100],
    ['writes 0 in two bytes', encoded(RUNS, 100, 0x80, 0, 1), 100],
    ['writes 5 in four bytes', encoded(RUNS, 100, 1, 0x85, 0x80, 0x80, 0), 100],
    ['has a clear run past its end', encoded(RUNS, 100, 101, 1), 100],
    ['has a set run past its end', encoded(RUNS, 100, 99, 2), 100],
    ['has a later run past its end', encoded(RUNS, 100, 50, 50, 1, 1), 100],
    ['has a run of 2^28 - 1 pages', encoded(RUNS, 100, 0xff, 0xff, 0xff, 0x7f, 1), 100],
    ['has a run of five bytes', encoded(RUNS, 100, 0x81, 0x80, 0x80, 0x80, 1, 1), 100],
    ['has a run of 2^32 pages', encoded(RUNS, 100, 0x80, 0x80, 0x80, 0x80, 0x10, 1), 100],
    ['has a run of 2^35 - 1 pages', encoded(RUNS, 100, 0xff, 0xff, 0xff, 0xff, 0x7f, 1), 100],
    ['has a run of six bytes', encoded(RUNS, 100, 0x81, 0x80, 0x80, 0x80, 0x80, 1, 1), 100],
    ['has a run that never ends', encoded(RUNS, 100, ...Array<number>(64).fill(0xff)), 100],
    ['has runs that are longer than its raw form', encoded(RUNS, 100, ...Array<number>(14).fill(1)), 100],
    ['says that its last pages are clear', encoded(RUNS, 100, 1, 1, 98), 100],
    ['sets a spare bit', encoded(RAW, 9, 0, 0b10), 9],
    ['sets the last spare bit', encoded(RAW, 9, 0, 0x80), 9],
  ])('is refused when it %s', (_, bytes, pageCount) => {
    expect(() => expand(bytes, pageCount)).toThrow(BitmapError);
  });

  it('may set every bit that is a page in its last byte, and none beside it', () => {
    for (let pageCount = 1; pageCount <= 40; pageCount++) {
      const all = new PageBitmap(pageCount);
      all.fill();
      const raw = encodeRaw(all);
      expect(expand(raw, pageCount).count()).toBe(pageCount);
      for (let spare = pageCount; spare < Math.ceil(pageCount / 8) * 8; spare++) {
        const bytes = Uint8Array.from(raw);
        bytes[bytes.length - 1]! |= 1 << (spare & 7);
        expect(() => expand(bytes, pageCount), `${pageCount} pages, bit ${spare}`).toThrow(BitmapError);
      }
    }
  });

  it('is refused with BitmapError and nothing else, or names only pages of the guest', () => {
    fc.assert(
      fc.property(pageCounts, fc.uint8Array({ maxLength: 40 }), fc.boolean(), (pageCount, body, isRaw) => {
        for (const bytes of [body, encoded(isRaw ? RAW : RUNS, pageCount, ...body)]) {
          const bitmap = expandOrRefuse(bytes, pageCount);
          expect(bitmap?.nextRun(0)?.[1] ?? 0).toBeLessThanOrEqual(pageCount);
          const inRange = new PageBitmap(pageCount);
          inRange.fill();
          bitmap?.words.forEach((word, index) => {
            expect(word & ~inRange.words[index]!).toBe(0);
          });
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** The bitmap, or undefined when it is refused; any other error is the test's failure. */
function expandOrRefuse(bytes: Uint8Array, pageCount: number): PageBitmap | undefined {
  try {
    return expand(bytes, pageCount);
  } catch (error) {
    if (error instanceof BitmapError) return undefined;
    throw error;
  }
}
