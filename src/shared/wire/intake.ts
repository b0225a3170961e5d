// Where the bytes that a connection brings go: to whoever reads it, who may change in the middle of the stream.
// Knows no socket: it is fed buffers, so tests cut its input anywhere.
import { assert } from '../errors.js';
import { FRAME_HEADER_BYTES } from './frames.js';

/** Reads a stream as it was cut on its way. A buffer that it took is its own. */
export interface ChunkReads {
  take(chunk: Buffer): void;
}

/** Says where the next bytes go, and is told how many were written there; never more than it asked for. */
export interface PlacedReads {
  /** Never empty. */
  readonly target: Uint8Array;
  advance(byteCount: number): void;
}

export type Reads = ChunkReads | PlacedReads;

export class Intake {
  #reads: Reads | undefined;
  /** What comes first, and nobody could yet say where it goes: the header of the first frame. */
  readonly #first = Buffer.alloc(FRAME_HEADER_BYTES);

  /** From the next byte on, `reads` has the stream. Whoever comes first waits for a header at least. */
  switchTo(reads: Reads): void {
    this.#reads = reads;
  }

  /**
   * Where the kernel is to write what it reads next. It is asked for the first time when the dial begins, while another
   * connection may still be read into guest memory: so that goes into a buffer of this connection's own.
   */
  get target(): Uint8Array {
    const reads = this.#reads;
    if (reads === undefined) return this.#first;
    assert('target' in reads, 'a stream that is read in place has a reader that says where');
    return reads.target;
  }

  /** So many bytes were written to `written`, which was the target before. Throws what is wrong with them. */
  wrote(byteCount: number, written: Uint8Array): void {
    const reads = this.#reads;
    assert(reads !== undefined && 'target' in reads, 'bytes that were read in place have a reader');
    if (written === this.#first) reads.target.set(this.#first.subarray(0, byteCount));
    reads.advance(byteCount);
  }

  /** Takes the next bytes of a stream that is not read in place. Throws what is wrong with them. */
  take(chunk: Buffer): void {
    let rest = chunk;
    while (rest.length > 0) {
      const reads = this.#reads;
      assert(reads !== undefined, 'bytes that were read have a reader');
      if ('take' in reads) {
        reads.take(rest);
        return;
      }
      const { target } = reads;
      const byteCount = Math.min(target.length, rest.length);
      target.set(rest.subarray(0, byteCount));
      rest = rest.subarray(byteCount);
      reads.advance(byteCount);
    }
  }
}
