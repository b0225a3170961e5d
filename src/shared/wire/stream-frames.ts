// Frames between a gateway and a service: the streams of many clients on one connection, each resumable by its counts.
// Fixed layouts, big-endian; counts of bytes go round at 2^32. Pure; docs/protocol.md says who sends them when.
import { ProtocolError } from '../errors.js';
import { STREAM_BYTES_MAX } from '../frame-limits.js';
import { encodeFrame, type Frame, type FrameName } from './frames.js';

/** What a stream has come to at the service. */
export interface StreamCounts {
  readonly stream: number;
  /** Bytes of the client that are in guest memory. */
  readonly inCount: number;
  /** Bytes of the guest that the gateway is known to have. */
  readonly outCount: number;
}

/** Whoever says this runs the guest. */
export interface StreamOwner {
  /** Tells this guest from another that was started anew. */
  readonly guest: number;
  /** How often it has moved: whoever says more has it. */
  readonly moves: number;
  /** Bytes that a stream's client may have on their way into the guest. */
  readonly ringBytes: number;
  /** All streams of the gateway. */
  readonly streams: readonly StreamCounts[];
}

export type StreamMessage =
  | { readonly name: 'STREAM_OWNER'; readonly owner: StreamOwner }
  /** A client has come. */
  | { readonly name: 'STREAM_OPEN'; readonly stream: number }
  /** Bytes of a stream from the one that is counted `from` on; a view of what came. */
  | {
      readonly name: 'STREAM_BYTES';
      readonly stream: number;
      readonly from: number;
      readonly bytes: Buffer;
    }
  /** Of streams, up to where their bytes have arrived; the first of a stream says that it is open. */
  | { readonly name: 'STREAM_ACK'; readonly counts: readonly (readonly [stream: number, count: number])[] }
  /** The client says no more, or is gone. */
  | { readonly name: 'STREAM_END'; readonly stream: number; readonly isGone: boolean }
  /** The guest has closed it, and the gateway has all that it wrote. */
  | { readonly name: 'STREAM_CLOSED'; readonly stream: number }
  /** The gateway knows it no more. */
  | { readonly name: 'STREAM_GONE'; readonly stream: number };

export type StreamFrameName = StreamMessage['name'];

/** What a gateway says, and what a service does. */
export const GATEWAY_FRAMES: readonly FrameName[] = [
  'STREAM_OPEN',
  'STREAM_BYTES',
  'STREAM_ACK',
  'STREAM_END',
  'STREAM_GONE',
];
export const SERVICE_FRAMES: readonly FrameName[] = [
  'STREAM_OWNER',
  'STREAM_BYTES',
  'STREAM_ACK',
  'STREAM_CLOSED',
];

const OWNER_HEAD_BYTES = 24;
const COUNTS_BYTES = 16;

/** A whole frame, as parts for the socket. */
export function encodeStreamMessage(message: StreamMessage): Uint8Array[] {
  switch (message.name) {
    case 'STREAM_OWNER':
      return encodeFrame(message.name, [ownerBody(message.owner)]);
    case 'STREAM_BYTES':
      return encodeFrame(message.name, [words(message.stream, message.from), message.bytes]);
    case 'STREAM_ACK':
      return encodeFrame(message.name, [words(...message.counts.flat())]);
    case 'STREAM_END':
      return encodeFrame(message.name, [words(message.stream, message.isGone ? 1 : 0)]);
    default:
      return encodeFrame(message.name, [words(message.stream)]);
  }
}

function words(...values: readonly number[]): Buffer {
  const body = Buffer.allocUnsafe(4 * values.length);
  for (let index = 0; index < values.length; index++) body.writeUInt32BE(values[index]! >>> 0, 4 * index);
  return body;
}

/** guest f64, moves u32, bytes of a ring u32, streams u32, reserved u32 (0); of each: stream, in, out u32, reserved u32. */
function ownerBody({ guest, moves, ringBytes, streams }: StreamOwner): Buffer {
  const body = Buffer.alloc(OWNER_HEAD_BYTES + COUNTS_BYTES * streams.length);
  body.writeDoubleBE(guest, 0);
  body.writeUInt32BE(moves, 8);
  body.writeUInt32BE(ringBytes, 12);
  body.writeUInt32BE(streams.length, 16);
  streams.forEach(({ stream, inCount, outCount }, index) => {
    const at = OWNER_HEAD_BYTES + COUNTS_BYTES * index;
    body.writeUInt32BE(stream, at);
    body.writeUInt32BE(inCount, at + 4);
    body.writeUInt32BE(outCount, at + 8);
  });
  return body;
}

/** @throws ProtocolError naming what is wrong with it. */
export function decodeStreamMessage({ header, body }: Frame): StreamMessage {
  const name = header.name as StreamFrameName;
  if (header.flags !== 0) throw new ProtocolError(`${name} has flags ${header.flags}; it takes none`);
  switch (name) {
    case 'STREAM_OWNER':
      return { name, owner: decodeOwner(body) };
    case 'STREAM_BYTES':
      if (body.length <= 8 || body.length > 8 + STREAM_BYTES_MAX)
        throw new ProtocolError(
          `STREAM_BYTES of ${body.length} bytes is not one of 9 to ${8 + STREAM_BYTES_MAX}`,
        );
      return { name, stream: body.readUInt32BE(0), from: body.readUInt32BE(4), bytes: body.subarray(8) };
    case 'STREAM_ACK':
      if (body.length === 0 || body.length % 8 !== 0)
        throw new ProtocolError(`STREAM_ACK of ${body.length} bytes is no list of counts`);
      return {
        name,
        counts: Array.from({ length: body.length / 8 }, (_, index) => [
          body.readUInt32BE(8 * index),
          body.readUInt32BE(8 * index + 4),
        ]),
      };
    case 'STREAM_END': {
      const gone = body.length === 8 ? body.readUInt32BE(4) : 2;
      if (gone > 1)
        throw new ProtocolError('STREAM_END says neither that a client is gone nor that it hears on');
      return { name, stream: body.readUInt32BE(0), isGone: gone === 1 };
    }
    case 'STREAM_OPEN':
    case 'STREAM_CLOSED':
    case 'STREAM_GONE':
      if (body.length !== 4) throw new ProtocolError(`${name} of ${body.length} bytes names no stream`);
      return { name, stream: body.readUInt32BE(0) };
  }
}

function decodeOwner(body: Buffer): StreamOwner {
  const count = body.length < OWNER_HEAD_BYTES ? NaN : body.readUInt32BE(16);
  if (body.length !== OWNER_HEAD_BYTES + COUNTS_BYTES * count)
    throw new ProtocolError(`STREAM_OWNER of ${body.length} bytes is no list of ${count} streams`);
  return {
    guest: body.readDoubleBE(0),
    moves: body.readUInt32BE(8),
    ringBytes: body.readUInt32BE(12),
    streams: Array.from({ length: count }, (_, index) => {
      const at = OWNER_HEAD_BYTES + COUNTS_BYTES * index;
      return {
        stream: body.readUInt32BE(at),
        inCount: body.readUInt32BE(at + 4),
        outCount: body.readUInt32BE(at + 8),
      };
    }),
  };
}
