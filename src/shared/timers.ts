// The one place where time is waited for: timers that may be longer than the platform's, and names for those of a driver.
// A leaf.
import { monotonicUs } from './clock.js';
import { assert } from './errors.js';
import type { Cancellable, Time } from './time.js';

/** What one timer of the platform can wait: 24.8 days. A longer one would end after a millisecond. */
const STEP_MS_MAX = 2 ** 31 - 1;

/** A timer of any length, `Infinity` included: it waits in steps. */
export class Timer {
  #leftMs: number;
  readonly #elapsed: () => void;
  #step: NodeJS.Timeout | undefined;

  constructor(ms: number, elapsed: () => void) {
    assert(!Number.isNaN(ms), 'a timer has a time');
    this.#leftMs = Math.max(0, ms);
    this.#elapsed = elapsed;
    this.#wait();
  }

  /** It will not elapse any more; may be said at any time. */
  cancel(): void {
    clearTimeout(this.#step);
  }

  #wait(): void {
    const stepMs = Math.min(this.#leftMs, STEP_MS_MAX);
    this.#step = setTimeout(() => {
      this.#leftMs -= stepMs;
      if (this.#leftMs > 0) this.#wait();
      else this.#elapsed();
    }, stepMs);
  }
}

/** Calls `elapsed` once after `ms`, however long that is, unless it is cancelled. */
export function after(ms: number, elapsed: () => void): Timer {
  return new Timer(ms, elapsed);
}

/** The host's clock and the platform's timers. */
export const hostTime: Time = {
  nowUs: monotonicUs,
  after,
  every: (ms, elapsed) => {
    const interval = setInterval(elapsed, ms);
    return {
      cancel: () => {
        clearInterval(interval);
      },
    };
  },
};

/**
 * Resolves after `ms`, however long that is.
 * @throws the reason of `signal` as soon as that is aborted.
 */
export function sleep(ms: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (): void => {
      const reason: unknown = signal?.reason;
      reject(reason instanceof Error ? reason : new Error(String(reason)));
    };
    if (signal?.aborted === true) {
      fail();
      return;
    }
    const onAbort = (): void => {
      timer.cancel();
      fail();
    };
    const timer = after(ms, () => {
      signal?.removeEventListener('abort', onAbort);
      resolve();
    });
    signal?.addEventListener('abort', onAbort, { once: true });
  });
}

/** Resolves after `ms`, or as soon as `signal` is aborted. */
export async function sleepUnless(signal: AbortSignal, ms: number): Promise<void> {
  try {
    await sleep(ms, signal);
  } catch (error) {
    if (!signal.aborted) throw error;
  }
}

/** Named one-shot timers of a state machine's driver. */
export class Timers<Name extends string> {
  readonly #timers = new Map<Name, Cancellable>();
  readonly #time: Time;
  readonly #fired: (name: Name) => void;

  constructor(time: Time, fired: (name: Name) => void) {
    this.#time = time;
    this.#fired = fired;
  }

  /** Starts `name`, or starts it anew. */
  arm(name: Name, ms: number): void {
    this.disarm(name);
    this.#timers.set(
      name,
      this.#time.after(ms, () => {
        this.#timers.delete(name);
        this.#fired(name);
      }),
    );
  }

  disarm(name: Name): void {
    this.#timers.get(name)?.cancel();
    this.#timers.delete(name);
  }

  disarmAll(): void {
    for (const name of [...this.#timers.keys()]) this.disarm(name);
  }
}
