// How far the work of a migration is.
// Types only.

/** How far it is, for whoever shows progress. */
export interface WorkProgress {
  readonly roundPages: number;
  readonly roundPagesSent: number;
  /** Bytes of all rounds so far. */
  readonly sentBytes: number;
  /** What the last harvest found. */
  readonly dirtyPages: number;
  readonly roundElapsedMs: number;
}
