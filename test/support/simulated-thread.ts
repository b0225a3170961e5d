// What one thread of a simulated process tells another: it comes late, and in order.
// Knows the process's clock only.
import type { Process } from './simulated-world.js';

export class LateActions {
  readonly #process: Process;
  readonly #delayMsMax: number;
  #lastAt = 0;

  constructor(process: Process, delayMsMax: number) {
    this.#process = process;
    this.#delayMsMax = delayMsMax;
  }

  /** Does it a moment later, after all that was to be done before. */
  do(action: () => void): void {
    const { clock, chance } = this.#process.world;
    this.#lastAt = Math.max(this.#lastAt, clock.now + chance.delay(this.#delayMsMax));
    this.#process.after(this.#lastAt - clock.now, action);
  }
}
