// Waits for those that take part in safepoints: in steps, so that they can be given up, and with an end.
// Knows words and Atomics only; what is waited for is safepoint-control.ts's.
import { SafepointError, stuckError } from './safepoint-error.js';

/**
 * A slice is well under 100 µs. A vCPU that reaches no safepoint for so long hangs: even with 64 of them on one core,
 * each comes to run many times a second.
 */
const SLICE_MS_MAX = 5000;

/** Waits look up so often: whether they are to give up, and how long they have waited. A suspended host counts as one. */
const WAIT_STEP_MS = 100;

/** How long a SafepointControl waits, and what makes it stop waiting. */
export interface Patience {
  /** A shared word; once it is not 0, every wait ends within a moment. */
  readonly giveUp?: Int32Array<SharedArrayBuffer>;
  /** How long a vCPU may be in one slice; SLICE_MS_MAX unless told. */
  readonly sliceMsMax?: number;
  /** How often it looks whether a vCPU has parked before it sleeps; not at all unless told. */
  readonly looks?: number;
}

export class SafepointWaits {
  readonly sliceMsMax: number;
  readonly stepMs: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #giveUp: Int32Array<SharedArrayBuffer> | undefined;

  constructor(words: Int32Array<SharedArrayBuffer>, { giveUp, sliceMsMax = SLICE_MS_MAX }: Patience) {
    this.#words = words;
    this.#giveUp = giveUp;
    this.sliceMsMax = sliceMsMax;
    this.stepMs = Math.min(WAIT_STEP_MS, sliceMsMax);
  }

  /**
   * Sleeps while the word at `index` holds `value`, for a step at the most; answers how long was waited in vain by now.
   * @throws SafepointError when it is to be given up, or `participant` is stuck.
   */
  sleep(index: number, value: number, waitedMs: number, participant: number | undefined): number {
    const woken = Atomics.wait(this.#words, index, value, this.stepMs);
    return this.#waited(woken, waitedMs, participant);
  }

  /** As `sleep`, for threads that must not block. */
  async sleepAsync(index: number, value: number, waitedMs: number, participant: number): Promise<number> {
    const waiting = Atomics.waitAsync(this.#words, index, value, this.stepMs);
    return this.#waited(waiting.async ? await waiting.value : waiting.value, waitedMs, participant);
  }

  #waited(woken: string, waitedMs: number, participant: number | undefined): number {
    if (this.#giveUp !== undefined && Atomics.load(this.#giveUp, 0) !== 0)
      throw new SafepointError('given up', 'the wait for the vCPUs was given up', participant);
    if (woken !== 'timed-out') return waitedMs;
    if (waitedMs + this.stepMs >= this.sliceMsMax) {
      throw stuckError(this.#words, participant, this.sliceMsMax);
    }
    return waitedMs + this.stepMs;
  }
}
