// The hashes of all pages of a guest that was handed over, region by region, as frames.
// Reads memory that nobody writes any more; the copier owns the connection.
import type { MemoryViews } from '../../shared/memory/layout.js';
import { PageHashes } from '../../shared/memory/page-hashes.js';
import { PageState, REGION_PAGES, REGION_WORDS } from '../../shared/memory/pages.js';
import { slotsOf } from '../../shared/memory/regions.js';
import { encodeHashes } from '../../shared/wire/hash-frames.js';
import type { CopierRegions } from './frame-order.js';
import type { RegionFrame } from './region-writer.js';

export class HashWriter {
  readonly #views: MemoryViews;
  readonly #hashes: PageHashes;

  constructor(views: MemoryViews) {
    this.#views = views;
    this.#hashes = new PageHashes(views);
  }

  /** The regions that a copier tells of, in their order. */
  regionsOf({ first, stride }: CopierRegions): number[] {
    return slotsOf(this.#views.regions).flatMap(([slot]) => (slot % stride === first ? [slot] : []));
  }

  /** The frame of a region; its pages count as zero pages, for their bytes do not follow. */
  frame(round: number, region: number): RegionFrame {
    const sent = new Int32Array(REGION_WORDS);
    const zero = new Int32Array(REGION_WORDS);
    const hashes: bigint[] = [];
    let zeroPages = 0;
    for (let index = 0; index < REGION_PAGES; index++) {
      const page = region * REGION_PAGES + index;
      if (page >= this.#views.pageCount || this.#views.pageTable[page] === PageState.OUTSIDE) break;
      const hash = this.#hashes.hashOf(page);
      zeroPages++;
      if (hash === 0n) zero[index >>> 5]! |= 1 << (index & 31);
      else {
        sent[index >>> 5]! |= 1 << (index & 31);
        hashes.push(hash);
      }
    }
    const frame = encodeHashes({ round, region, sent, zero }, hashes);
    return {
      parts: [frame],
      isStaged: false,
      frameBytes: frame.length,
      sentPages: 0,
      zeroPages,
      pastLast: REGION_PAGES,
    };
  }
}
