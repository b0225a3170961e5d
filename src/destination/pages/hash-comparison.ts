// Compares what the source had at the hand-over with what was placed here, page by page; and with memory as it is now, where
// nothing has been stored to a page since. Knows no connection; docs/decisions/0032-verify.md says what it proves.
import { ProtocolError } from '../../shared/errors.js';
import { MISMATCHES_TOLD_MAX } from '../../shared/limits.js';
import type { MemoryViews } from '../../shared/memory/layout.js';
import { PageState, REGION_PAGES, type PageNumber } from '../../shared/memory/pages.js';
import { decodeHashes } from '../../shared/wire/hash-frames.js';
import type { RegionHead } from '../../shared/wire/page-frames.js';
import type { PlacedHashes } from './placed-hashes.js';

/** What one connection's comparison came to, or that of all. */
export interface Compared {
  readonly windows: number;
  readonly pages: number;
  readonly rereadPages: number;
  readonly mismatchedPages: number;
  /** The first of them, by their addresses in the guest. */
  readonly mismatched: readonly PageNumber[];
}

export class HashComparison {
  readonly #views: MemoryViews;
  readonly #placed: Pick<PlacedHashes, 'of' | 'now'>;
  readonly #awaitGracePeriod: () => boolean;
  #windows = 0;
  #pages = 0;
  #rereadPages = 0;
  #mismatchedPages = 0;
  #mismatched: PageNumber[] = [];

  /** `awaitGracePeriod`: every vCPU has passed a safepoint since; false when one does not come to its. */
  constructor(views: MemoryViews, placed: Pick<PlacedHashes, 'of' | 'now'>, awaitGracePeriod: () => boolean) {
    this.#views = views;
    this.#placed = placed;
    this.#awaitGracePeriod = awaitGracePeriod;
  }

  /**
   * Takes the body of a HASHES frame; answers its head, for whoever knows which comes next: `check` throws if it is another.
   * @throws ProtocolError when it is none, names other pages than its region has, or one that has not arrived.
   */
  take(body: Buffer, check: (head: RegionHead) => void): RegionHead {
    const { head, hashes } = decodeHashes(body, this.#views.pageCount);
    check(head);
    const owner = this.#views.regions.regionAt(head.region);
    if (owner === undefined || head.region < this.#views.regions.first)
      throw new ProtocolError(`hashes came for slot ${head.region}, which is nobody's`);
    let next = 0;
    for (let index = 0; index < REGION_PAGES; index++) {
      const page = head.region * REGION_PAGES + index;
      const isHashed = ((head.sent[index >>> 5]! >>> (index & 31)) & 1) !== 0;
      const isZero = ((head.zero[index >>> 5]! >>> (index & 31)) & 1) !== 0;
      const isThere = page < this.#views.pageCount && this.#views.pageTable[page] !== PageState.OUTSIDE;
      if (isThere !== (isHashed || isZero))
        throw new ProtocolError(
          `the hashes of region ${head.region} are not of all its pages and of no other`,
        );
      if (!isThere) continue;
      const isRight = this.#isRight(page, isHashed ? hashes[next++]! : 0n);
      this.#pages++;
      if (!isRight) this.#noteMismatch(owner * REGION_PAGES + index);
    }
    this.#windows++;
    return head;
  }

  // What was placed is noted before the page's state says so, and the state is loaded first.
  #isRight(page: PageNumber, expected: bigint): boolean {
    const { pageTable } = this.#views;
    const state = Atomics.load(pageTable, page);
    if (state >= PageState.ABSENT)
      throw new ProtocolError(`the hash of page ${page} came before the page has arrived`);
    if (this.#placed.of(page) !== expected) return false;
    if (state !== PageState.TRACED) return true;
    if (this.#placed.now(page) === expected) {
      this.#rereadPages++;
      return true;
    }
    // A store to it may be seen before the page fire that was stored before it; not after a grace period.
    return !this.#awaitGracePeriod() || Atomics.load(pageTable, page) !== PageState.TRACED;
  }

  #noteMismatch(page: PageNumber): void {
    this.#mismatchedPages++;
    if (this.#mismatched.length < MISMATCHES_TOLD_MAX) this.#mismatched.push(page);
  }

  /** What it came to since it was last asked; undefined when nothing was compared. */
  takeResult(): Compared | undefined {
    if (this.#windows === 0) return undefined;
    const result = {
      windows: this.#windows,
      pages: this.#pages,
      rereadPages: this.#rereadPages,
      mismatchedPages: this.#mismatchedPages,
      mismatched: this.#mismatched,
    };
    this.#windows = this.#pages = this.#rereadPages = this.#mismatchedPages = 0;
    this.#mismatched = [];
    return result;
  }
}

/** All of it together, in the order of addresses. */
export function addUpCompared(parts: readonly Compared[]): Compared {
  const sum = (pick: (part: Compared) => number): number =>
    parts.reduce((total, part) => total + pick(part), 0);
  return {
    windows: sum((part) => part.windows),
    pages: sum((part) => part.pages),
    rereadPages: sum((part) => part.rereadPages),
    mismatchedPages: sum((part) => part.mismatchedPages),
    mismatched: parts
      .flatMap((part) => part.mismatched)
      .sort((one, other) => one - other)
      .slice(0, MISMATCHES_TOLD_MAX),
  };
}
