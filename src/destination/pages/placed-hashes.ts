// Of each page of a guest that comes the hash of what was placed last: what its source had at the hand-over must have the
// same. Whoever places a page notes it, before anybody may store to it; docs/memory-model.md has the order.
import type { MemoryViews } from '../../shared/memory/layout.js';
import { PageHashes } from '../../shared/memory/page-hashes.js';
import { REGION_PAGES, type PageNumber } from '../../shared/memory/pages.js';
import { runsOf, type RegionHead } from '../../shared/wire/page-frames.js';

/** Room for a hash of each page: all are of zeros, as the memory is. */
export function allocatePlacedHashes(pageCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(8 * pageCount);
}

export class PlacedHashes {
  readonly #table: BigInt64Array;
  readonly #hashes: PageHashes;

  constructor(buffer: SharedArrayBuffer, views: MemoryViews) {
    this.#table = new BigInt64Array(buffer);
    this.#hashes = new PageHashes(views);
  }

  /** The hash of what was placed last. Its page's state is loaded with Atomics first. */
  of(page: PageNumber): bigint {
    return this.#table[page]!;
  }

  /** The hash of what is in memory now. */
  now(page: PageNumber): bigint {
    return this.#hashes.hashOf(page);
  }

  /** A page was placed: what its memory holds now. */
  notePage(page: PageNumber): void {
    this.#table[page] = this.#hashes.hashOf(page);
  }

  /** The pages of a region were placed, and no vCPU runs yet. */
  noteRegion({ region, sent, zero }: RegionHead): void {
    const first = region * REGION_PAGES;
    for (const map of [sent, zero])
      for (const [from, pastLast] of runsOf(map))
        for (let page = first + from; page < first + pastLast; page++) this.notePage(page);
  }
}
