// Puts together what the receivers placed of each round. A receiver reports its rounds in order, but two receivers are two
// threads: one may be heard of the next round before the other of this one. Knows numbers only.

/** A round that all receivers have placed, and its pages in all. */
export interface PlacedRound {
  readonly round: number;
  readonly pages: number;
}

export class RoundShares {
  readonly #receivers: number;
  /** Rounds of which some shares are lacking. */
  readonly #open = new Map<number, { shares: number; pages: number }>();

  constructor(receivers: number) {
    this.#receivers = receivers;
  }

  /** A receiver has placed its share; answers the round when that was the last one lacking. */
  placed(round: number, pages: number): PlacedRound | undefined {
    const share = this.#open.get(round) ?? { shares: 0, pages: 0 };
    share.shares++;
    share.pages += pages;
    if (share.shares < this.#receivers) {
      this.#open.set(round, share);
      return undefined;
    }
    this.#open.delete(round);
    return { round, pages: share.pages };
  }
}
