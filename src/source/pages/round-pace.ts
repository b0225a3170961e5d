// At which pace rounds brought pages, and how many may go right behind a hand-over therefore: what the guest asks for waits
// behind them. Pure.
import { PAGES_AHEAD_MAX } from '../../shared/limits.js';

/** They take no longer than this at the pace of the rounds. */
const AHEAD_MS = 10;
/** Where no round was: in post-copy. */
const AHEAD_PAGES_UNMEASURED = 16;

export class RoundPace {
  #pagesPerMs = 0;

  /** A round brought so many pages. */
  note(pages: number, durationMs: number): void {
    if (durationMs > 0) this.#pagesPerMs = Math.max(this.#pagesPerMs, pages / durationMs);
  }

  get aheadMax(): number {
    if (this.#pagesPerMs === 0) return AHEAD_PAGES_UNMEASURED;
    return Math.min(PAGES_AHEAD_MAX, Math.ceil(AHEAD_MS * this.#pagesPerMs));
  }
}
