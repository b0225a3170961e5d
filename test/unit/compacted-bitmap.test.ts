// The two forms of a bitmap on the wire: each set has one, and what is hostile is refused.
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
import { bitmapOf, bitmaps, pageCounts, pagesOf, randomFrom } from '../support/bitmaps.js';
import { Kind, packNaively } from '../support/naive-packing.js';

const RAW = 1;
const PACKED = 3;
const BLOCK_PAGES = 2 ** 20;

/** An encoded bitmap written by hand. */
function encoded(format: number, pageCount: number, ...body: readonly number[]): Uint8Array {
  const header = Buffer.alloc(BITMAP_HEADER_BYTES);
  header[0] = format;
  header.writeBigUInt64BE(BigInt(pageCount), 1);
  return Buffer.concat([header, Buffer.from(body)]);
}

describe('a bitmap on the wire', () => {
  it('expands to the set that was compacted', () => {
    fc.assert(
      fc.property(bitmaps, (bitmap) => {
        expect(expand(compact(bitmap), bitmap.pageCount).words).toEqual(bitmap.words);
      }),
      { numRuns: 500 },
    );
  });

  it('is packed byte for byte as docs/protocol.md says, or raw where that is no longer', () => {
    const kinds = new Set<number>();
    fc.assert(
      fc.property(bitmaps, (bitmap) => {
        const packed = packNaively(pagesOf(bitmap), bitmap.pageCount);
        const isShorter = packed.length < rawBitmapBytes(bitmap.pageCount) - BITMAP_HEADER_BYTES;
        const expected = isShorter ? encoded(PACKED, bitmap.pageCount, ...packed) : encodeRaw(bitmap);
        kinds.add(packed[0] ?? Kind.CLEAR);
        expect(Buffer.from(compact(bitmap)).equals(Buffer.from(expected))).toBe(true);
      }),
      { numRuns: 200 },
    );
    expect([...kinds].sort()).toEqual([0, 1, 2, 3, 4, 5, 6]);
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

  it('is not raw because a part of it is: the rest is packed beside it', () => {
    const bitmap = new PageBitmap(BLOCK_PAGES);
    const random = randomFrom(1);
    for (let page = 300_000; page < 326_000; page++) if (random() < 0.5) bitmap.add(page);
    for (let page = 700_000; page < 726_000; page++) bitmap.add(page);
    for (let page = 0; page < 100_000; page += 997) bitmap.add(page);
    // The random part takes eight leaves of 512 bytes at the most, the hundred and one pages two and a bit each.
    expect(compact(bitmap).length).toBeLessThan(8 * 512 + 101 * 2 + 160);
  });

  it('has the bytes that docs/protocol.md promises', () => {
    expect([...compact(bitmapOf(100))]).toEqual([PACKED, 0, 0, 0, 0, 0, 0, 0, 100]);
    const example = bitmapOf(1000, 3, 4);
    for (let page = 200; page < 500; page++) example.add(page);
    expect(Buffer.from(compact(example)).toString('hex')).toBe('0300000000000003e805ae020203c51310');
    expect(Buffer.from(encodeRaw(bitmapOf(12, 0, 9, 11))).toString('hex')).toBe('01000000000000000c010a');
  });

  it('costs a header and a section when every page is in it', () => {
    for (const pageCount of [1_000_000, 10_000_000]) {
      const all = new PageBitmap(pageCount);
      all.fill();
      expect(compact(all).length).toBe(BITMAP_HEADER_BYTES + 1);
    }
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
    expect(form.length).toBeLessThan(45);
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

  it('is the same set again when its blocks are of different kinds', () => {
    const pageCount = 12 * BLOCK_PAGES + 77;
    const bitmap = new PageBitmap(pageCount);
    const random = randomFrom(5);
    const densities = [0, 0.001, 0.5, 1, 1, 0.999, 0, 0, 0.01, 0.3, 0.3, 1, 1];
    densities.forEach((density, block) => {
      const end = Math.min(pageCount, (block + 1) * BLOCK_PAGES);
      for (let page = block * BLOCK_PAGES; page < end; page++) if (random() < density) bitmap.add(page);
    });
    expect(Buffer.from(expand(compact(bitmap), pageCount).words.buffer)).toSatisfy((words: Buffer) =>
      words.equals(Buffer.from(bitmap.words.buffer)),
    );
    expect(compact(bitmap).length).toBeLessThan((3 * BLOCK_PAGES) / 8 + 30_000);
  });
});

describe('a set of pages', () => {
  it('has one packed form at the most: what expands is what would be encoded', () => {
    const bytes = fc.oneof(fc.nat({ max: 255 }), fc.nat({ max: 6 }), fc.constantFrom(0x80, 0x81, 0xff));
    let accepted = 0;
    fc.assert(
      fc.property(pageCounts, fc.array(bytes, { maxLength: 10 }), (pageCount, body) => {
        const given = encoded(PACKED, pageCount, ...body);
        const bitmap = expandOrRefuse(given, pageCount);
        if (bitmap === undefined) return;
        accepted++;
        expect(Buffer.from(compact(bitmap))).toEqual(given);
      }),
      { numRuns: 20_000 },
    );
    expect(accepted).toBeGreaterThan(100);
  });

  it('has no other form that is one change away from its own', () => {
    let accepted = 0;
    // Any number of bits of one byte behind the header, most often near its end; the last bytes may be missing.
    const change = fc.record({
      at: fc.double({ min: 0, max: 0.999, noNaN: true }),
      bits: fc.oneof(
        fc.nat({ max: 7 }).map((bit) => 1 << bit),
        fc.nat({ max: 255 }),
      ),
    });
    const cuts = fc.constantFrom(0, 0, 0, 1, 2, 7);
    fc.assert(
      fc.property(bitmaps, change, cuts, (bitmap, { at, bits }, cut) => {
        const bytes = compact(bitmap);
        const body = bytes.subarray(BITMAP_HEADER_BYTES, Math.max(BITMAP_HEADER_BYTES, bytes.length - cut));
        body[Math.floor(at * body.length)]! ^= bits;
        const given = bytes.subarray(0, BITMAP_HEADER_BYTES + body.length);
        const read = expandOrRefuse(given, bitmap.pageCount);
        if (read === undefined) return;
        accepted++;
        const again = given[0] === RAW ? encodeRaw(read) : compact(read);
        expect(Buffer.from(again).equals(Buffer.from(given))).toBe(true);
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
    for (let length = 0; length < raw.length; length++)
      expect(() => expand(raw.subarray(0, length), 1025), `cut at byte ${length}`).toThrow(BitmapError);
    expect(() => expand(Buffer.concat([raw, Buffer.of(0)]), 1025)).toThrow(BitmapError);
  });

  it('is refused when its packed form is cut inside of its only block, or goes on', () => {
    const packed = compact(sample);
    expect(packed[BITMAP_HEADER_BYTES]).toBe(Kind.RUNS);
    for (let length = 0; length < packed.length; length++) {
      // Cut behind the header it is the empty set.
      if (length === BITMAP_HEADER_BYTES) continue;
      expect(() => expand(packed.subarray(0, length), 1025), `cut at byte ${length}`).toThrow(BitmapError);
    }
    expect(() => expand(Buffer.concat([packed, Buffer.of(0)]), 1025)).toThrow(BitmapError);
    expect(() => expand(Buffer.concat([packed, Buffer.of(1)]), 1025)).toThrow(BitmapError);
  });

  const two = 2 * BLOCK_PAGES;
  it.each([
    ['is for fewer pages', encodeRaw(bitmapOf(1024)), 1025],
    ['is for fewer pages, and has none', compact(bitmapOf(1024)), 1025],
    ['is for fewer pages, and has all', encoded(PACKED, 1024, Kind.SET), 1025],
    ['is for more pages', compact(bitmapOf(1026)), 1025],
    ['is for the most pages there can be', encoded(PACKED, 2 ** 53), 1025],
    ['has format 0', encoded(0, 1000, 1), 1000],
    ['has the format of protocol version 4', encoded(2, 1000, 1, 1), 1000],
    ['has a format nobody knows', encoded(4, 1000, 1), 1000],
    ['has a section of no known kind', encoded(PACKED, 1000, 7), 1000],
    ['says that its last pages are clear', encoded(PACKED, 1000, Kind.CLEAR), 1000],
    ['says so behind others', encoded(PACKED, two, Kind.SET, Kind.CLEAR), two],
    ['has more set blocks than pages', encoded(PACKED, two, 2 * 8 + Kind.SET), two],
    ['has more clear blocks than pages', encoded(PACKED, two, 2 * 8 + Kind.CLEAR, Kind.SET), two],
    ['has two sections for one', encoded(PACKED, two, Kind.SET, Kind.SET), two],
    ['has a number that is too long', encoded(PACKED, two, 0x89, 0), two],
    ['has a number that never ends', encoded(PACKED, two, 0xff, 0xff, 0xff, 0xff, 1), two],
    ['ends within a number', encoded(PACKED, two, 0x89), two],
    ['counts no positions', encoded(PACKED, 1000, Kind.POSITIONS, 0), 1000],
    ['counts positions in too long a number', encoded(PACKED, 1000, Kind.POSITIONS, 0x81, 0, 0, 2), 1000],
    ['counts as many positions as pages', encoded(PACKED, 1000, Kind.POSITIONS, 0xe8, 7, 0), 1000],
    ['counts in four bytes', encoded(PACKED, 1000, Kind.POSITIONS, 0x81, 0x80, 0x80, 1), 1000],
    ['has positions where raw is lighter', encoded(PACKED, 1000, Kind.POSITIONS, 100, 0), 1000],
    ['has more runs than pages in them', encoded(PACKED, 1000, Kind.RUNS, 2, 3, 0, 0, 0), 1000],
    ['has more runs than gaps', encoded(PACKED, 1000, Kind.RUNS, 0xe0, 7, 20, 0, 0), 1000],
    ['has runs where positions are lighter', encoded(PACKED, 1000, Kind.RUNS, 1, 1, 3, 4), 1000],
    ['splits what has no children', encoded(PACKED, 8192, Kind.SPLIT, ...splitOf(Kind.SPLIT, 6)), 8192],
    ['splits what is one', encoded(PACKED, 65_536, Kind.SPLIT, ...splitOf(Kind.CLEAR)), 65_536],
    ['sets a spare bit', encoded(RAW, 9, 0, 0b10), 9],
    ['sets the last spare bit', encoded(RAW, 9, 0, 0x80), 9],
  ])('is refused when it %s', (_, bytes, pageCount) => {
    expect(() => expand(bytes, pageCount)).toThrow(BitmapError);
  });

  it('is refused when it counts blocks where each has a body', () => {
    const form = compact(bitmapOf(two, 5, 70_000));
    expect(form[BITMAP_HEADER_BYTES]).toBe(Kind.POSITIONS);
    form[BITMAP_HEADER_BYTES]! += 8;
    expect(() => expand(form, two)).toThrow(/no known kind/);
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

  it('leaves no trace of itself in what is expanded next', () => {
    const good = compact(sample);
    fc.assert(
      fc.property(pageCounts, fc.uint8Array({ maxLength: 40 }), (pageCount, body) => {
        for (const bytes of [body, encoded(PACKED, pageCount, ...body), encoded(RAW, pageCount, ...body)]) {
          const bitmap = expandOrRefuse(bytes, pageCount);
          const inRange = new PageBitmap(pageCount);
          inRange.fill();
          bitmap?.words.forEach((word, index) => {
            expect(word & ~inRange.words[index]!).toBe(0);
          });
          expect(expand(good, 1025).words).toEqual(sample.words);
        }
      }),
      { numRuns: 1000 },
    );
  });
});

/** The kinds of sixteen children, the first ones as given. */
function splitOf(...kinds: readonly number[]): Buffer {
  const bytes = Buffer.alloc(6);
  bytes.writeUIntLE(
    kinds.reduce((all, kind, nth) => all + kind * 8 ** nth, 0),
    0,
    6,
  );
  return bytes;
}

/** The bitmap, or undefined when it is refused; any other error is the test's failure. */
function expandOrRefuse(bytes: Uint8Array, pageCount: number): PageBitmap | undefined {
  try {
    return expand(bytes, pageCount);
  } catch (error) {
    if (error instanceof BitmapError) return undefined;
    throw error;
  }
}
