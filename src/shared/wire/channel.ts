// A connection that carries messages: the control connection, and the greetings of the others.
// Knows frames and one socket; what messages mean is the state machines' business.
import type { Socket } from 'node:net';
import { monotonicUs } from '../clock.js';
import { MicrostunError, ProtocolError, asMicrostunError, messageOf } from '../errors.js';
import { FRAME_HEADER_BYTES, FrameReader } from './frames.js';
import { decodeMessage, encodeMessage, messageNames, type Message } from './messages.js';

/** Pause between signs of life, and how long a peer may go without one. */
export const HEARTBEAT_MS = 1000;
export const SILENCE_MS_MAX = 5000;

/** A message and when its last byte was read, in `monotonicUs`. */
export interface Received {
  readonly message: Message;
  readonly receivedAt: number;
}

/** What a channel tells its owner; `closed` comes exactly once, last, with the reason if it was not asked for. */
export interface ChannelEvents {
  received(received: Received): void;
  closed(error: MicrostunError | undefined): void;
}

export class Channel {
  readonly socket: Socket;
  readonly #reader = new FrameReader(messageNames);
  readonly #events: ChannelEvents;
  #isClosed = false;
  #watch: NodeJS.Timeout | undefined;
  #lastReceivedAt = 0;
  /** Bytes of whole frames that came in. */
  receivedBytes = 0;

  constructor(socket: Socket, events: ChannelEvents) {
    this.socket = socket;
    this.#events = events;
    socket.on('data', this.#onData);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
  }

  /**
   * Queues a message; answers its bytes on the wire and when the first of them was given to the socket. Sends nothing
   * once the channel is closed.
   */
  send(message: Message): { readonly bytes: number; readonly sentAt: number } {
    const parts = encodeMessage(message);
    const sentAt = monotonicUs();
    if (this.#isClosed || this.socket.destroyed) return { bytes: 0, sentAt };
    this.socket.cork();
    for (const part of parts) this.socket.write(part);
    this.socket.uncork();
    return { bytes: parts.reduce((total, part) => total + part.byteLength, 0), sentAt };
  }

  /** From now on a peer that says nothing for `ms` is taken for dead. */
  expectLife(ms: number): void {
    this.#lastReceivedAt = monotonicUs();
    this.#watch = setInterval(() => {
      if (monotonicUs() - this.#lastReceivedAt < ms * 1000) return;
      this.#finish(new MicrostunError('CONNECTION_LOST', `the peer said nothing for ${ms / 1000} s`));
      this.socket.destroy();
    }, ms / 4);
  }

  /** Sends what is queued and closes; the peer sees an orderly end. */
  end(): void {
    this.#finish(undefined);
    this.socket.end();
  }

  /** Closes at once. */
  destroy(): void {
    this.#finish(undefined);
    this.socket.destroy();
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isClosed) return;
    const receivedAt = monotonicUs();
    this.#lastReceivedAt = receivedAt;
    try {
      for (const frame of this.#reader.consume(chunk)) {
        this.receivedBytes += FRAME_HEADER_BYTES + frame.body.length;
        this.#events.received({ message: decodeMessage(frame), receivedAt });
      }
    } catch (error) {
      this.#finish(asMicrostunError(error, 'PROTOCOL'));
      this.socket.destroy();
    }
  };

  readonly #onError = (error: Error): void => {
    this.#finish(
      new MicrostunError('CONNECTION_LOST', `the connection was lost: ${messageOf(error)}`, { cause: error }),
    );
  };

  readonly #onClose = (): void => {
    const pending = this.#reader.pendingBytes;
    this.#finish(
      pending > 0
        ? new ProtocolError(
            `the peer closed the connection in the middle of a frame (${pending} bytes of it came)`,
          )
        : new MicrostunError('CONNECTION_LOST', 'the peer closed the connection'),
    );
  };

  #finish(error: MicrostunError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#watch);
    this.#events.closed(error);
  }
}
