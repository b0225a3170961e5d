// What a copier and the main thread tell each other without a message: progress, and which round to stop.
// One shared buffer a copier; docs/memory-model.md argues it.

/** Doubles: pages and bytes given to the socket, and bytes that the kernel took or brought. Then a word. */
const DOUBLES = 3;
const NO_ROUND = -1;

export class CopierWords {
  readonly buffer: SharedArrayBuffer;
  readonly #counts: Float64Array;
  readonly #stoppedRound: Int32Array;

  /** Over the words of a copier that runs already, or new ones. */
  constructor(buffer?: SharedArrayBuffer) {
    this.buffer = buffer ?? new SharedArrayBuffer((DOUBLES + 1) * 8);
    this.#counts = new Float64Array(this.buffer, 0, DOUBLES);
    this.#stoppedRound = new Int32Array(this.buffer, DOUBLES * 8, 1);
    if (buffer === undefined) Atomics.store(this.#stoppedRound, 0, NO_ROUND);
  }

  get pages(): number {
    return this.#counts[0]!;
  }

  get bytes(): number {
    return this.#counts[1]!;
  }

  /** Moves while anything does; only the copier writes it. */
  get movedBytes(): number {
    return this.#counts[2]!;
  }

  set movedBytes(bytes: number) {
    this.#counts[2] = bytes;
  }

  /** Only the copier counts. */
  count(pages: number, bytes: number): void {
    this.#counts[0]! += pages;
    this.#counts[1]! += bytes;
  }

  /** The copiers send no further region of `round`. Rounds have numbers of their own, so that it is never taken back. */
  stop(round: number): void {
    Atomics.store(this.#stoppedRound, 0, round);
  }

  isStopped(round: number): boolean {
    return Atomics.load(this.#stoppedRound, 0) === round;
  }
}
