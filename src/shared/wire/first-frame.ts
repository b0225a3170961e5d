// Reads exactly one frame off a stream and not a byte more: whoever reads next begins with the frame behind it.
// Knows no socket; says where the next bytes go, as all do who are read in place.
import { ProtocolError } from '../errors.js';
import type { PlacedReads } from './intake.js';
import { decodeHeader, FRAME_HEADER_BYTES, verifyFrame, type Frame, type FrameHeader } from './frames.js';
import type { FrameName } from './frames.js';

export class FirstFrame implements PlacedReads {
  readonly #expected: readonly FrameName[];
  readonly #whole: (frame: Frame) => void;
  #target = Buffer.alloc(FRAME_HEADER_BYTES);
  #filled = 0;
  #header: FrameHeader | undefined;

  /** `expected`: the frames that it may be. `whole` is told of it, and may have the stream read by another from then on. */
  constructor(expected: readonly FrameName[], whole: (frame: Frame) => void) {
    this.#expected = expected;
    this.#whole = whole;
  }

  get target(): Uint8Array {
    return this.#target.subarray(this.#filled);
  }

  /** @throws ProtocolError when it is another frame, or damaged. */
  advance(byteCount: number): void {
    this.#filled += byteCount;
    if (this.#filled < this.#target.length) return;
    if (this.#header === undefined) {
      const header = decodeHeader(this.#target);
      if (!this.#expected.includes(header.name))
        throw new ProtocolError(`a ${header.name} frame does not belong on this connection`);
      this.#header = header;
      this.#target = Buffer.alloc(header.bodyBytes);
      this.#filled = 0;
      if (header.bodyBytes > 0) return;
    }
    const header = this.#header;
    verifyFrame(header, this.#target);
    this.#whole({ header, body: this.#target });
  }
}
