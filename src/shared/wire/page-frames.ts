// Frames of the page and fault connections: windows of pages and the marks between rounds. Raw bytes, no msgpack.
// Pure; who may send them when is docs/protocol.md.
import { ProtocolError } from '../errors.js';
import { bitCount32 } from '../memory/page-bitmap.js';
import { PAGE_BYTES, REGION_PAGES } from '../memory/pages.js';
import { encodeHeader, FRAME_HEADER_BYTES } from './frames.js';

/** PAGES body before the pages: round u32, window u32, bits of the pages that follow, bits of the zero pages. */
export const WINDOW_MAP_BYTES = REGION_PAGES / 8;
export const WINDOW_HEAD_BYTES = 8 + 2 * WINDOW_MAP_BYTES;

/** Flag of a PAGES frame: the guest already runs at the destination, so a page is placed only where it is absent. */
export const PUSHED = 1;

const WINDOW_MAP_WORDS = WINDOW_MAP_BYTES / 4;

/** What a PAGES frame brings: which pages of the window, first those with bytes, and those that are zero. */
export interface WindowHead {
  readonly round: number;
  readonly window: number;
  /** 16 words, bit `n & 31` of word `n >>> 5` for the window's page n. */
  readonly sent: Int32Array;
  readonly zero: Int32Array;
}

/** Header and head of a PAGES frame in one buffer; the bytes of the sent pages follow in page order. */
export function encodeWindowHead({ round, window, sent, zero }: WindowHead, flags: number): Buffer {
  const head = Buffer.alloc(FRAME_HEADER_BYTES + WINDOW_HEAD_BYTES);
  encodeHeader('PAGES', WINDOW_HEAD_BYTES + countPages(sent) * PAGE_BYTES, flags).copy(head);
  head.writeUInt32BE(round, FRAME_HEADER_BYTES);
  head.writeUInt32BE(window, FRAME_HEADER_BYTES + 4);
  for (let index = 0; index < WINDOW_MAP_WORDS; index++) {
    head.writeInt32LE(sent[index]!, FRAME_HEADER_BYTES + 8 + index * 4);
    head.writeInt32LE(zero[index]!, FRAME_HEADER_BYTES + 8 + WINDOW_MAP_BYTES + index * 4);
  }
  return head;
}

/**
 * Reads the head of a PAGES body of `bodyBytes` for a guest of `pageCount` pages.
 * @throws ProtocolError for a window or page outside of the guest, a page named twice, or a length that does not fit.
 */
export function decodeWindowHead(bytes: Buffer, bodyBytes: number, pageCount: number): WindowHead {
  if (bodyBytes < WINDOW_HEAD_BYTES)
    throw new ProtocolError(`a PAGES frame of ${bodyBytes} bytes is cut short`);
  const round = bytes.readUInt32BE(0);
  const window = bytes.readUInt32BE(4);
  const pagesInWindow = Math.min(REGION_PAGES, pageCount - window * REGION_PAGES);
  if (pagesInWindow <= 0)
    throw new ProtocolError(`window ${window} lies outside of a guest of ${pageCount} pages`);
  const sent = new Int32Array(WINDOW_MAP_WORDS);
  const zero = new Int32Array(WINDOW_MAP_WORDS);
  for (let index = 0; index < WINDOW_MAP_WORDS; index++) {
    sent[index] = bytes.readInt32LE(8 + index * 4);
    zero[index] = bytes.readInt32LE(8 + WINDOW_MAP_BYTES + index * 4);
    const validPages = Math.max(0, Math.min(32, pagesInWindow - index * 32));
    const invalid = validPages === 32 ? 0 : -1 << validPages;
    if (((sent[index]! | zero[index]!) & invalid) !== 0) {
      throw new ProtocolError(`window ${window} names a page past the guest's ${pageCount}`);
    }
    if ((sent[index]! & zero[index]!) !== 0)
      throw new ProtocolError(`window ${window} names a page as sent and as zero`);
  }
  if (bodyBytes !== WINDOW_HEAD_BYTES + countPages(sent) * PAGE_BYTES) {
    throw new ProtocolError(
      `window ${window} announces ${countPages(sent)} pages in a frame of ${bodyBytes} bytes`,
    );
  }
  return { round, window, sent, zero };
}

/** Number of pages in a window's map. */
export function countPages(map: Int32Array): number {
  let total = 0;
  for (const word of map) total += bitCount32(word);
  return total;
}

/** A mark of two numbers: ROUND_END and ROUND_PLACED (round, pages of this connection), PAGE_WANTED (page, 0). */
export const MARK_BYTES = 8;

export function encodeMark(
  name: 'ROUND_END' | 'ROUND_PLACED' | 'PAGE_WANTED',
  first: number,
  second: number,
): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + MARK_BYTES);
  encodeHeader(name, MARK_BYTES).copy(frame);
  frame.writeUInt32BE(first, FRAME_HEADER_BYTES);
  frame.writeUInt32BE(second, FRAME_HEADER_BYTES + 4);
  return frame;
}

/** PAGE_SENT: the page's number and its bytes. */
export function encodePageSent(page: number, bytes: Uint8Array): Buffer {
  const frame = Buffer.alloc(FRAME_HEADER_BYTES + MARK_BYTES + PAGE_BYTES);
  encodeHeader('PAGE_SENT', MARK_BYTES + PAGE_BYTES).copy(frame);
  frame.writeUInt32BE(page, FRAME_HEADER_BYTES);
  frame.set(bytes, FRAME_HEADER_BYTES + MARK_BYTES);
  return frame;
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
