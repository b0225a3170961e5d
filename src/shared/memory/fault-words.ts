// What a thread that answers remote page faults and the threads that push tell each other: faults first.
// Typed arrays and Atomics only, in the guest's shared buffer; docs/memory-model.md argues it.
import type { MemoryViews } from './layout.js';
import type { PageNumber } from './pages.js';

/** How many pages are asked for and have not left. */
const OUTSTANDING = 0;
/** How many answers have left, modulo 2^32: what does not change here takes no answers. */
const ANSWERED = 1;
/** The page that was asked for last, and one: 0 when none was. */
const LAST_ASKED = 2;

export const FAULT_WORDS = 3;

/**
 * A push looks so often at the word, between two frames, before it goes on whatever is outstanding: some tens of
 * microseconds, in which an answer leaves. A thread that slept would have to wait for a processor afterwards, up to three
 * milliseconds where the guest's vCPUs hold them all, and a push that takes longer has more faults beside it.
 */
const LOOKS_MAX = 2000;

/** The end of the thread that answers, and no other writes the words. */
export class FaultCounter {
  readonly #words: Int32Array<SharedArrayBuffer>;

  /** Over the words of a guest; what was outstanding on a connection before is asked for again, or never answered. */
  constructor({ faultWords }: Pick<MemoryViews, 'faultWords'>) {
    this.#words = faultWords;
    Atomics.store(faultWords, LAST_ASKED, 0);
    this.#store(0);
  }

  /** `page` is asked for; so many are, and have not left. */
  noteAsked(page: PageNumber, outstanding: number): void {
    Atomics.store(this.#words, LAST_ASKED, page + 1);
    this.#store(outstanding);
  }

  /** An answer has left, and so many have not. */
  noteAnswered(outstanding: number): void {
    Atomics.add(this.#words, ANSWERED, 1);
    this.#store(outstanding);
  }

  #store(outstanding: number): void {
    Atomics.store(this.#words, OUTSTANDING, outstanding);
  }
}

/** The end of one thread that pushes. */
export class FaultWatch {
  readonly #words: Int32Array<SharedArrayBuffer>;
  #seenAsked = 0;
  /** ANSWERED when this thread last held back in vain. */
  #stuckAt: number | undefined;

  constructor({ faultWords }: Pick<MemoryViews, 'faultWords'>) {
    this.#words = faultWords;
  }

  /** The page that was asked for since this was last looked at, the last of them; undefined when none was. */
  takeAsked(): PageNumber | undefined {
    const asked = Atomics.load(this.#words, LAST_ASKED);
    if (asked === this.#seenAsked) return undefined;
    this.#seenAsked = asked;
    return asked === 0 ? undefined : asked - 1;
  }

  /**
   * Returns when no fault is outstanding, or after LOOKS_MAX. Once that was in vain, it does not hold back any more until
   * an answer leaves: a peer that takes none, or a connection that was lost, does not slow the push. Answers how often it
   * looked.
   */
  holdBack(): number {
    const answered = Atomics.load(this.#words, ANSWERED);
    if (answered === this.#stuckAt) return 0;
    let looks = 1;
    while (Atomics.load(this.#words, OUTSTANDING) !== 0 && looks < LOOKS_MAX) looks++;
    const isStuck = looks === LOOKS_MAX && Atomics.load(this.#words, ANSWERED) === answered;
    this.#stuckAt = isStuck ? answered : undefined;
    return looks;
  }
}
