// What one page connection has brought of the round under way, over as many sockets as that takes: rounds in order, each
// region on the connection that it belongs to; copied pages in order and none twice. Knows heads of regions and numbers only.
import { ProtocolError } from '../../shared/errors.js';
import { ROUNDS_MAX } from '../../shared/limits.js';
import { REGION_PAGES } from '../../shared/memory/pages.js';

import { countPages, type RegionHead } from '../../shared/wire/page-frames.js';

/** A connection's number among all page connections, and how many there are. */
export interface ConnectionShare {
  readonly index: number;
  readonly receivers: number;
}

export class IncomingRound {
  readonly #share: ConnectionShare;
  #round = 0;
  #regions = 0;
  #pages = 0;
  /** Pages before this one have been placed, or do not belong to this round. */
  #nextPage = 0;

  constructor(share: ConnectionShare) {
    this.#share = share;
  }

  /** The round under way: the first that is not wholly placed. */
  get round(): number {
    return this.#round;
  }

  /** Frames of it that were placed. */
  get regions(): number {
    return this.#regions;
  }

  get pages(): number {
    return this.#pages;
  }

  /**
   * `isPushed`: the pages come for a guest that runs. Each is placed once whatever comes, so they may come in any order.
   * @throws ProtocolError when a region does not come next.
   */
  check(head: RegionHead, isPushed: boolean): void {
    const { index, receivers } = this.#share;
    if (head.round !== this.#round)
      throw new ProtocolError(`a region of round ${head.round} came in round ${this.#round}`);
    if (head.region % receivers !== index) {
      throw new ProtocolError(`region ${head.region} came on connection ${index} of ${receivers}`);
    }
    const first = firstPageOf(head);
    if (first === undefined) throw new ProtocolError(`region ${head.region} has no pages`);
    if (!isPushed && first < this.#nextPage)
      throw new ProtocolError(`page ${first} came in round ${head.round} after page ${this.#nextPage - 1}`);
  }

  /** All pages of a checked region are placed. */
  notePlaced(head: RegionHead): void {
    this.#regions++;
    this.#pages += pagesOf(head);
    this.#nextPage = lastPageOf(head) + 1;
  }

  /**
   * The source says that `round` is over after `pages` pages; the next begins.
   * @throws ProtocolError when that is not what came.
   */
  end(round: number, pages: number): void {
    if (round !== this.#round)
      throw new ProtocolError(`round ${round} ends, but round ${this.#round} is under way`);
    if (pages !== this.#pages)
      throw new ProtocolError(`round ${round} ends after ${pages} pages, but ${this.#pages} came`);
    if (round >= ROUNDS_MAX) throw new ProtocolError(`round ${round} ends, and there are no more of them`);
    this.#round++;
    this.#regions = 0;
    this.#pages = 0;
    this.#nextPage = 0;
  }
}

/** How many pages a region brings, zero pages included. */
export function pagesOf({ sent, zero }: RegionHead): number {
  return countPages(sent) + countPages(zero);
}

/** Its first page; undefined when it brings none. */
export function firstPageOf({ region, sent, zero }: RegionHead): number | undefined {
  for (let index = 0; index < sent.length; index++) {
    const word = sent[index]! | zero[index]!;
    if (word !== 0) return region * REGION_PAGES + index * 32 + (31 - Math.clz32(word & -word));
  }
  return undefined;
}

/** Its last page; the one before the region when it brings none. */
export function lastPageOf({ region, sent, zero }: RegionHead): number {
  for (let index = sent.length - 1; index >= 0; index--) {
    const word = sent[index]! | zero[index]!;
    if (word !== 0) return region * REGION_PAGES + index * 32 + (31 - Math.clz32(word));
  }
  return region * REGION_PAGES - 1;
}
