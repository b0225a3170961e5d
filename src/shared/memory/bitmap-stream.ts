// Encodes and decodes bitmaps of any number of pages in pieces, in bounded memory; the form is that of compacted-bitmap.ts.
// Knows bytes and blocks; where they come from, and where they go, is its caller's business.
import { BLOCK_PAGES, BLOCK_WORDS, BlockKind, packBlock, planBlock } from './bitmap-kernels.js';
import {
  BitmapError,
  SECTION_BYTES_MAX,
  SectionReader,
  SectionWriter,
  type PlaceBlock,
} from './bitmap-sections.js';
import {
  BITMAP_HEADER_BYTES,
  PACKED,
  RAW,
  rawBitmapBytes,
  readHeader,
  refuseSpareBits,
  writeHeader,
  type BitmapFormat,
} from './compacted-bitmap.js';

/** Pages of an address space of 2^53 bytes. */
export const STREAM_PAGES_MAX = 2 ** 41;

/**
 * Fills `words` with the bits from `firstPage` on, of a block of 2^20 pages or of the rest; none past the last page. False:
 * the block is clear, and `words` is not looked at.
 */
export type ReadBlock = (firstPage: number, words: Int32Array) => boolean;

/**
 * The bitmap in pieces, which put together are what `encodeBitmap` answers. Each block is read twice where it is to be
 * compacted: whether the whole is shorter than the raw form is known at its end. A piece is good until the next.
 */
export function* encodeInPieces(
  pageCount: number,
  read: ReadBlock,
  format: BitmapFormat,
): Generator<Uint8Array, void> {
  refusePageCount(pageCount);
  const isPacked =
    format === 'compacted' && packedBytes(pageCount, read) < rawBitmapBytes(pageCount) - BITMAP_HEADER_BYTES;
  const header = new Uint8Array(BITMAP_HEADER_BYTES);
  writeHeader(header, isPacked ? PACKED : RAW, pageCount);
  yield header;
  yield* isPacked ? packedPieces(pageCount, read) : rawPieces(pageCount, read);
}

function packedBytes(pageCount: number, read: ReadBlock): number {
  let total = 0;
  for (const piece of packedPieces(pageCount, read)) total += piece.length;
  return total;
}

function* packedPieces(pageCount: number, read: ReadBlock): Generator<Uint8Array, void> {
  const pieces: Uint8Array[] = [];
  const sections = new SectionWriter((piece) => pieces.push(piece));
  for (const [pages, words] of blocksOf(pageCount, read)) {
    const kind = words === undefined ? BlockKind.CLEAR : planBlock(words, pages);
    if (kind === BlockKind.CLEAR || kind === BlockKind.SET) sections.add(kind);
    else sections.add(kind, packBlock(pages).slice());
    yield* pieces.splice(0);
  }
  sections.end();
  yield* pieces;
}

function* rawPieces(pageCount: number, read: ReadBlock): Generator<Uint8Array, void> {
  const zeros = new Uint8Array(4 * BLOCK_WORDS);
  for (const [pages, words] of blocksOf(pageCount, read)) {
    const bytes = words === undefined ? zeros : new Uint8Array(words.buffer);
    yield bytes.subarray(0, Math.ceil(pages / 8));
  }
}

function* blocksOf(
  pageCount: number,
  read: ReadBlock,
): Generator<[pages: number, words: Int32Array | undefined], void> {
  const words = new Int32Array(BLOCK_WORDS);
  for (let page = 0; page < pageCount; page += BLOCK_PAGES) {
    const pages = Math.min(BLOCK_PAGES, pageCount - page);
    const ofBlock = words.subarray(0, Math.ceil(pages / 32));
    yield [pages, read(page, ofBlock) ? ofBlock : undefined];
  }
}

function refusePageCount(pageCount: number): void {
  if (!Number.isInteger(pageCount) || pageCount < 0 || pageCount > STREAM_PAGES_MAX)
    throw new RangeError(`a bitmap cannot have ${pageCount} pages`);
}

/**
 * Decodes an encoded bitmap that comes in pieces, cut anywhere, and hands its blocks on in order, but for clear ones. It
 * takes what `expand` takes and refuses what that refuses, but a block may have been handed on before. Holds two sections
 * at the most.
 */
export class BitmapDecoder {
  readonly #pageCount: number;
  readonly #place: PlaceBlock;
  readonly #sections: SectionReader;
  /** What has come and is not decoded. */
  readonly #held = new Uint8Array(2 * SECTION_BYTES_MAX);
  #heldBytes = 0;
  #format: number | undefined;
  /** Of all that came. */
  #bytes = 0;
  /** The next page of the raw form, and its block. */
  #rawPage = 0;
  readonly #rawWords = new Int32Array(BLOCK_WORDS);

  /** `place` is given words that are good until it returns. */
  constructor(pageCount: number, place: PlaceBlock) {
    refusePageCount(pageCount);
    this.#pageCount = pageCount;
    this.#place = place;
    this.#sections = new SectionReader(pageCount, place);
  }

  /**
   * The next piece.
   * @throws BitmapError; nothing may be pushed after that.
   */
  push(piece: Uint8Array): void {
    this.#bytes += piece.length;
    if (this.#bytes > rawBitmapBytes(this.#pageCount))
      throw new BitmapError('the bitmap is longer than its raw form');
    for (let at = 0; at < piece.length;) {
      const part = piece.subarray(at, at + this.#held.length - this.#heldBytes);
      this.#held.set(part, this.#heldBytes);
      this.#heldBytes += part.length;
      at += part.length;
      this.#decode(false);
    }
  }

  /**
   * Nothing follows.
   * @throws BitmapError
   */
  end(): void {
    if (this.#format === undefined) this.#drop(this.#readHeader());
    this.#decode(true);
    if (this.#format === PACKED && this.#bytes >= rawBitmapBytes(this.#pageCount))
      throw new BitmapError(`a packed bitmap of ${this.#bytes} bytes is not shorter than the raw one`);
    if (this.#format === RAW && this.#bytes !== rawBitmapBytes(this.#pageCount))
      throw new BitmapError(`a raw bitmap of ${this.#pageCount} pages does not take ${this.#bytes} bytes`);
  }

  #decode(isLast: boolean): void {
    if (this.#format === undefined) {
      if (this.#heldBytes < BITMAP_HEADER_BYTES) return;
      this.#drop(this.#readHeader());
    }
    const held = this.#held.subarray(0, this.#heldBytes);
    this.#drop(this.#format === RAW ? this.#placeRaw(held) : this.#sections.read(held, isLast));
  }

  #readHeader(): number {
    this.#format = readHeader(this.#held.subarray(0, this.#heldBytes), this.#pageCount);
    return BITMAP_HEADER_BYTES;
  }

  #drop(bytes: number): void {
    if (bytes === 0) return;
    this.#held.copyWithin(0, bytes, this.#heldBytes);
    this.#heldBytes -= bytes;
  }

  // Whole blocks only, and the last one.
  #placeRaw(held: Uint8Array): number {
    let at = 0;
    for (;;) {
      const pages = Math.min(BLOCK_PAGES, this.#pageCount - this.#rawPage);
      const byteCount = Math.ceil(pages / 8);
      if (pages <= 0 || at + byteCount > held.length) return at;
      const words = this.#rawWords.subarray(0, Math.ceil(pages / 32));
      const bytes = new Uint8Array(this.#rawWords.buffer);
      words[words.length - 1] = 0;
      bytes.set(held.subarray(at, at + byteCount));
      refuseSpareBits(bytes[byteCount - 1]!, pages);
      if (words.some((word) => word !== 0)) this.#place(this.#rawPage, words);
      this.#rawPage += pages;
      at += byteCount;
    }
  }
}
