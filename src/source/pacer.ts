// Caps a connection's bandwidth smoothly: a token bucket that fills at the capped rate and holds little.
// Knows time and bytes only.
import { setTimeout as sleep } from 'node:timers/promises';
import { monotonicUs } from '../shared/clock.js';

/** So much may go out at once after a pause; more would be a burst that a real link does not let through. */
const BURST_MS = 4;

export class Pacer {
  readonly #bytesPerUs: number;
  /** When everything taken so far will have gone out at the capped rate. */
  #clearAt = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerUs = bytesPerSecond / 1e6;
  }

  /** Resolves when `bytes` more may be sent. */
  async take(bytes: number): Promise<void> {
    const now = monotonicUs();
    const from = Math.max(this.#clearAt, now - BURST_MS * 1000);
    this.#clearAt = from + bytes / this.#bytesPerUs;
    const waitMs = (from - now) / 1000;
    if (waitMs > 0) await sleep(waitMs);
  }
}
