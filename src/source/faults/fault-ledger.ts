// What the fault connections of a migration carried, by what their sockets took: an answer to a destination that has hung
// up may never reach its socket, and another is the socket's own and never leaves. Knows byte counts only.
import type { Connection } from '../../shared/wire/connection.js';

export class FaultLedger {
  #control = 0;
  #faults = 0;

  /** A connection is over. */
  noteClosed({ carriedBytes, greetingBytes }: Pick<Connection, 'carriedBytes' | 'greetingBytes'>): void {
    this.#control += greetingBytes;
    this.#faults += carriedBytes - greetingBytes;
  }

  get control(): number {
    return this.#control;
  }

  /** Pages with their frames, and the requests for them. */
  get faults(): number {
    return this.#faults;
  }

  get socket(): number {
    return this.#control + this.#faults;
  }
}
