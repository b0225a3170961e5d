// The frame: a fixed header and a body. What every connection is made of; docs/protocol.md has the table.
// Pure: no socket, no thread. Everything that a peer says is checked here or in messages.ts before it is used.
import { crc32 } from 'node:zlib';
import { ProtocolError } from '../errors.js';
import { BODY_BYTES_MAX } from '../frame-limits.js';

/** Exactly this version is spoken; a peer of another is refused. */
export const PROTOCOL_VERSION = 7;

/**
 * type u8, flags u8, reserved u16 (0), body length u32, check u32; numbers are big-endian. The check is the CRC-32 of
 * the header before it and of the body; of a PAGES frame it covers the region's head, not the pages behind it, which
 * may still change while they are queued.
 */
export const FRAME_HEADER_BYTES = 12;
const CHECKED_HEADER_BYTES = 8;

/** Frame types; zero is never valid. */
export const FrameType = {
  // Any connection.
  HELLO: 1,
  WELCOME: 2,
  REFUSAL: 3,
  // Control.
  PREPARE: 4,
  PREPARED: 5,
  PING: 6,
  PONG: 7,
  VERIFIED: 8,
  RESUMED: 9,
  ARRIVED: 10,
  AUDITED: 11,
  CANCEL: 12,
  FAREWELL: 13,
  SAMPLES: 14,
  LISTENING: 15,
  // Pages.
  PAGES: 16,
  ROUND_END: 17,
  ROUND_PLACED: 18,
  HASHES: 19,
  // Faults: the switch-over, then single pages.
  PAGE_WANTED: 24,
  PAGE_SENT: 25,
  ANNOUNCEMENT: 26,
  ANNOUNCED: 27,
  HAND_OVER: 28,
  TAKEN_OVER: 29,
  REGIONS: 30,
  BITMAP_CHUNK: 31,
  // Streams, between a gateway and a service.
  STREAM_OWNER: 32,
  STREAM_OPEN: 33,
  STREAM_BYTES: 34,
  STREAM_ACK: 35,
  STREAM_END: 36,
  STREAM_CLOSED: 37,
  STREAM_GONE: 38,
} as const;

export type FrameName = keyof typeof FrameType;

const namesByType = new Map<number, FrameName>(
  Object.entries(FrameType).map(([name, type]) => [type, name as FrameName]),
);

export interface FrameHeader {
  readonly name: FrameName;
  readonly flags: number;
  readonly bodyBytes: number;
  /** CRC-32 of the header's own bytes, and what it must be once the checked part of the body is added. */
  readonly ownCheck: number;
  readonly check: number;
}

/** A frame's header; `checked` are the parts of the body that its check covers. */
export function encodeHeader(
  name: FrameName,
  bodyBytes: number,
  flags: number,
  checked: readonly Uint8Array[],
): Buffer {
  if (bodyBytes > BODY_BYTES_MAX[name])
    throw new Error(`a ${name} body of ${bodyBytes} bytes is over its limit`);
  const header = Buffer.alloc(FRAME_HEADER_BYTES);
  header.writeUInt8(FrameType[name], 0);
  header.writeUInt8(flags, 1);
  header.writeUInt32BE(bodyBytes, 4);
  const ownCheck = crc32(header.subarray(0, CHECKED_HEADER_BYTES));
  header.writeUInt32BE(
    checked.reduce((check, part) => crc32(part, check), ownCheck),
    8,
  );
  return header;
}

/** A whole frame as parts for the socket: its header, then `parts`, all of them checked. */
export function encodeFrame(name: FrameName, parts: readonly Uint8Array[], flags = 0): Uint8Array[] {
  const bodyBytes = parts.reduce((total, part) => total + part.byteLength, 0);
  return [encodeHeader(name, bodyBytes, flags, parts), ...parts];
}

/** @throws ProtocolError when `checked` is not what the sender's check was taken of. */
export function verifyFrame(header: FrameHeader, checked: Uint8Array): void {
  if (crc32(checked, header.ownCheck) !== header.check)
    throw new ProtocolError(`a ${header.name} frame was damaged on its way`);
}

/** @throws ProtocolError for a frame with flags; only PAGES takes some. */
export function refuseFlags({ name, flags }: FrameHeader): void {
  if (flags !== 0) throw new ProtocolError(`${name} has flags ${flags}; it takes none`);
}

/**
 * Reads a header at `offset`.
 * @throws ProtocolError for an unknown type, reserved bits, or a body over the type's limit.
 */
export function decodeHeader(bytes: Buffer, offset = 0): FrameHeader {
  const type = bytes.readUInt8(offset);
  const name = namesByType.get(type);
  if (name === undefined) throw new ProtocolError(`frame type ${type} is unknown`);
  if (bytes.readUInt16BE(offset + 2) !== 0)
    throw new ProtocolError(`the reserved bits of a ${name} frame are not 0`);
  const bodyBytes = bytes.readUInt32BE(offset + 4);
  if (bodyBytes > BODY_BYTES_MAX[name]) {
    throw new ProtocolError(
      `a ${name} frame of ${bodyBytes} bytes is over the limit of ${BODY_BYTES_MAX[name]}`,
    );
  }
  const ownCheck = crc32(bytes.subarray(offset, offset + CHECKED_HEADER_BYTES));
  return {
    name,
    flags: bytes.readUInt8(offset + 1),
    bodyBytes,
    ownCheck,
    check: bytes.readUInt32BE(offset + 8),
  };
}

/**
 * Reads a header at `offset` of a connection that carries `expected` alone, in bodies of at most `bodyBytesMax`.
 * @throws ProtocolError as `decodeHeader` does, and for any other.
 */
export function decodeExpectedHeader(
  bytes: Buffer,
  offset: number,
  expected: ReadonlySet<FrameName> | undefined,
  bodyBytesMax = Infinity,
): FrameHeader {
  const header = decodeHeader(bytes, offset);
  if (expected?.has(header.name) === false)
    throw new ProtocolError(`a ${header.name} frame does not belong on this connection`);
  if (header.bodyBytes > bodyBytesMax)
    throw new ProtocolError(
      `a ${header.name} frame of ${header.bodyBytes} bytes is over the limit of ${bodyBytesMax} for this guest`,
    );
  return header;
}

/** A whole frame of a control connection. `body` is a view that stays valid. */
export interface Frame {
  readonly header: FrameHeader;
  readonly body: Buffer;
}

/** What is held of a frame that has begun is held in so much at first. */
const HELD_BYTES_MIN = 1024;

/**
 * Cuts a byte stream into frames, however the stream was cut on its way. Keeps at most one frame's bytes, in a buffer of no
 * more than twice as many, and takes time in proportion to them. After it has thrown, it must not be used again.
 */
export class FrameReader {
  readonly #expected: ReadonlySet<FrameName> | undefined;
  /** A frame that has begun: its bytes are copied here, lest each of them keeps a chunk of its own. */
  #held: Buffer = Buffer.alloc(0);
  #heldBytes = 0;
  /** Bytes of it that must be there before anything can be done: a header, then a whole frame. */
  #neededBytes = FRAME_HEADER_BYTES;

  /** `expected`: the frames that belong on this connection; others are refused by their headers. */
  constructor(expected?: readonly FrameName[]) {
    this.#expected = expected === undefined ? undefined : new Set(expected);
  }

  /** Takes the next bytes of the stream; answers the frames that are whole now. Throws as `decodeHeader` does. */
  consume(chunk: Buffer): Frame[] {
    const frames: Frame[] = [];
    let rest = chunk;
    while (this.#heldBytes > 0 && rest.length > 0) {
      rest = this.#hold(rest);
      if (this.#heldBytes < this.#neededBytes) break;
      const frame = this.#frameIn(this.#held.subarray(0, this.#heldBytes));
      if (frame === undefined) continue;
      frames.push(frame);
      // Its body is a view of this.
      this.#held = Buffer.alloc(0);
      this.#heldBytes = 0;
    }
    while (rest.length > 0) {
      const frame = this.#frameIn(rest);
      if (frame === undefined) break;
      frames.push(frame);
      rest = rest.subarray(FRAME_HEADER_BYTES + frame.body.length);
    }
    this.#hold(rest);
    return frames;
  }

  /** Bytes of a frame that has begun and is not whole. */
  get pendingBytes(): number {
    return this.#heldBytes;
  }

  // The frame at the beginning of `bytes` if it is whole; else how many bytes it needs is noted.
  #frameIn(bytes: Buffer): Frame | undefined {
    this.#neededBytes = FRAME_HEADER_BYTES;
    if (bytes.length < FRAME_HEADER_BYTES) return undefined;
    const header = decodeExpectedHeader(bytes, 0, this.#expected);
    const end = FRAME_HEADER_BYTES + header.bodyBytes;
    if (bytes.length < end) {
      this.#neededBytes = end;
      return undefined;
    }
    const body = bytes.subarray(FRAME_HEADER_BYTES, end);
    verifyFrame(header, body);
    return { header, body };
  }

  // Holds what is still needed of `bytes`; answers the rest.
  #hold(bytes: Buffer): Buffer {
    const byteCount = Math.min(bytes.length, this.#neededBytes - this.#heldBytes);
    const heldBytes = this.#heldBytes + byteCount;
    if (heldBytes > this.#held.length) {
      const room = Math.min(this.#neededBytes, Math.max(HELD_BYTES_MIN, 2 * heldBytes));
      const longer = Buffer.allocUnsafeSlow(Math.max(heldBytes, room));
      this.#held.copy(longer, 0, 0, this.#heldBytes);
      this.#held = longer;
    }
    bytes.copy(this.#held, this.#heldBytes, 0, byteCount);
    this.#heldBytes = heldBytes;
    return bytes.subarray(byteCount);
  }
}
