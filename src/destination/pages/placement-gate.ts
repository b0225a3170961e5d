// The gate between the receivers, which overwrite pages, and the main thread, which hands the guest over: once it is
// shut, nobody overwrites a page whatever the source says. Atomics only; the argument is in docs/memory-model.md.
import { PageBitmap } from '../../shared/memory/page-bitmap.js';

const IS_SHUT = 0;
/** How many receivers are overwriting pages, or have given the kernel guest memory to read into. */
const INSIDE = 1;
const HEADER_WORDS = 2;

/** The shared words of one incoming guest of `pageCount` pages. */
export function allocatePlacementGate(pageCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (HEADER_WORDS + Math.ceil(pageCount / 32)));
}

export class PlacementGate {
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** Pages of the newest round that came CHECKED; each receiver writes its own regions' words, and only inside. */
  readonly checkedPages: PageBitmap;

  constructor(buffer: SharedArrayBuffer, pageCount: number) {
    this.#words = new Int32Array(buffer, 0, HEADER_WORDS);
    this.checkedPages = new PageBitmap(pageCount, new Int32Array(buffer, 4 * HEADER_WORDS));
  }

  /** A receiver is about to overwrite pages, or to have the kernel do it. False when it must not, now or later. */
  enter(): boolean {
    // Counted before the gate is looked at; the main thread shuts it before it looks at the count. One sees the other.
    Atomics.add(this.#words, INSIDE, 1);
    if (Atomics.load(this.#words, IS_SHUT) === 0) return true;
    this.leave();
    return false;
  }

  /** It has overwritten them, and the kernel writes to none any more. */
  leave(): void {
    Atomics.sub(this.#words, INSIDE, 1);
  }

  /**
   * Shuts the gate for good; false when somebody is inside. When it answers true, all that was ever overwritten is
   * visible to this thread, and nothing more will be.
   */
  shut(): boolean {
    Atomics.store(this.#words, IS_SHUT, 1);
    return Atomics.load(this.#words, INSIDE) === 0;
  }
}
