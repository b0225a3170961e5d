// What a service knows of a gateway and its streams, and what it notes of what the gateway says.
// Knows counts and bytes; rings, slots and what is answered are carried-streams.ts's.
import { ProtocolError } from '../errors.js';
import { STREAM_BYTES_MAX } from '../frame-limits.js';
import type { Cancellable } from '../time.js';
import type { Connection } from '../wire/connection.js';
import { PendingBytes } from '../pending-bytes.js';
import type { StreamMessage } from '../wire/stream-frames.js';

/** Streams that wait for a slot; a gateway with more is no use to any of them. */
const WAITING_MAX = 4096;

/** One client's stream. Counts are of bytes, and go round at 2^32. */
export interface Stream {
  /** None while all are taken. */
  slot: number | undefined;
  /** Bytes of the client in guest memory, and those behind them that have no room there yet. */
  inCount: number;
  readonly pending: PendingBytes;
  /** What the client says last, if it has. */
  end: 'none' | 'ended' | 'gone';
  /** Bytes of the guest that were sent on this connection, or were known to be there before. */
  sent: number;
  /** Bytes of the guest that the gateway says it has. */
  arrived: number;
  isAckDue: boolean;
  isClosedTold: boolean;
  /** The gateway knows it no more. */
  isForgotten: boolean;
}

export interface Gateway {
  readonly id: number;
  link: Connection | undefined;
  /** It was told on this connection that the guest is here. */
  isTold: boolean;
  /** Elapses when it has been away for too long. */
  away: Cancellable | undefined;
  isGivenUp: boolean;
  readonly streams: Map<number, Stream>;
  /** What is to be sent after the slice. */
  outbox: Uint8Array[];
}

export function newStream(): Stream {
  return {
    slot: undefined,
    inCount: 0,
    pending: new PendingBytes(),
    end: 'none',
    sent: 0,
    arrived: 0,
    isAckDue: false,
    isClosedTold: false,
    isForgotten: false,
  };
}

/**
 * Notes what a gateway says, outside of a slice; it is done in the next.
 * @throws ProtocolError when it cannot be so.
 */
export function noteMessage({ isTold, streams }: Gateway, message: StreamMessage, ringBytes: number): void {
  if (!isTold) throw new ProtocolError(`${message.name} came from a gateway that was not told of the guest`);
  if (message.name === 'STREAM_OPEN') {
    if (streams.size >= WAITING_MAX)
      throw new ProtocolError(`a gateway may have ${WAITING_MAX} streams at a service, not more`);
    if (!streams.has(message.stream)) streams.set(message.stream, newStream());
    return;
  }
  if (message.name === 'STREAM_ACK') {
    for (const [number, count] of message.counts) noteArrived(streams.get(number), count);
    return;
  }
  if (message.name === 'STREAM_OWNER' || message.name === 'STREAM_CLOSED')
    throw new ProtocolError(`${message.name} is not for a service`);
  const stream = streams.get(message.stream);
  // It may be over here already.
  if (stream === undefined) return;
  if (message.name === 'STREAM_BYTES') keep(stream, message.from, message.bytes, ringBytes);
  else if (message.name === 'STREAM_END') stream.end = message.isGone ? 'gone' : 'ended';
  else stream.isForgotten = true;
}

function noteArrived(stream: Stream | undefined, count: number): void {
  if (stream === undefined) return;
  if ((count - stream.arrived) >>> 0 > (stream.sent - stream.arrived) >>> 0)
    throw new ProtocolError('a gateway says that bytes arrived which were not sent');
  stream.arrived = count;
}

function keep(stream: Stream, from: number, bytes: Buffer, ringBytes: number): void {
  if (from !== (stream.inCount + stream.pending.byteCount) >>> 0)
    throw new ProtocolError(`the bytes of a stream go on at ${from}, and not where they ended`);
  if (stream.pending.byteCount + bytes.length > ringBytes + STREAM_BYTES_MAX)
    throw new ProtocolError('a stream has more bytes on their way than its ring has room for');
  stream.pending.push(bytes);
}
