// A set of pages, one bit each, over words that threads may share.
// Plain operations: whoever writes a bitmap owns it until a message hands it on (docs/memory-model.md).
import { countBits, countEdges } from './bitmap-kernels.js';
import { REGION_PAGES, REGION_WORDS, type PageNumber } from './pages.js';

/** Bits that the kernels tell apart, and the words that Node 20 has views for. */
export const PAGES_MAX = 2 ** 31;

/** One bit a page: page `p` is bit `p & 31` of word `p >>> 5`, so the bytes are little-endian bit order. */
export class PageBitmap {
  readonly pageCount: number;
  readonly words: Int32Array;

  /** A set over `words`, or a new empty one, of up to `PAGES_MAX` pages; bits past `pageCount` are never set. */
  constructor(pageCount: number, words: Int32Array = new Int32Array(Math.ceil(pageCount / 32))) {
    if (pageCount > PAGES_MAX) throw new RangeError(`a bitmap of ${pageCount} pages is one of too many`);
    this.pageCount = pageCount;
    this.words = words;
  }

  has(page: PageNumber): boolean {
    return ((this.words[page >>> 5]! >>> (page & 31)) & 1) !== 0;
  }

  add(page: PageNumber): void {
    this.words[page >>> 5]! |= 1 << (page & 31);
  }

  remove(page: PageNumber): void {
    this.words[page >>> 5]! &= ~(1 << (page & 31));
  }

  clear(): void {
    this.words.fill(0);
  }

  /** Every page of the guest. */
  fill(): void {
    this.words.fill(-1);
    const rest = this.pageCount & 31;
    if (rest !== 0) this.words[this.words.length - 1] = (1 << rest) - 1;
  }

  count(): number {
    return countBits(this.words);
  }

  /**
   * Pages that differ from the one before them, with a clear page before the first and one after the last: twice the
   * number of runs.
   */
  edgeCount(): number {
    return countEdges(this.words);
  }

  /** The same words as a set of its first pages only. */
  upTo(pageCount: number): PageBitmap {
    return new PageBitmap(pageCount, this.words.subarray(0, Math.ceil(pageCount / 32)));
  }

  /** The set pages of each region, in their order. */
  countPerRegion(): number[] {
    return Array.from({ length: Math.ceil(this.pageCount / REGION_PAGES) }, (_, region) => {
      const ofRegion = this.words.subarray(region * REGION_WORDS, (region + 1) * REGION_WORDS);
      return ofRegion.reduce((total, word) => total + bitCount32(word), 0);
    });
  }

  /**
   * The next run of set pages at or after `from` and before `end`, as `[first, pastLast]`; undefined when there is
   * none. Skips 32 pages at a time, so it costs what is set and a thirty-second of what is not.
   */
  nextRun(
    from: PageNumber,
    end: PageNumber = this.pageCount,
  ): [first: PageNumber, pastLast: PageNumber] | undefined {
    const first = this.nextSet(from, end);
    if (first >= end) return undefined;
    return [first, this.nextClear(first, end)];
  }

  /** The first set page at or after `from` and before `end`; `end` when there is none. Allocates nothing. */
  nextSet(from: PageNumber, end: PageNumber = this.pageCount): PageNumber {
    return this.#nextThatDiffers(from, end, 0);
  }

  /** The first clear page at or after `from` and before `end`; `end` when there is none. Allocates nothing. */
  nextClear(from: PageNumber, end: PageNumber = this.pageCount): PageNumber {
    return this.#nextThatDiffers(from, end, -1);
  }

  // First page in [from, end) whose bit differs from `skip`.
  #nextThatDiffers(from: number, end: number, skip: 0 | -1): number {
    let page = from;
    while (page < end) {
      const differing = (this.words[page >>> 5]! ^ skip) >>> (page & 31);
      if (differing !== 0) return Math.min(end, page + trailingZeros32(differing));
      page += 32 - (page & 31);
    }
    return end;
  }
}

/** Number of set bits in a 32-bit word (Hacker's Delight, 5-1). */
export function bitCount32(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

function trailingZeros32(word: number): number {
  return 31 - Math.clz32(word & -word);
}
