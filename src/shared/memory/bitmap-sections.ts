// The packed form of a bitmap: its blocks in order, each behind the number that says its kind. The reader's input is hostile.
// Knows bytes and blocks; the header before them is compacted-bitmap.ts, and what is in a block the kernels'.
import {
  BLOCK_BYTES_MAX,
  BLOCK_PAGES,
  BlockKind,
  BlockProblem,
  blockProblem,
  blockWords,
  unpackBlock,
} from './bitmap-kernels.js';

/** An encoded bitmap that does not decode: what was wrong and at which byte. */
export class BitmapError extends Error {
  override readonly name = 'BitmapError';
}

/** A kind takes three bits of a section's number, how many blocks of it beyond the first take the rest. */
const KIND_BITS = 3;
const KIND_MASK = (1 << KIND_BITS) - 1;
const NUMBER_BYTES_MAX = 4;

/** The most that a section takes. */
export const SECTION_BYTES_MAX = NUMBER_BYTES_MAX + BLOCK_BYTES_MAX;

/** Puts sections together from blocks in order; `put` is given parts that are good for good. */
export class SectionWriter {
  readonly #put: (part: Uint8Array) => void;
  /** Blocks in a row that are all clear, or all set, and not written yet. */
  #kind: number = BlockKind.CLEAR;
  #blocks = 0;

  constructor(put: (part: Uint8Array) => void) {
    this.#put = put;
  }

  /** The next block; one that is clear or set has no `body`. */
  add(kind: number, body?: Uint8Array): void {
    if (kind !== this.#kind) this.#flush();
    if (body === undefined) {
      this.#kind = kind;
      this.#blocks++;
      return;
    }
    this.#flush();
    this.#put(Uint8Array.of(kind));
    this.#put(body);
  }

  /** After the last block. What is clear up to the end is not written. */
  end(): void {
    if (this.#kind !== BlockKind.CLEAR) this.#flush();
  }

  #flush(): void {
    if (this.#blocks > 0) this.#put(numberOf(((this.#blocks - 1) << KIND_BITS) | this.#kind));
    this.#blocks = 0;
  }
}

function numberOf(value: number): Uint8Array {
  const bytes: number[] = [];
  for (; value >= 0x80; value >>>= 7) bytes.push((value & 0x7f) | 0x80);
  return Uint8Array.of(...bytes, value);
}

/** Takes a block that is not clear: `words` are its bits, good until it returns. */
export type PlaceBlock = (firstPage: number, words: Int32Array) => void;

/** Reads the sections of a bitmap of `pageCount` pages; what is wrong is thrown at the section that it is in. */
export class SectionReader {
  readonly #pageCount: number;
  readonly #place: PlaceBlock;
  #page = 0;
  /** Of the section before. */
  #kind: number | undefined;
  #consumed = 0;
  /** Of the number that was read last. */
  #numberBytes = 0;

  constructor(pageCount: number, place: PlaceBlock) {
    this.#pageCount = pageCount;
    this.#place = place;
  }

  /**
   * Reads whole sections as long as one more is sure to lie in `bytes`, which continue those that were read, and with
   * `isLast` up to the end. Answers how many bytes it read.
   * @throws BitmapError
   */
  read(bytes: Uint8Array, isLast: boolean): number {
    let at = 0;
    while (isLast ? at < bytes.length : bytes.length - at >= SECTION_BYTES_MAX) {
      const length = this.#readSection(at === 0 ? bytes : bytes.subarray(at));
      at += length;
      this.#consumed += length;
    }
    if (isLast && this.#kind === BlockKind.CLEAR)
      throw new BitmapError('the bitmap says that its last pages are clear');
    return at;
  }

  #readSection(bytes: Uint8Array): number {
    const number = this.#readNumber(bytes);
    const kind = number & KIND_MASK;
    const blocks = (number >>> KIND_BITS) + 1;
    const isUniform = kind === BlockKind.CLEAR || kind === BlockKind.SET;
    if (kind > BlockKind.SPLIT || (blocks > 1 && !isUniform)) throw this.#error('is of no known kind');
    if (isUniform && kind === this.#kind) throw this.#error('belongs to the one before it');
    if (this.#page + (blocks - 1) * BLOCK_PAGES >= this.#pageCount)
      throw this.#error(`lies past page ${this.#pageCount}`);
    this.#kind = kind;
    if (isUniform) return this.#passUniform(kind, blocks);
    const pages = Math.min(BLOCK_PAGES, this.#pageCount - this.#page);
    const length = unpackBlock(bytes.subarray(this.#numberBytes), kind, pages);
    if (length < 0) throw this.#blockError();
    this.#place(this.#page, blockWords.subarray(0, Math.ceil(pages / 32)));
    this.#page += BLOCK_PAGES;
    return this.#numberBytes + length;
  }

  #passUniform(kind: number, blocks: number): number {
    for (let nth = 0; nth < blocks; nth++, this.#page += BLOCK_PAGES) {
      if (kind === BlockKind.CLEAR) continue;
      const pages = Math.min(BLOCK_PAGES, this.#pageCount - this.#page);
      unpackBlock(bytesOfNothing, kind, pages);
      this.#place(this.#page, blockWords.subarray(0, Math.ceil(pages / 32)));
    }
    return this.#numberBytes;
  }

  #readNumber(bytes: Uint8Array): number {
    let value = 0;
    for (let nth = 0; nth < NUMBER_BYTES_MAX; nth++) {
      const byte = bytes[nth];
      if (byte === undefined) throw this.#error('is cut short');
      value |= (byte & 0x7f) << (7 * nth);
      if (byte >= 0x80) continue;
      if (byte === 0 && nth > 0) throw this.#error('has a number that is not in its shortest form');
      this.#numberBytes = nth + 1;
      return value;
    }
    throw this.#error('is larger than any guest');
  }

  #error(what: string): BitmapError {
    return new BitmapError(`the section at byte ${this.#consumed} of the bitmap ${what}`);
  }

  #blockError(): BitmapError {
    const [problem, at] = blockProblem();
    const where = this.#consumed + this.#numberBytes + at;
    return new BitmapError(`the bitmap's block at page ${this.#page} ${sentences[problem]} (byte ${where})`);
  }
}

const bytesOfNothing = new Uint8Array(0);

const sentences: Readonly<Record<number, string>> = {
  [BlockProblem.CUT_SHORT]: 'is cut short',
  [BlockProblem.NOT_ASCENDING]: 'has numbers that do not ascend',
  [BlockProblem.NOT_SO_MANY]: 'has other numbers than it says, or one past its end',
  [BlockProblem.NOT_SHORTEST]: 'has a number that is not in its shortest form',
  [BlockProblem.NOT_THERE]: 'says how many in a number that makes no sense',
  [BlockProblem.NOT_LIGHTEST]: 'is not in its lightest form',
  [BlockProblem.SPARE_BITS]: 'has bits set that mean nothing',
  [BlockProblem.UNKNOWN_KIND]: 'has a part of no known kind',
};
