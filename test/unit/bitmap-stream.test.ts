// Bitmaps in pieces: the same bytes as in one go, however they are cut, up to address spaces that no bitmap in memory holds.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { BitmapDecoder, encodeInPieces, STREAM_PAGES_MAX } from '../../src/shared/memory/bitmap-stream.js';
import {
  BITMAP_HEADER_BYTES,
  BitmapError,
  encodeBitmap,
  encodeRaw,
  rawBitmapBytes,
  type BitmapFormat,
} from '../../src/shared/memory/compacted-bitmap.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { bitmaps, randomFrom } from '../support/bitmaps.js';

const BLOCK_PAGES = 2 ** 20;

function readerOf(bitmap: PageBitmap): (firstPage: number, words: Int32Array) => boolean {
  return (firstPage, words) => {
    words.set(bitmap.words.subarray(firstPage / 32, firstPage / 32 + words.length));
    return words.some((word) => word !== 0);
  };
}

function joined(pieces: Iterable<Uint8Array>): Buffer {
  const copies: Buffer[] = [];
  // A piece is good until the next.
  for (const piece of pieces) copies.push(Buffer.from(piece));
  return Buffer.concat(copies);
}

/** What comes out where the encoded bytes come in pieces of so many bytes, in turn. */
function decoded(bytes: Uint8Array, pageCount: number, cuts: readonly number[]): PageBitmap {
  const bitmap = new PageBitmap(pageCount);
  let next = 0;
  const decoder = new BitmapDecoder(pageCount, (firstPage, words) => {
    expect(firstPage).toBeGreaterThanOrEqual(next);
    next = firstPage + 32 * words.length;
    bitmap.words.set(words, firstPage / 32);
  });
  for (let at = 0, turn = 0; at < bytes.length; turn++) {
    const length = cuts[turn % cuts.length]!;
    decoder.push(bytes.subarray(at, at + length));
    at += length;
  }
  decoder.end();
  return bitmap;
}

const formats = fc.constantFrom<BitmapFormat>('compacted', 'raw');
const cutsOf = fc.array(fc.oneof(fc.integer({ min: 1, max: 9 }), fc.integer({ min: 1, max: 100_000 })), {
  minLength: 1,
  maxLength: 5,
});

/** Several blocks, each of a density of its own. */
function mixedBitmap(pageCount: number, densities: readonly number[]): PageBitmap {
  const bitmap = new PageBitmap(pageCount);
  const random = randomFrom(9);
  densities.forEach((density, block) => {
    const end = Math.min(pageCount, (block + 1) * BLOCK_PAGES);
    for (let page = block * BLOCK_PAGES; page < end; page++) if (random() < density) bitmap.add(page);
  });
  return bitmap;
}

describe('a bitmap in pieces', () => {
  it('has the bytes that it has in one', () => {
    fc.assert(
      fc.property(bitmaps, formats, (bitmap, format) => {
        const pieces = joined(encodeInPieces(bitmap.pageCount, readerOf(bitmap), format));
        expect(pieces.equals(Buffer.from(encodeBitmap(bitmap, format)))).toBe(true);
      }),
    );
  });

  it('is the set that was encoded, wherever it is cut', () => {
    fc.assert(
      fc.property(bitmaps, formats, cutsOf, (bitmap, format, cuts) => {
        expect(decoded(encodeBitmap(bitmap, format), bitmap.pageCount, cuts).words).toEqual(bitmap.words);
      }),
    );
  });

  it.each(['compacted', 'raw'] as const)('is so with blocks of every kind, %s', (format) => {
    const pageCount = 8 * BLOCK_PAGES + 1234;
    const bitmap = mixedBitmap(pageCount, [0, 1, 1, 0.001, 0, 0.4, 0.4, 0.98, 1]);
    const whole = encodeBitmap(bitmap, format);
    expect(joined(encodeInPieces(pageCount, readerOf(bitmap), format)).equals(whole)).toBe(true);
    for (const cuts of [[1000], [65_537, 1, 2, 3], [whole.length]]) {
      const again = decoded(whole, pageCount, cuts);
      expect(Buffer.from(again.words.buffer).equals(Buffer.from(bitmap.words.buffer))).toBe(true);
    }
  });

  it('that comes byte by byte is the same', () => {
    const bitmap = mixedBitmap(2 * BLOCK_PAGES, [0.002, 0.0001]);
    const again = decoded(encodeBitmap(bitmap, 'compacted'), bitmap.pageCount, [1]);
    expect(Buffer.from(again.words.buffer).equals(Buffer.from(bitmap.words.buffer))).toBe(true);
  });
});

describe('a bitmap of more pages than fit in memory', () => {
  const sizes = [
    2 ** 31 - 1,
    2 ** 31,
    2 ** 31 + 1,
    2 ** 32 - 1,
    2 ** 32,
    2 ** 32 + 1,
    6_442_450_944,
    2 ** 41,
  ];

  it.each(sizes)('is decoded as it was encoded: %d pages', (pageCount) => {
    const edges = [2 ** 20, 2 ** 31, 2 ** 32, pageCount].flatMap((edge) => [edge - 1, edge, edge + 1]);
    const pages = [...new Set([0, ...edges])].filter((page) => page < pageCount).sort((a, b) => a - b);
    // Asked for each of two million blocks at the most.
    const ofBlock = new Map<number, number[]>();
    for (const page of pages) {
      const first = page - (page % BLOCK_PAGES);
      ofBlock.set(first, [...(ofBlock.get(first) ?? []), page - first]);
    }
    const pieces = encodeInPieces(
      pageCount,
      (firstPage, words) => {
        const members = ofBlock.get(firstPage);
        if (members === undefined) return false;
        const block = new PageBitmap(32 * words.length, words);
        block.clear();
        for (const page of members) block.add(page);
        return true;
      },
      'compacted',
    );
    const found: number[] = [];
    const decoder = new BitmapDecoder(pageCount, (firstPage, words) => {
      const block = new PageBitmap(32 * words.length, words);
      for (let page = block.nextSet(0); page < block.pageCount; page = block.nextSet(page + 1))
        found.push(firstPage + page);
    });
    let bytes = 0;
    for (const piece of pieces) {
      bytes += piece.length;
      decoder.push(piece);
    }
    decoder.end();
    expect(found).toEqual(pages);
    expect(bytes).toBeLessThan(120);
  });

  it('is handed on whole where every page is set', () => {
    const pageCount = 2 ** 32 + 33;
    const form = joined(
      encodeInPieces(
        pageCount,
        (firstPage, words) => {
          words.fill(-1);
          if (firstPage + 32 * words.length > pageCount)
            words[words.length - 1] = (1 << (pageCount % 32)) - 1;
          return true;
        },
        'compacted',
      ),
    );
    expect(form.length).toBe(BITMAP_HEADER_BYTES + 3);
    let total = 0;
    const decoder = new BitmapDecoder(pageCount, (_, words) => {
      total += new PageBitmap(32 * words.length, words.slice()).count();
    });
    decoder.push(form);
    decoder.end();
    expect(total).toBe(pageCount);
  });

  it('cannot have more than there are in 2^53 bytes', () => {
    expect(() => new BitmapDecoder(STREAM_PAGES_MAX + 1, () => undefined)).toThrow(RangeError);
    expect(() => [...encodeInPieces(STREAM_PAGES_MAX + 1, () => false, 'compacted')]).toThrow(RangeError);
  });
});

describe('a hostile bitmap in pieces', () => {
  function refusalOf(bytes: Uint8Array, pageCount: number): unknown {
    try {
      return decoded(bytes, pageCount, [7, 100_000]);
    } catch (error) {
      return error;
    }
  }

  it('is refused where it is refused in one, and taken where it is taken', () => {
    const change = fc.record({
      at: fc.double({ min: 0, max: 0.999, noNaN: true }),
      bits: fc.nat({ max: 255 }),
    });
    fc.assert(
      fc.property(bitmaps, formats, change, fc.nat({ max: 3 }), (bitmap, format, { at, bits }, cut) => {
        const bytes = encodeBitmap(bitmap, format);
        bytes[Math.floor(at * at * bytes.length)]! ^= bits;
        const read = refusalOf(bytes.subarray(0, bytes.length - cut), bitmap.pageCount);
        if (!(read instanceof PageBitmap)) {
          expect(read).toBeInstanceOf(BitmapError);
          return;
        }
        const again = encodeBitmap(read, bytes[0] === 1 ? 'raw' : 'compacted');
        expect(Buffer.from(again).equals(Buffer.from(bytes.subarray(0, bytes.length - cut)))).toBe(true);
      }),
      { numRuns: 500 },
    );
  });

  it('is refused when it is raw and cut, or goes on', () => {
    const raw = encodeRaw(mixedBitmap(BLOCK_PAGES + 100, [0.5, 0.5]));
    expect(raw.length).toBe(rawBitmapBytes(BLOCK_PAGES + 100));
    expect(refusalOf(raw.subarray(0, raw.length - 1), BLOCK_PAGES + 100)).toBeInstanceOf(BitmapError);
    expect(refusalOf(Buffer.concat([raw, Buffer.of(0)]), BLOCK_PAGES + 100)).toBeInstanceOf(BitmapError);
    expect(refusalOf(raw.subarray(0, 4), BLOCK_PAGES + 100)).toBeInstanceOf(BitmapError);
    expect(refusalOf(new Uint8Array(0), BLOCK_PAGES + 100)).toBeInstanceOf(BitmapError);
  });
});
