// Gives the memory of guests that have left back to the operating system now, not when the collector gets to it.
// A leaf. Guest memory lies outside of the heap, so nothing else would make the collector hurry.
import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

let collect: (() => void) | undefined;

/** Collects garbage once; some milliseconds on a small heap. Never call it while a guest's stun is measured. */
export function releaseUnusedMemory(): void {
  if (collect === undefined) {
    setFlagsFromString('--expose-gc');
    collect = runInNewContext('gc') as () => void;
  }
  collect();
}
