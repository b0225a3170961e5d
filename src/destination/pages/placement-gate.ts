// The gate between the receivers, which overwrite pages, and the fetcher, which takes the guest over: once it is
// shut, nobody overwrites a page whatever the source says. Atomics only; the argument is in docs/memory-model.md.
import { CONNECTIONS_MAX } from '../../shared/limits.js';
import { PageBitmap } from '../../shared/memory/page-bitmap.js';

const IS_SHUT = 0;
/** How many receivers are overwriting pages, or have given the kernel guest memory to read into. */
const INSIDE = 1;
/** From here on a word a receiver: the rounds that it has placed. */
const PLACED = 2;
const HEADER_WORDS = PLACED + CONNECTIONS_MAX;

/** The shared words of one incoming guest of `pageCount` pages. */
export function allocatePlacementGate(pageCount: number): SharedArrayBuffer {
  return new SharedArrayBuffer(4 * (HEADER_WORDS + Math.ceil(pageCount / 32)));
}

export class PlacementGate {
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** Pages that came in the newest round; each receiver writes its own regions' words, and only inside. */
  readonly newestPages: PageBitmap;
  readonly #receivers: number;

  /** `receivers`: how many there are. */
  constructor(buffer: SharedArrayBuffer, pageCount: number, receivers: number) {
    this.#receivers = receivers;
    this.#words = new Int32Array(buffer, 0, HEADER_WORDS);
    this.newestPages = new PageBitmap(pageCount, new Int32Array(buffer, 4 * HEADER_WORDS));
  }

  /** A receiver is about to overwrite pages, or to have the kernel do it. False when it must not, now or later. */
  enter(): boolean {
    // Counted before the gate is looked at; the fetcher shuts it before it looks at the count. One sees the other.
    Atomics.add(this.#words, INSIDE, 1);
    if (Atomics.load(this.#words, IS_SHUT) === 0) return true;
    this.leave();
    return false;
  }

  /** It has overwritten them, and the kernel writes to none any more. */
  leave(): void {
    Atomics.sub(this.#words, INSIDE, 1);
  }

  /** A receiver has placed its share of `round`, and is about to say so. */
  notePlaced(receiver: number, round: number): void {
    Atomics.store(this.#words, PLACED + receiver, round + 1);
  }

  /** Whether `round` is the last that was placed, on every connection; `earlier` while one of them is not so far. */
  placedRound(round: number): 'whole' | 'earlier' | 'later' {
    let isEarlier = false;
    for (let receiver = 0; receiver < this.#receivers; receiver++) {
      const placed = Atomics.load(this.#words, PLACED + receiver) - 1;
      if (placed > round) return 'later';
      isEarlier ||= placed < round;
    }
    return isEarlier ? 'earlier' : 'whole';
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
