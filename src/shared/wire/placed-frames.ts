// Cuts a byte stream into frames in a buffer that the kernel writes into: no allocation and no copy a read.
// Pure: no socket; tests cut its input anywhere. Everything that a peer says is checked as frames.ts does.
import {
  decodeExpectedHeader,
  encodeHeader,
  FRAME_HEADER_BYTES,
  verifyFrame,
  type Frame,
  type FrameHeader,
  type FrameName,
} from './frames.js';
import type { PlacedReads } from './intake.js';

/** What a stream of small frames is read into; a longer frame makes it longer, for good. */
const BUFFER_BYTES_MIN = 1 << 16;

/** Checks are where the header ends. */
const CHECK_OFFSET = 8;

export interface PlacedFrameOptions {
  /** The frames that belong on this connection; others are refused by their headers. */
  readonly expected: readonly FrameName[];
  /** What is known of this guest, where that is less than a frame of any may have. */
  readonly bodyBytesMax: number;
  /** A body that comes often: it is compared, which is quicker than its check. */
  readonly known?: { readonly name: FrameName; readonly body: Uint8Array };
  /** Takes a frame; its body is valid until this returns. */
  readonly take: (frame: Frame) => void;
}

/**
 * Hands out frames as they become whole, however the stream was cut. Takes time in proportion to them: what has begun is
 * moved at most once. After it has thrown, it must not be used again.
 */
export class PlacedFrameReader implements PlacedReads {
  readonly #options: PlacedFrameOptions;
  readonly #expected: ReadonlySet<FrameName>;
  readonly #knownCheck: number | undefined;
  #buffer = Buffer.allocUnsafeSlow(FRAME_HEADER_BYTES + BUFFER_BYTES_MIN);
  /** What has come and is not handed out: from here, until there. */
  #from = 0;
  #until = 0;

  constructor(options: PlacedFrameOptions) {
    this.#options = options;
    this.#expected = new Set(options.expected);
    const { known } = options;
    this.#knownCheck =
      known && encodeHeader(known.name, known.body.length, 0, [known.body]).readUInt32BE(CHECK_OFFSET);
  }

  get target(): Uint8Array {
    return this.#buffer.subarray(this.#until);
  }

  advance(byteCount: number): void {
    this.#until += byteCount;
    let neededBytes = FRAME_HEADER_BYTES;
    while (this.#until - this.#from >= neededBytes) {
      const header = decodeExpectedHeader(
        this.#buffer,
        this.#from,
        this.#expected,
        this.#options.bodyBytesMax,
      );
      neededBytes = FRAME_HEADER_BYTES + header.bodyBytes;
      if (this.#until - this.#from < neededBytes) break;
      const bodyFrom = this.#from + FRAME_HEADER_BYTES;
      this.#from += neededBytes;
      neededBytes = FRAME_HEADER_BYTES;
      this.#handOut(header, this.#buffer.subarray(bodyFrom, this.#from));
    }
    this.#makeRoom(neededBytes);
  }

  #handOut(header: FrameHeader, body: Buffer): void {
    if (!this.#isKnown(header, body)) verifyFrame(header, body);
    this.#options.take({ header, body });
  }

  #isKnown({ name, flags, check }: FrameHeader, body: Buffer): boolean {
    const { known } = this.#options;
    return (
      known !== undefined &&
      check === this.#knownCheck &&
      name === known.name &&
      flags === 0 &&
      Buffer.compare(body, known.body) === 0
    );
  }

  // The rest of a frame that needs so many bytes from `#from` must fit; and what comes next is read where the buffer begins
  // whenever nothing is left in it.
  #makeRoom(neededBytes: number): void {
    const leftBytes = this.#until - this.#from;
    if (leftBytes > 0 && this.#from + neededBytes <= this.#buffer.length) return;
    const old = this.#buffer;
    if (neededBytes > old.length) this.#buffer = Buffer.allocUnsafeSlow(neededBytes);
    if (leftBytes > 0) old.copy(this.#buffer, 0, this.#from, this.#until);
    this.#from = 0;
    this.#until = leftBytes;
  }
}
