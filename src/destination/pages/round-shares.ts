// Puts together what the receivers placed of each round. A receiver reports its rounds in order, but two receivers are two
// threads: one may be heard of the next round before the other of this one. Knows numbers only.
import { ProtocolError } from '../../shared/errors.js';

/** A round that all receivers have placed, and its pages in all. */
export interface PlacedRound {
  readonly round: number;
  readonly pages: number;
}

export class RoundShares {
  /** The round that each receiver places next. */
  readonly #next: number[];
  /** Rounds of which some shares are lacking: at most two, see `placed`. */
  readonly #open = new Map<number, { shares: number; pages: number }>();

  constructor(receivers: number) {
    this.#next = Array.from({ length: receivers }, () => 0);
  }

  /**
   * `receiver` has placed its share of `round`; answers the round when that was the last share lacking.
   * @throws ProtocolError when the source goes ahead: it begins a round once all connections have placed the one before,
   * so two receivers are never heard of rounds further apart than two that follow each other.
   */
  placed(receiver: number, round: number, pages: number): PlacedRound | undefined {
    const next = this.#next[receiver]!;
    if (round !== next)
      throw new ProtocolError(`connection ${receiver} placed round ${round}, and round ${next} comes next`);
    const slowest = Math.min(...this.#next);
    if (round > slowest + 1) {
      throw new ProtocolError(
        `connection ${receiver} placed round ${round} while round ${slowest} was under way on another`,
      );
    }
    this.#next[receiver] = round + 1;
    const share = this.#open.get(round) ?? { shares: 0, pages: 0 };
    share.shares++;
    share.pages += pages;
    if (share.shares < this.#next.length) {
      this.#open.set(round, share);
      return undefined;
    }
    this.#open.delete(round);
    return { round, pages: share.pages };
  }
}
