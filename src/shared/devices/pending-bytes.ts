// Bytes that came and have no room yet where they belong, in their order.
// Knows pieces of any length; where they go is its owner's.

export class PendingBytes {
  readonly #pieces: Buffer[] = [];
  #byteCount = 0;

  get byteCount(): number {
    return this.#byteCount;
  }

  push(bytes: Buffer): void {
    this.#pieces.push(bytes);
    this.#byteCount += bytes.length;
  }

  /** Gives them away, piece by piece, until `take` answers that it took less than all of one; answers how many went. */
  give(take: (bytes: Buffer) => number): number {
    const before = this.#byteCount;
    for (let first = this.#pieces[0]; first !== undefined; first = this.#pieces[0]) {
      const taken = take(first);
      this.#byteCount -= taken;
      if (taken < first.length) {
        this.#pieces[0] = first.subarray(taken);
        break;
      }
      this.#pieces.shift();
    }
    return before - this.#byteCount;
  }
}
