// Bytes that came and are not where they belong yet, in their order.
// A leaf; knows pieces of any length, and not where they go.

export class PendingBytes {
  readonly #pieces: Buffer[] = [];
  #byteCount = 0;

  get byteCount(): number {
    return this.#byteCount;
  }

  /** In their order. */
  get pieces(): readonly Buffer[] {
    return this.#pieces;
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

  /** The first `byteCount` of them, no more than there are, are where they belong. */
  drop(byteCount: number): void {
    let left = byteCount;
    this.give(({ length }) => {
      const dropped = Math.min(left, length);
      left -= dropped;
      return dropped;
    });
  }
}
