// Whether a page connection stands still: whether the peer's host has acknowledged nothing of what is on its way to it.
// Knows byte counts and instants; where the kernel's own count comes from is unacknowledged-bytes.ts.
import { STILL_MS_MAX, UNSEEN_STILL_MS_MAX } from '../limits.js';

/** What can be counted of a connection. */
export interface ConnectionCounts {
  /** Bytes that the kernel has taken. */
  readonly taken: number;
  /** Bytes that it has taken and the peer's host has not acknowledged; undefined where it does not say. */
  readonly unacknowledged: number | undefined;
}

export class ConnectionWatch {
  #before: ConnectionCounts | undefined;
  #sinceMs = 0;

  /** Looks at a connection; undefined while there is none. Another one's counts are forgotten by `begin`. */
  isStill(nowMs: number, counts: ConnectionCounts | undefined): boolean {
    const before = this.#before;
    const hasMoved = counts?.taken !== before?.taken || counts?.unacknowledged !== before?.unacknowledged;
    if (counts === undefined || before === undefined || hasMoved) {
      this.#before = counts;
      this.#sinceMs = nowMs;
      return false;
    }
    const limitMs = counts.unacknowledged === undefined ? UNSEEN_STILL_MS_MAX : STILL_MS_MAX;
    return nowMs - this.#sinceMs > limitMs;
  }

  begin(): void {
    this.#before = undefined;
  }
}
