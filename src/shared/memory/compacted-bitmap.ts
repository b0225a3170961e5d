// The bitmap of pages as it crosses the wire: raw, or compacted to its runs. The decoder's input is hostile.
// Knows bytes and bits only; the format is described for other implementers in docs/protocol.md.
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
  if (bitmap.edgeCount() > rawBytes * NUMBERS_PER_RAW_BYTE_MAX) return encodeRaw(bitmap);
  const encoded = new Uint8Array(BITMAP_HEADER_BYTES + rawBytes);
  writeHeader(encoded, RUNS, bitmap.pageCount);
  return encoded.subarray(0, writeRuns(encoded, bitmap.words));
}

// An edge is a page that differs from the one before it; the distance from edge to edge is a run's length. Nothing is
// allocated in here: this is the stun's path, and a collection of garbage would be part of it.
function writeRuns(encoded: Uint8Array, words: Int32Array): number {
  let at = BITMAP_HEADER_BYTES;
  let edge = 0;
  let before = 0;
  for (let index = 0; index < words.length; index++) {
    const word = words[index]!;
    let edges = word ^ ((word << 1) | before);
    before = word >>> 31;
    while (edges !== 0) {
      const next = index * 32 + 31 - Math.clz32(edges & -edges);
      edges &= edges - 1;
      at = writeVarint(encoded, at, next - edge);
      edge = next;
    }
  }
  // A run to the very end of the last word has no page behind it.
  return before === 0 ? at : writeVarint(encoded, at, words.length * 32 - edge);
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
 * Decodes either form. The page count must be the receiver's own, every run must lie in it, no run of set pages may
 * be empty, no clear run but the first may be empty, and nothing may follow the last run: each bitmap has exactly one
 * compacted form and one raw form.
 * @throws BitmapError naming what was wrong, before anything but the result was written.
 */
export function expand(encoded: Uint8Array, pageCount: number): PageBitmap {
  if (encoded.length < BITMAP_HEADER_BYTES)
    throw new BitmapError(`a bitmap of ${encoded.length} bytes has no whole header`);
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  const stated = view.getUint32(1);
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
  const bitmap = new PageBitmap(pageCount);
  let at = BITMAP_HEADER_BYTES;
  let page = 0;
  const readRun = (): number => {
    const start = at;
    let value = 0;
    for (let shift = 0; shift < 28; shift += 7) {
      const byte = encoded[at++];
      if (byte === undefined) throw new BitmapError(`the run at byte ${start} is cut short`);
      value |= (byte & 0x7f) << shift;
      if (byte < 0x80) {
        if (byte === 0 && shift > 0)
          throw new BitmapError(`the run at byte ${start} is not in its shortest form`);
        if (value > pageCount - page) {
          throw new BitmapError(`the run at byte ${start} ends past page ${pageCount}`);
        }
        return value;
      }
    }
    throw new BitmapError(`the run at byte ${start} is longer than any guest`);
  };
  while (at < encoded.length) {
    const clearAt = at;
    const clear = readRun();
    if (clear === 0 && clearAt > BITMAP_HEADER_BYTES)
      throw new BitmapError(`the clear run at byte ${clearAt} is empty`);
    page += clear;
    const setAt = at;
    const set = readRun();
    if (set === 0) throw new BitmapError(`the set run at byte ${setAt} is empty`);
    addRun(bitmap.words, page, page + set);
    page += set;
  }
  return bitmap;
}

// Sets pages [first, pastLast), a word at a time in the middle.
function addRun(words: Int32Array, first: number, pastLast: number): void {
  const firstWord = first >>> 5;
  const lastWord = (pastLast - 1) >>> 5;
  const head = -1 << (first & 31);
  const tail = -1 >>> (31 - ((pastLast - 1) & 31));
  if (firstWord === lastWord) {
    words[firstWord]! |= head & tail;
    return;
  }
  words[firstWord]! |= head;
  words.fill(-1, firstWord + 1, lastWord);
  words[lastWord]! |= tail;
}

function writeHeader(encoded: Uint8Array, format: number, pageCount: number): void {
  encoded[0] = format;
  new DataView(encoded.buffer).setUint32(1, pageCount);
}

function writeVarint(encoded: Uint8Array, start: number, value: number): number {
  let at = start;
  let rest = value;
  while (rest >= 0x80) {
    encoded[at++] = (rest & 0x7f) | 0x80;
    rest >>>= 7;
  }
  encoded[at++] = rest;
  return at;
}
