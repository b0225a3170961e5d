// Who looks at the live view: how many at most, who is too slow, and when the last of them has gone.
// Knows neither HTTP nor what they look at.
import { after } from '../../shared/timers.js';

/** More pages than this are turned away. */
export const VIEWERS_MAX = 16;
/** A viewer that takes no more for this long is dropped. */
const STALLED_MS_MAX = 10_000;
/** A page that is loaded again, or leads to the report, is gone for a moment. */
const RETURN_MS = 1000;

/** One page that is open. */
export class Viewer {
  readonly #drop: () => void;
  readonly #left: (viewer: Viewer) => void;

  constructor(drop: () => void, left: (viewer: Viewer) => void) {
    this.#drop = drop;
    this.#left = left;
  }

  /** Waits until something was taken, but not longer than a viewer may need: then its connection is cut. */
  async takes(sending: Promise<unknown>): Promise<void> {
    const timer = after(STALLED_MS_MAX, this.#drop);
    try {
      await sending;
    } finally {
      timer.cancel();
    }
  }

  /** Its page is closed; may be said more than once. */
  leave(): void {
    this.#left(this);
  }
}

export class Viewers {
  readonly #open = new Set<Viewer>();
  readonly #waiting = new Set<() => void>();
  #haveBeen = false;

  get count(): number {
    return this.#open.size;
  }

  /** Whether anybody looks, or ever did. */
  get haveBeen(): boolean {
    return this.#haveBeen;
  }

  /** A new viewer, whose connection `drop` cuts; undefined when there are too many. */
  admit(drop: () => void): Viewer | undefined {
    if (this.#open.size >= VIEWERS_MAX) return undefined;
    const viewer = new Viewer(drop, (one) => {
      if (this.#open.delete(one)) this.#changed();
    });
    this.#open.add(viewer);
    this.#haveBeen = true;
    this.#changed();
    return viewer;
  }

  /** Resolves when the last viewer has gone, when nobody came for `firstMs`, or when `signal` says so. */
  async gone(firstMs: number, signal: AbortSignal): Promise<void> {
    for (;;) {
      const patienceMs = this.#open.size > 0 ? undefined : this.#haveBeen ? RETURN_MS : firstMs;
      const hasChanged = await this.#change(patienceMs, signal);
      if (!hasChanged) return;
    }
  }

  /** Answers true at the next coming or going; false after `patienceMs`, if there is such a limit, and when it is over. */
  #change(patienceMs: number | undefined, signal: AbortSignal): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (hasChanged: boolean): void => {
        timer?.cancel();
        this.#waiting.delete(onChange);
        signal.removeEventListener('abort', onAbort);
        resolve(hasChanged);
      };
      const onChange = (): void => {
        settle(true);
      };
      const onAbort = (): void => {
        settle(false);
      };
      const timer = patienceMs === undefined ? undefined : after(patienceMs, onAbort);
      this.#waiting.add(onChange);
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
    });
  }

  #changed(): void {
    for (const wake of [...this.#waiting]) wake();
  }
}
