// The bitmap of pages as it crosses the wire: raw, or compacted to its runs. The decoder's input is hostile.
// Knows bytes and bits only; the format is described for other implementers in docs/protocol.md.
import { readRuns, RunsProblem, writeRuns } from './bitmap-kernels.js';
import { PageBitmap } from './page-bitmap.js';

export type BitmapFormat = 'compacted' | 'raw';

/** First byte of an encoded bitmap; zero is never valid. */
const RAW = 1;
const RUNS = 2;

/** Format byte and page count: what an encoded bitmap costs beyond the raw bits, at the most. */
export const BITMAP_HEADER_BYTES = 5;

/** An encoded bitmap that does not decode: what was wrong and at which byte. */
export class BitmapError extends Error {
  override readonly name = 'BitmapError';
}

/** Bytes of the raw form, header included. */
export function rawBitmapBytes(pageCount: number): number {
  return BITMAP_HEADER_BYTES + Math.ceil(pageCount / 8);
}

/** Half as many numbers as the raw form has bytes is the most that runs are written for; see `compact`. */
const NUMBERS_PER_RAW_BYTE_MAX = 0.5;

/** The whole bitmap, a bit a page (before vSphere 7). */
export function encodeRaw(bitmap: PageBitmap): Uint8Array<ArrayBuffer> {
  const encoded = new Uint8Array(rawBitmapBytes(bitmap.pageCount));
  writeHeader(encoded, RAW, bitmap.pageCount);
  encoded.set(rawBytesOf(bitmap), BITMAP_HEADER_BYTES);
  return encoded;
}

/**
 * The bitmap as run lengths (vSphere 7): LEB128 numbers, a run of clear pages and a run of set pages in turn; what
 * follows the last set run is clear and not written. A dense bitmap is told by its edges before anything is encoded and
 * travels raw: writing and reading a number takes as long as the byte that it saves takes on a link of 1 Gbit/s. So the
 * result never exceeds `rawBitmapBytes`: no more numbers than half of the raw bytes, and a number is longer than a byte
 * only for a run of 128 pages, which are 16 raw bytes.
 */
export function compact(bitmap: PageBitmap): Uint8Array<ArrayBuffer> {
  const rawBytes = Math.ceil(bitmap.pageCount / 8);
  const runs = writeRuns(bitmap.words, rawBytes * NUMBERS_PER_RAW_BYTE_MAX);
  if (runs === undefined) return encodeRaw(bitmap);
  const encoded = new Uint8Array(BITMAP_HEADER_BYTES + runs.length);
  writeHeader(encoded, RUNS, bitmap.pageCount);
  encoded.set(runs, BITMAP_HEADER_BYTES);
  return encoded;
}

// The words as bytes: little-endian, as WebAssembly memory is.
function rawBytesOf({ words, pageCount }: PageBitmap): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, Math.ceil(pageCount / 8));
}

/** Encodes as asked. */
export function encodeBitmap(bitmap: PageBitmap, format: BitmapFormat): Uint8Array<ArrayBuffer> {
  return format === 'raw' ? encodeRaw(bitmap) : compact(bitmap);
}

/**
 * How many pages an encoded bitmap says that it is for.
 * @throws BitmapError when it has no whole header.
 */
export function statedPages(encoded: Uint8Array): number {
  if (encoded.length < BITMAP_HEADER_BYTES)
    throw new BitmapError(`a bitmap of ${encoded.length} bytes has no whole header`);
  return new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength).getUint32(1);
}

/**
 * Decodes either form. The page count must be the receiver's own, every run must lie in it, no run of set pages may
 * be empty, no clear run but the first may be empty, and nothing may follow the last run: each bitmap has exactly one
 * compacted form and one raw form.
 * @throws BitmapError naming what was wrong, before anything but the result was written.
 */
export function expand(encoded: Uint8Array, pageCount: number): PageBitmap {
  const stated = statedPages(encoded);
  if (stated !== pageCount)
    throw new BitmapError(`the bitmap is for ${stated} pages; this guest has ${pageCount}`);
  const format = encoded[0];
  if (format === RAW) return expandRaw(encoded, pageCount);
  if (format === RUNS) return expandRuns(encoded, pageCount);
  throw new BitmapError(`bitmap format ${format} is unknown`);
}

function expandRaw(encoded: Uint8Array, pageCount: number): PageBitmap {
  if (encoded.length !== rawBitmapBytes(pageCount)) {
    throw new BitmapError(
      `a raw bitmap of ${pageCount} pages takes ${rawBitmapBytes(pageCount)} bytes, not ${encoded.length}`,
    );
  }
  const bitmap = new PageBitmap(pageCount);
  rawBytesOf(bitmap).set(encoded.subarray(BITMAP_HEADER_BYTES));
  const spare = pageCount & 7;
  if (spare !== 0 && encoded[encoded.length - 1]! >>> spare !== 0) {
    throw new BitmapError(`the bitmap has bits set past its ${pageCount} pages`);
  }
  return bitmap;
}

function expandRuns(encoded: Uint8Array, pageCount: number): PageBitmap {
  if (encoded.length > rawBitmapBytes(pageCount)) {
    throw new BitmapError(`runs of ${encoded.length} bytes are longer than the raw bitmap`);
  }
  const bitmap = new PageBitmap(pageCount);
  const problem = readRuns(encoded.subarray(BITMAP_HEADER_BYTES), bitmap.words, pageCount);
  if (problem !== 0) throw runsError(problem & 7, BITMAP_HEADER_BYTES + (problem >>> 3), pageCount);
  return bitmap;
}

function runsError(problem: number, at: number, pageCount: number): BitmapError {
  switch (problem) {
    case RunsProblem.CUT_SHORT:
      return new BitmapError(`the run at byte ${at} is cut short`);
    case RunsProblem.NOT_SHORTEST:
      return new BitmapError(`the run at byte ${at} is not in its shortest form`);
    case RunsProblem.PAST_END:
      return new BitmapError(`the run at byte ${at} ends past page ${pageCount}`);
    case RunsProblem.TOO_LONG:
      return new BitmapError(`the run at byte ${at} is longer than any guest`);
    case RunsProblem.EMPTY_CLEAR:
      return new BitmapError(`the clear run at byte ${at} is empty`);
    default:
      return new BitmapError(`the set run at byte ${at} is empty`);
  }
}

function writeHeader(encoded: Uint8Array, format: number, pageCount: number): void {
  encoded[0] = format;
  new DataView(encoded.buffer).setUint32(1, pageCount);
}
