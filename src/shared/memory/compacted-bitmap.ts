// The bitmap of pages as it crosses the wire: raw, or packed by its blocks. The decoder's input is hostile.
// Knows bytes and bits only; the format is described for other implementers in docs/protocol.md.
import { BLOCK_PAGES, BLOCK_WORDS, BlockKind, packBlock, planBlock } from './bitmap-kernels.js';
import { BitmapError, SectionReader, SectionWriter } from './bitmap-sections.js';
import { PageBitmap } from './page-bitmap.js';

export { BitmapError } from './bitmap-sections.js';

export type BitmapFormat = 'compacted' | 'raw';

/** First byte of an encoded bitmap; zero is never valid. */
export const RAW = 1;
export const PACKED = 3;

/** Format byte and page count: what an encoded bitmap costs beyond the raw bits, at the most. */
export const BITMAP_HEADER_BYTES = 9;

/** Bytes of the raw form, header included. */
export function rawBitmapBytes(pageCount: number): number {
  return BITMAP_HEADER_BYTES + Math.ceil(pageCount / 8);
}

/** The whole bitmap, a bit a page (before vSphere 7). */
export function encodeRaw(bitmap: PageBitmap): Uint8Array<ArrayBuffer> {
  const encoded = new Uint8Array(rawBitmapBytes(bitmap.pageCount));
  writeHeader(encoded, RAW, bitmap.pageCount);
  encoded.set(rawBytesOf(bitmap), BITMAP_HEADER_BYTES);
  return encoded;
}

/**
 * The bitmap packed (vSphere 7's compaction): each block, or part of one, in the form that weighs the least, as
 * assembly/plan.ts decides; raw when that is no longer.
 */
export function compact(bitmap: PageBitmap): Uint8Array<ArrayBuffer> {
  const { pageCount, words } = bitmap;
  const parts: Uint8Array[] = [];
  let length = BITMAP_HEADER_BYTES;
  const sections = new SectionWriter((part) => {
    parts.push(part);
    length += part.length;
  });
  for (let page = 0; page < pageCount; page += BLOCK_PAGES) {
    const pages = Math.min(BLOCK_PAGES, pageCount - page);
    const block = words.subarray(page / 32, page / 32 + BLOCK_WORDS);
    const kind = planBlock(block, pages);
    if (kind === BlockKind.CLEAR || kind === BlockKind.SET) sections.add(kind);
    else if (kind === BlockKind.RAW) sections.add(kind, rawBytesOf({ words: block, pageCount: pages }));
    else sections.add(kind, packBlock(pages).slice());
  }
  sections.end();
  if (length >= rawBitmapBytes(pageCount)) return encodeRaw(bitmap);
  const encoded = new Uint8Array(length);
  writeHeader(encoded, PACKED, pageCount);
  let at = BITMAP_HEADER_BYTES;
  for (const part of parts) {
    encoded.set(part, at);
    at += part.length;
  }
  return encoded;
}

// The words as bytes: little-endian, as WebAssembly memory is.
function rawBytesOf({ words, pageCount }: Pick<PageBitmap, 'words' | 'pageCount'>): Uint8Array {
  return new Uint8Array(words.buffer, words.byteOffset, Math.ceil(pageCount / 8));
}

/** Encodes as asked. */
export function encodeBitmap(bitmap: PageBitmap, format: BitmapFormat): Uint8Array<ArrayBuffer> {
  return format === 'raw' ? encodeRaw(bitmap) : compact(bitmap);
}

/**
 * Decodes either form. The page count must be the receiver's own, and what is packed must be what `compact` answers:
 * each bitmap has one packed form at the most and one raw form.
 * @throws BitmapError naming what was wrong, before anything but the result was written.
 */
export function expand(encoded: Uint8Array, pageCount: number): PageBitmap {
  const format = readHeader(encoded, pageCount);
  if (format === RAW) return expandRaw(encoded, pageCount);
  if (encoded.length >= rawBitmapBytes(pageCount))
    throw new BitmapError(`a packed bitmap of ${encoded.length} bytes is not shorter than the raw one`);
  const bitmap = new PageBitmap(pageCount);
  const reader = new SectionReader(pageCount, (firstPage, words) => {
    bitmap.words.set(words, firstPage / 32);
  });
  reader.read(encoded.subarray(BITMAP_HEADER_BYTES), true);
  return bitmap;
}

function expandRaw(encoded: Uint8Array, pageCount: number): PageBitmap {
  if (encoded.length !== rawBitmapBytes(pageCount)) {
    throw new BitmapError(
      `a raw bitmap of ${pageCount} pages takes ${rawBitmapBytes(pageCount)} bytes, not ${encoded.length}`,
    );
  }
  const bitmap = new PageBitmap(pageCount);
  rawBytesOf(bitmap).set(encoded.subarray(BITMAP_HEADER_BYTES));
  refuseSpareBits(encoded[encoded.length - 1]!, pageCount);
  return bitmap;
}

/** Refuses the last byte of raw bits when it has more than the pages'. */
export function refuseSpareBits(lastByte: number, pageCount: number): void {
  const spare = pageCount % 8;
  if (spare !== 0 && lastByte >>> spare !== 0)
    throw new BitmapError(`the bitmap has bits set past its ${pageCount} pages`);
}

/** The format byte, then the page count as u64, big-endian. */
export function writeHeader(encoded: Uint8Array, format: number, pageCount: number): void {
  encoded[0] = format;
  const view = new DataView(encoded.buffer, encoded.byteOffset);
  view.setUint32(1, Math.floor(pageCount / 2 ** 32));
  view.setUint32(5, pageCount % 2 ** 32);
}

/**
 * How many pages an encoded bitmap says that it is for.
 * @throws BitmapError when it has no whole header.
 */
export function statedPages(encoded: Uint8Array): number {
  if (encoded.length < BITMAP_HEADER_BYTES)
    throw new BitmapError(`a bitmap of ${encoded.length} bytes has no whole header`);
  const view = new DataView(encoded.buffer, encoded.byteOffset, encoded.byteLength);
  return view.getUint32(1) * 2 ** 32 + view.getUint32(5);
}

/** The format of an encoded bitmap that is for so many pages. */
export function readHeader(encoded: Uint8Array, pageCount: number): number {
  const stated = statedPages(encoded);
  if (stated !== pageCount)
    throw new BitmapError(`the bitmap is for ${stated} pages; this guest has ${pageCount}`);
  const format = encoded[0]!;
  if (format !== RAW && format !== PACKED) throw new BitmapError(`bitmap format ${format} is unknown`);
  return format;
}
