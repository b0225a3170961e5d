// What one page connection has brought of the round under way, over as many sockets as that takes: rounds in order, each
// window on the connection that it belongs to, and no page twice. Knows heads of windows and numbers only.
import { ProtocolError } from '../../shared/errors.js';
import { REGION_PAGES } from '../../shared/memory/pages.js';

import { countPages, type WindowHead } from '../../shared/wire/page-frames.js';

/** A connection's number among all page connections, and how many there are. */
export interface ConnectionShare {
  readonly index: number;
  readonly receivers: number;
}

export class IncomingRound {
  readonly #share: ConnectionShare;
  #round = 0;
  #windows = 0;
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
  get windows(): number {
    return this.#windows;
  }

  get pages(): number {
    return this.#pages;
  }

  /** @throws ProtocolError when a window does not come next. */
  check(head: WindowHead): void {
    const { index, receivers } = this.#share;
    if (head.round !== this.#round)
      throw new ProtocolError(`a window of round ${head.round} came in round ${this.#round}`);
    if (head.window % receivers !== index) {
      throw new ProtocolError(`window ${head.window} came on connection ${index} of ${receivers}`);
    }
    const first = firstPageOf(head);
    if (first === undefined) throw new ProtocolError(`window ${head.window} has no pages`);
    if (first < this.#nextPage)
      throw new ProtocolError(`page ${first} came in round ${head.round} after page ${this.#nextPage - 1}`);
  }

  /** All pages of a checked window are placed. */
  notePlaced(head: WindowHead): void {
    this.#windows++;
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
    this.#round++;
    this.#windows = 0;
    this.#pages = 0;
    this.#nextPage = 0;
  }
}

/** How many pages a window brings, zero pages included. */
export function pagesOf({ sent, zero }: WindowHead): number {
  return countPages(sent) + countPages(zero);
}

function firstPageOf({ window, sent, zero }: WindowHead): number | undefined {
  for (let index = 0; index < sent.length; index++) {
    const word = sent[index]! | zero[index]!;
    if (word !== 0) return window * REGION_PAGES + index * 32 + (31 - Math.clz32(word & -word));
  }
  return undefined;
}

function lastPageOf({ window, sent, zero }: WindowHead): number {
  for (let index = sent.length - 1; index >= 0; index--) {
    const word = sent[index]! | zero[index]!;
    if (word !== 0) return window * REGION_PAGES + index * 32 + (31 - Math.clz32(word));
  }
  return window * REGION_PAGES - 1;
}
