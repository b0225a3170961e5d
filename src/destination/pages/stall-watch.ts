// Whether page connections stand still: no byte has come on any of them for long, and something should.
// Pure: bytes and instants in; counted in bytes because a region takes long on a slow link.
import { STALL_MS_MAX } from '../../shared/limits.js';

export class StallWatch {
  #progress = NaN;
  #sinceMs = 0;

  /**
   * Looks at the bytes that have come on all connections so far. `isExpecting`: whether something is still to come; a
   * connection on which nothing has to come is idle, and not dead. Answers true once a stall, and then anew.
   */
  isStalled(nowMs: number, progress: number, isExpecting: boolean): boolean {
    if (progress !== this.#progress || !isExpecting) {
      this.#progress = progress;
      this.#sinceMs = nowMs;
      return false;
    }
    if (nowMs - this.#sinceMs <= STALL_MS_MAX) return false;
    this.#sinceMs = nowMs;
    return true;
  }
}
