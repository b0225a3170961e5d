// Frames of the page and fault connections: regions of pages and the marks between rounds. Raw bytes, no msgpack.
// Pure; who may send them when is docs/protocol.md.
import { ProtocolError } from '../errors.js';
import { bitCount32 } from '../memory/page-bitmap.js';
import { PAGE_BYTES, REGION_PAGES } from '../memory/pages.js';
import { encodeFrame, encodeHeader, type FrameHeader } from './frames.js';

/** PAGES body before the pages: round u32, region u32, bits of the pages that follow, bits of the zero pages. */
export const REGION_MAP_BYTES = REGION_PAGES / 8;
export const REGION_HEAD_BYTES = 8 + 2 * REGION_MAP_BYTES;

/** Flag of a PAGES frame: the guest already runs at the destination, so a page is placed only where it is absent. */
export const PUSHED = 1;
/** Flag of a PAGES frame: behind its head stands a check of the bytes of its pages. */
export const CHECKED = 2;
const KNOWN_FLAGS = PUSHED | CHECKED;

/** Bytes of that check: the fold of the pages' hashes (page-hashes.ts). */
export const PAGES_CHECK_BYTES = 8;

/** Bytes of a PAGES body before its first page. */
export function headBytesOf(flags: number): number {
  return REGION_HEAD_BYTES + ((flags & CHECKED) === 0 ? 0 : PAGES_CHECK_BYTES);
}

const REGION_MAP_WORDS = REGION_MAP_BYTES / 4;

/** What a PAGES frame brings: which pages of the region, first those with bytes, and those that are zero. */
export interface RegionHead {
  readonly round: number;
  readonly region: number;
  /** 16 words, bit `n & 31` of word `n >>> 5` for the region's page n. */
  readonly sent: Int32Array;
  readonly zero: Int32Array;
}

/** Writes the head of a region to the beginning of `head`. */
export function writeRegionMaps(head: Buffer, { round, region, sent, zero }: RegionHead): void {
  head.writeUInt32BE(round, 0);
  head.writeUInt32BE(region, 4);
  for (let index = 0; index < REGION_MAP_WORDS; index++) {
    head.writeInt32LE(sent[index]!, 8 + index * 4);
    head.writeInt32LE(zero[index]!, 8 + REGION_MAP_BYTES + index * 4);
  }
}

/**
 * Header and head of a PAGES frame in one buffer; the bytes of the sent pages follow in page order. `check`: the fold of
 * their hashes, where the frame is CHECKED.
 */
export function encodeRegionHead(region: RegionHead, flags: number, check: bigint): Buffer {
  const head = Buffer.alloc(headBytesOf(flags));
  writeRegionMaps(head, region);
  if ((flags & CHECKED) !== 0) head.writeBigInt64BE(check, REGION_HEAD_BYTES);
  return Buffer.concat([encodeHeader('PAGES', regionBodyBytes(region.sent, flags), flags, [head]), head]);
}

/** The check that stands behind the head of a CHECKED region. */
export function decodePagesCheck(head: Buffer): bigint {
  return head.readBigInt64BE(REGION_HEAD_BYTES);
}

function regionBodyBytes(sent: Int32Array, flags: number): number {
  return headBytesOf(flags) + countPages(sent) * PAGE_BYTES;
}

/**
 * Reads the head of a region of a guest of `pageCount` pages: the same of pages and of their hashes.
 * @throws ProtocolError for a region or page outside of the guest, or a page named twice.
 */
export function decodeRegionMaps(bytes: Buffer, pageCount: number): RegionHead {
  const round = bytes.readUInt32BE(0);
  const region = bytes.readUInt32BE(4);
  const pagesInRegion = Math.min(REGION_PAGES, pageCount - region * REGION_PAGES);
  if (pagesInRegion <= 0)
    throw new ProtocolError(`region ${region} lies outside of a guest of ${pageCount} pages`);
  const sent = new Int32Array(REGION_MAP_WORDS);
  const zero = new Int32Array(REGION_MAP_WORDS);
  for (let index = 0; index < REGION_MAP_WORDS; index++) {
    sent[index] = bytes.readInt32LE(8 + index * 4);
    zero[index] = bytes.readInt32LE(8 + REGION_MAP_BYTES + index * 4);
    const validPages = Math.max(0, Math.min(32, pagesInRegion - index * 32));
    const invalid = validPages === 32 ? 0 : -1 << validPages;
    if (((sent[index]! | zero[index]!) & invalid) !== 0) {
      throw new ProtocolError(`region ${region} names a page past the guest's ${pageCount}`);
    }
    if ((sent[index]! & zero[index]!) !== 0)
      throw new ProtocolError(`region ${region} names a page as sent and as zero`);
  }
  return { round, region, sent, zero };
}

/**
 * Reads the head of a PAGES body for a guest of `pageCount` pages.
 * @throws ProtocolError for a region or page outside of the guest, a page named twice, or a length that does not fit.
 */
export function decodeRegionHead(
  bytes: Buffer,
  { bodyBytes, flags }: Pick<FrameHeader, 'bodyBytes' | 'flags'>,
  pageCount: number,
): RegionHead {
  if ((flags & ~KNOWN_FLAGS) !== 0) throw new ProtocolError(`PAGES has unknown flags ${flags}`);
  if (bodyBytes < REGION_HEAD_BYTES)
    throw new ProtocolError(`a PAGES frame of ${bodyBytes} bytes is cut short`);
  const head = decodeRegionMaps(bytes, pageCount);
  if (bodyBytes !== regionBodyBytes(head.sent, flags)) {
    throw new ProtocolError(
      `region ${head.region} announces ${countPages(head.sent)} pages in a frame of ${bodyBytes} bytes`,
    );
  }
  return head;
}

/** Number of pages in a region's map. */
export function countPages(map: Int32Array): number {
  let total = 0;
  for (const word of map) total += bitCount32(word);
  return total;
}

/**
 * A mark of two numbers: ROUND_END and ROUND_PLACED (round, pages of this connection), PAGE_WANTED (page, 0), ANNOUNCED
 * (number, pages), TAKEN_OVER (final round, lacking pages).
 */
export const MARK_BYTES = 8;

export function encodeMark(
  name: 'ROUND_END' | 'ROUND_PLACED' | 'PAGE_WANTED' | 'ANNOUNCED' | 'TAKEN_OVER',
  first: number,
  second: number,
): Buffer {
  const body = Buffer.alloc(MARK_BYTES);
  body.writeUInt32BE(first, 0);
  body.writeUInt32BE(second, 4);
  return Buffer.concat(encodeFrame(name, [body]));
}

/** PAGE_SENT: the page's number and its bytes. */
export function encodePageSent(page: number, bytes: Uint8Array): Buffer {
  const body = Buffer.alloc(MARK_BYTES + PAGE_BYTES);
  body.writeUInt32BE(page, 0);
  body.set(bytes, MARK_BYTES);
  return Buffer.concat(encodeFrame('PAGE_SENT', [body]));
}

/** @throws ProtocolError when it is not a page of the guest, whole. */
export function decodePageSent(body: Buffer, pageCount: number): { page: number; bytes: Buffer } {
  if (body.length !== MARK_BYTES + PAGE_BYTES) throw new ProtocolError(`PAGE_SENT has ${body.length} bytes`);
  const page = body.readUInt32BE(0);
  if (page >= pageCount)
    throw new ProtocolError(`page ${page} lies outside of a guest of ${pageCount} pages`);
  return { page, bytes: body.subarray(MARK_BYTES) };
}

/** @throws ProtocolError when the body is not exactly two numbers. */
export function decodeMark(body: Buffer): [first: number, second: number] {
  if (body.length !== MARK_BYTES)
    throw new ProtocolError(`a mark has ${MARK_BYTES} bytes, not ${body.length}`);
  return [body.readUInt32BE(0), body.readUInt32BE(4)];
}

/** Runs of set bits in a region's map, as [first, pastLast]. */
export function runsOf(map: Int32Array): [first: number, pastLast: number][] {
  const runs: [number, number][] = [];
  let from = -1;
  for (let page = 0; page < REGION_PAGES; page++) {
    const isSet = ((map[page >>> 5]! >>> (page & 31)) & 1) !== 0;
    if (isSet && from < 0) from = page;
    if (!isSet && from >= 0) {
      runs.push([from, page]);
      from = -1;
    }
  }
  if (from >= 0) runs.push([from, REGION_PAGES]);
  return runs;
}
