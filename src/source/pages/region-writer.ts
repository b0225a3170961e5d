// Cuts a bitmap of pages into regions and each region into the parts of a frame, straight from guest memory.
// Pure but for reading memory; the copier owns the socket.
import type { MemoryViews } from '../../shared/memory/layout.js';
import type { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { NO_PAGES, PageHashes } from '../../shared/memory/page-hashes.js';
import { PAGE_BYTES, REGION_PAGES, REGION_WORDS } from '../../shared/memory/pages.js';
import { addressOf, SEGMENT_PAGE_SHIFT, type Segment } from '../../shared/memory/segments.js';
import { CHECKED, encodeRegionHead, runsOf, type RegionHead } from '../../shared/wire/page-frames.js';
import type { Staging } from './staging.js';

/** Pages of a region, [first, pastLast). */
type Run = readonly [first: number, pastLast: number];

/** Pages of a region that go into one frame. */
interface RegionPiece extends Pick<RegionHead, 'sent' | 'zero'> {
  readonly sentPages: number;
  readonly zeroPages: number;
  readonly pastLast: number;
}

/** A PAGES frame as parts for the socket; parts over guest memory are not copies. */
export interface RegionFrame {
  readonly parts: readonly Uint8Array[];
  /** Whether they are copies that are staged until the kernel has them. */
  readonly isStaged: boolean;
  readonly frameBytes: number;
  readonly sentPages: number;
  readonly zeroPages: number;
  /** The region's page from which on nothing was looked at: REGION_PAGES when the frame brings all the rest of it. */
  readonly pastLast: number;
}

/** A segment as this side reads it. */
interface ReadSegment extends Segment {
  readonly words: Int32Array;
  /**
   * Its memory as a Buffer, so that its parts are Buffers too: a stream wraps a plain view once more, and that costs as
   * much as all else that it does with it.
   */
  readonly whole: Buffer;
}

export class RegionWriter {
  readonly #segments: readonly ReadSegment[];
  readonly #hashes: PageHashes;

  constructor({ segments }: Pick<MemoryViews, 'segments'>) {
    this.#hashes = new PageHashes({ segments });
    this.#segments = segments.map((segment) => ({
      ...segment,
      words: new Int32Array(segment.buffer),
      whole: Buffer.from(segment.buffer),
    }));
  }

  /**
   * The frame for those of `region`'s pages from its page `from` on that are in `pages`, up to `sentPagesMax` with bytes;
   * undefined when none is left. With `staging`, which has room, its pages are copied: a guest that runs may store to them
   * before the kernel takes them, and then they would not fit their check.
   */
  frame(
    pages: PageBitmap,
    round: number,
    region: number,
    flags: number,
    from = 0,
    sentPagesMax = REGION_PAGES,
    staging?: Staging,
  ): RegionFrame | undefined {
    const piece = this.#pieceOf(pages, region, from, sentPagesMax);
    const { sent, zero, sentPages, zeroPages, pastLast } = piece;
    if (sentPages + zeroPages === 0) return undefined;
    const runs = runsOf(sent);
    const inPlace = this.#pageParts(region * REGION_PAGES, runs);
    const pagesBytes = sentPages * PAGE_BYTES;
    const staged = sentPages === 0 ? undefined : staging?.stage(inPlace, pagesBytes);
    const check =
      (flags & CHECKED) === 0 ? NO_PAGES : (staged?.check ?? this.#checkOf(region * REGION_PAGES, runs));
    const head = encodeRegionHead({ round, region, sent, zero }, flags, check);
    return {
      parts: [head, ...(staged === undefined ? inPlace : [staged.bytes])],
      isStaged: staged !== undefined,
      frameBytes: head.length + pagesBytes,
      sentPages,
      zeroPages,
      pastLast,
    };
  }

  #pieceOf(pages: PageBitmap, region: number, from: number, sentPagesMax: number): RegionPiece {
    const firstPage = region * REGION_PAGES;
    const sent = new Int32Array(REGION_WORDS);
    const zero = new Int32Array(REGION_WORDS);
    let sentPages = 0;
    let zeroPages = 0;
    for (let index = from >>> 5; index < REGION_WORDS; index++) {
      // The last region may end before its map does.
      let rest = pages.words[(firstPage >>> 5) + index] ?? 0;
      if (index === from >>> 5) rest &= -1 << (from & 31);
      while (rest !== 0) {
        const bit = 31 - Math.clz32(rest & -rest);
        rest &= rest - 1;
        if (this.#isZero(firstPage + index * 32 + bit)) {
          zero[index]! |= 1 << bit;
          zeroPages++;
        } else if (sentPages === sentPagesMax) {
          return { sent, zero, sentPages, zeroPages, pastLast: index * 32 + bit };
        } else {
          sent[index]! |= 1 << bit;
          sentPages++;
        }
      }
    }
    return { sent, zero, sentPages, zeroPages, pastLast: REGION_PAGES };
  }

  // Nothing is gathered, not even single pages: the kernel takes a part for less than a copy of it costs.
  #pageParts(firstPage: number, runs: readonly Run[]): Buffer[] {
    const segment = this.#segmentOf(firstPage);
    const address = addressOf(segment, firstPage);
    return runs.map(([from, to]) =>
      segment.whole.subarray(address + from * PAGE_BYTES, address + to * PAGE_BYTES),
    );
  }

  #checkOf(firstPage: number, runs: readonly Run[]): bigint {
    return runs.reduce(
      (fold, [from, to]) => this.#hashes.fold(firstPage + from, firstPage + to, fold),
      NO_PAGES,
    );
  }

  #segmentOf(page: number): ReadSegment {
    return this.#segments[page >>> SEGMENT_PAGE_SHIFT]!;
  }

  // Most pages that are not zero differ from it in their first word: then no kernel need be called.
  #isZero(page: number): boolean {
    const segment = this.#segmentOf(page);
    const address = addressOf(segment, page);
    return segment.words[address / 4] === 0 && segment.kernels.isZeroPage(address) !== 0;
  }
}
