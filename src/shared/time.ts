// What a driver knows of time: an instant, and what is to happen later. Passed in, so that a simulation's clock drives
// the same driver as the host's. Types only; the host's own is in timers.ts.

/** Something that will happen, unless it is cancelled; that may be said at any time. */
export interface Cancellable {
  cancel(): void;
}

export interface Time {
  /** Microseconds, as `monotonicUs`. */
  nowUs(): number;
  /** Calls `elapsed` once after `ms`, however long that is. */
  after(ms: number, elapsed: () => void): Cancellable;
  /** Calls `elapsed` again and again, `ms` apart. */
  every(ms: number, elapsed: () => void): Cancellable;
}
