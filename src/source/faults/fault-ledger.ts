// What the fault connections of a migration carried, by what their sockets took: an answer to a destination that has hung
// up may never reach its socket, and another is the socket's own and never leaves. Knows byte counts only.

/** What a socket counts by itself. */
export interface SocketBytes {
  readonly bytesRead: number;
  readonly bytesWritten: number;
}

export class FaultLedger {
  #control = 0;
  #faults = 0;

  /** A connection is over; `greetingBytes` is what its greeting took, both ways. */
  noteClosed({ bytesRead, bytesWritten }: SocketBytes, greetingBytes: number): void {
    this.#control += greetingBytes;
    this.#faults += bytesRead + bytesWritten - greetingBytes;
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
