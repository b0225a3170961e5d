// What the fault connections of a migration carried, by what their sockets took: an answer to a destination that has hung
// up may never reach its socket, and another is the socket's own and never leaves. Knows byte counts only.
import type { Connection } from '../../shared/wire/connection.js';

/** What the fault connections carried, over all of them. */
export interface FaultBytes {
  /** Pages with their frames, and the requests for them. */
  readonly faults: number;
  /** Bitmaps that went ahead or with a hand-over. */
  readonly bitmap: number;
  /** The rest of hand-overs. */
  readonly checkpoint: number;
  readonly control: number;
  readonly socket: number;
  /** On the wire, where TLS makes it more. */
  readonly wire: number;
}

/** Bytes of one connection that were no pages: given to it, and received. */
export class SwitchOverBytes {
  bitmap = 0;
  checkpoint = 0;
  answers = 0;
}

export class FaultLedger {
  #control = 0;
  #bitmap = 0;
  #checkpoint = 0;
  #faults = 0;
  #wire = 0;

  /** A connection is over. What it was given and did not take counts nowhere. */
  noteClosed(
    {
      carriedBytes,
      greetingBytes,
      wireBytes,
    }: Pick<Connection, 'carriedBytes' | 'greetingBytes' | 'wireBytes'>,
    { bitmap, checkpoint, answers }: SwitchOverBytes,
  ): void {
    let rest = carriedBytes - greetingBytes;
    const take = (bytes: number): number => {
      const taken = Math.min(rest, bytes);
      rest -= taken;
      return taken;
    };
    this.#control += greetingBytes + take(answers);
    this.#bitmap += take(bitmap);
    this.#checkpoint += take(checkpoint);
    this.#faults += rest;
    this.#wire += wireBytes;
  }

  get bytes(): FaultBytes {
    const [faults, bitmap, checkpoint, control] = [
      this.#faults,
      this.#bitmap,
      this.#checkpoint,
      this.#control,
    ];
    const socket = faults + bitmap + checkpoint + control;
    return { faults, bitmap, checkpoint, control, socket, wire: this.#wire };
  }
}
