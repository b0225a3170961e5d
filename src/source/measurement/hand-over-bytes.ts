// The bytes that a hand-over took on the wire: its bitmap, and the rest of it.
// Knows numbers only. It may be made while there is no connection, and be said more than once.

export class HandOverBytes {
  /** When it was first given to a connection, or was to be. */
  sentAt = 0;
  #all = 0;
  #bitmap = 0;

  /** It was given to a connection that took `bytes` of it; 0 when there was none, and then its bitmap did not leave either. */
  note(sentAt: number, bytes: number, bitmapBytes: number): void {
    if (this.#all === 0) this.sentAt = sentAt;
    if (bytes === 0) return;
    this.#all += bytes;
    this.#bitmap += bitmapBytes;
  }

  get all(): number {
    return this.#all;
  }

  get bitmap(): number {
    return this.#bitmap;
  }

  /** Registers and the frame. */
  get checkpoint(): number {
    return this.#all - this.#bitmap;
  }
}
