// The gate that a hand-over passes once: one thread passes it, another shuts it, and whichever is first decides.
// One word and Atomics only; the argument is in docs/memory-model.md.

const SHUT = 0;
const OPEN = 1;
const PASSED = 2;

/** The shared word of one gate; shut. */
export function allocateHandOverGate(): SharedArrayBuffer {
  return new SharedArrayBuffer(4);
}

/**
 * At the source it stands before HAND_OVER is sent, at the destination before the guest is taken over. The thread that
 * switches over passes it; the main thread opens it, and shuts it before it does anything that a guest which has gone, or
 * has come, would contradict.
 */
export class HandOverGate {
  readonly #word: Int32Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer) {
    this.#word = new Int32Array(buffer);
  }

  /** The guest may be handed over from now on; nothing once it was. */
  open(): void {
    Atomics.compareExchange(this.#word, 0, SHUT, OPEN);
  }

  /** The guest may not be handed over any more. False when it has been: then nothing changes. */
  shut(): boolean {
    return Atomics.compareExchange(this.#word, 0, OPEN, SHUT) !== PASSED;
  }

  /** The guest is handed over from now on. False when it may not be: the gate is shut, or was passed before. */
  pass(): boolean {
    return Atomics.compareExchange(this.#word, 0, OPEN, PASSED) === OPEN;
  }

  /** Whether it may be passed; it may be shut the next moment. */
  get isOpen(): boolean {
    return Atomics.load(this.#word, 0) === OPEN;
  }

  get isPassed(): boolean {
    return Atomics.load(this.#word, 0) === PASSED;
  }
}
