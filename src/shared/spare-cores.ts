// Whether a thread may look instead of sleep: only where that takes a core from nobody.
// A leaf; what the host says of its load is a minute old.
import { availableParallelism, loadavg } from 'node:os';

/** Looks at a word before a thread sleeps on it: well under a millisecond, several times what waking it takes. */
const LOOKS_MAX = 20_000;

/** How often `threads` threads may look at a word before they sleep on it: LOOKS_MAX where so many cores have nothing to do. */
export function looksFor(threads: number): number {
  return availableParallelism() - loadavg()[0]! >= threads ? LOOKS_MAX : 0;
}
