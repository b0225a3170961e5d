// Cuts a bitmap of pages into regions and each region into the parts of a frame, straight from guest memory.
// Pure but for reading memory; the copier owns the socket.
import type { MemoryViews } from '../../shared/memory/layout.js';
import type { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { PAGE_BYTES, REGION_PAGES } from '../../shared/memory/pages.js';
import {
  CHECKED,
  encodePagesCheck,
  encodeRegionHead,
  REGION_MAP_BYTES,
  runsOf,
  type RegionHead,
} from '../../shared/wire/page-frames.js';

/** Pages of a region that go into one frame. */
interface RegionPiece extends Pick<RegionHead, 'sent' | 'zero'> {
  readonly sentPages: number;
  readonly zeroPages: number;
  readonly pastLast: number;
}

/** A PAGES frame as parts for the socket; parts over guest memory are not copies. */
export interface RegionFrame {
  readonly parts: readonly Uint8Array[];
  readonly frameBytes: number;
  readonly sentPages: number;
  readonly zeroPages: number;
  /** The region's page from which on nothing was looked at: REGION_PAGES when the frame brings all the rest of it. */
  readonly pastLast: number;
}

/** Runs shorter than this are gathered into one copy: a part costs more than moving a few pages. */
const DIRECT_RUN_PAGES = 16;

const REGION_WORDS = REGION_MAP_BYTES / 4;

/** A frame gathers so many bytes at the most. */
const GATHERED_BYTES_MAX = REGION_PAGES * PAGE_BYTES;

export class RegionWriter {
  readonly #views: MemoryViews;
  readonly #words: Int32Array;
  /** Gathered pages lie here, one frame's after the other's and round and round. */
  readonly #ring: Buffer;
  #ringAt = 0;

  /**
   * `queuedBytesMax`: no frame is made while more than so many bytes of earlier ones wait to be sent. What a frame
   * gathered stays as it is for that long.
   */
  constructor(views: MemoryViews, queuedBytesMax: number) {
    this.#views = views;
    // Fresh memory for each frame would cost a page fault for each page. Room for what waits, for the frame that is
    // written, for the one that is made, and for what is left at the ring's end.
    this.#ring = Buffer.allocUnsafeSlow(queuedBytesMax + 3 * GATHERED_BYTES_MAX).fill(0);
    this.#words = new Int32Array(views.buffer, views.pagesOffset, views.memoryBytes >>> 2);
  }

  /**
   * The frame for those of `region`'s pages from its page `from` on that are in `pages`, up to `sentPagesMax` with bytes;
   * undefined when none is left.
   */
  frame(
    pages: PageBitmap,
    round: number,
    region: number,
    flags: number,
    from = 0,
    sentPagesMax = REGION_PAGES,
  ): RegionFrame | undefined {
    const piece = this.#pieceOf(pages, region, from, sentPagesMax);
    const { sent, zero, sentPages, zeroPages, pastLast } = piece;
    if (sentPages + zeroPages === 0) return undefined;
    const head = encodeRegionHead({ round, region, sent, zero }, flags);
    const bodies = this.#pageParts(region * REGION_PAGES, sent);
    const parts = (flags & CHECKED) === 0 ? [head, ...bodies] : [head, ...bodies, encodePagesCheck(bodies)];
    return {
      parts,
      frameBytes: parts.reduce((total, part) => total + part.length, 0),
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

  // Long runs as views of guest memory; everything between two of them in one gathered copy.
  #pageParts(firstPage: number, sent: Int32Array): Uint8Array[] {
    const { bytes } = this.#views;
    const parts: Uint8Array[] = [];
    const runs = runsOf(sent);
    const gatheredPages = runs.reduce(
      (total, [from, to]) => (to - from < DIRECT_RUN_PAGES ? total + to - from : total),
      0,
    );
    const gathered = this.#takeRing(gatheredPages * PAGE_BYTES);
    let gatheredFrom = 0;
    let gatheredTo = 0;
    const flush = (): void => {
      if (gatheredTo > gatheredFrom) parts.push(gathered.subarray(gatheredFrom, gatheredTo));
      gatheredFrom = gatheredTo;
    };
    for (const [from, to] of runs) {
      const run = bytes.subarray((firstPage + from) * PAGE_BYTES, (firstPage + to) * PAGE_BYTES);
      if (to - from < DIRECT_RUN_PAGES) {
        gathered.set(run, gatheredTo);
        gatheredTo += run.length;
      } else {
        flush();
        parts.push(run);
      }
    }
    flush();
    return parts;
  }

  #takeRing(bytes: number): Buffer {
    if (this.#ringAt + bytes > this.#ring.length) this.#ringAt = 0;
    const from = this.#ringAt;
    this.#ringAt += bytes;
    return this.#ring.subarray(from, this.#ringAt);
  }

  // Most pages that are not zero differ from it in their first words.
  #isZero(page: number): boolean {
    const words = this.#words;
    const first = page * (PAGE_BYTES / 4);
    const end = first + PAGE_BYTES / 4;
    for (let index = first; index < end; index += 4) {
      if ((words[index]! | words[index + 1]! | words[index + 2]! | words[index + 3]!) !== 0) return false;
    }
    return true;
  }
}
