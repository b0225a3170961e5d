// A connection that carries messages: the control connection, and the greetings of the others.
// Knows frames and one socket; what messages mean is the state machines' business.
import type { Socket } from 'node:net';
import { monotonicUs } from '../clock.js';
import { MicrostunError, ProtocolError, asMicrostunError, messageOf } from '../errors.js';
import { after } from '../timers.js';
import { FRAME_HEADER_BYTES, FrameReader, type Frame } from './frames.js';
import { decodeMessage, encodeMessage, messageNames, type Message } from './messages.js';
import type { ControlConnection, ControlEvents, UnclaimedConnection } from './control.js';
import { endSocket, peerHostOf } from './sockets.js';

/** Pause between signs of life, and how long a peer may go without one. */
export const HEARTBEAT_MS = 1000;
export const SILENCE_MS_MAX = 5000;
const LOOKS_A_SILENCE = 4;

/** Bytes that the peer was sent and has not taken, beyond which nothing more of it is read: it may only ask, not read. */
const QUEUED_BYTES_MAX = 1 << 20;

/** Messages that are told in one turn of the event loop, so that their answers are counted before more are told. */
const MESSAGES_A_TURN_MAX = 16;

/** Messages that the owner has not looked at, beyond which it is told of no more for a while. */
const BACKLOG_MAX = 64;
const BACKLOG_PAUSE_MS = 5;

export class Channel implements ControlConnection {
  readonly socket: Socket;
  readonly #reader = new FrameReader(messageNames);
  readonly #events: ControlEvents;
  #isClosed = false;
  #watch: NodeJS.Timeout | undefined;
  /** Looks since the peer said something. */
  #isSilentFor = 0;
  /** Frames that came and that the owner was not told of yet; of one chunk, since no more is read until they are told. */
  #untold: { readonly frame: Frame; readonly receivedAt: number }[] = [];
  #isHeldUp = false;
  /** Bytes of whole frames that came in. */
  receivedBytes = 0;

  constructor(socket: Socket, events: ControlEvents) {
    this.socket = socket;
    this.#events = events;
    socket.on('data', this.#onData);
    socket.on('error', this.#onError);
    socket.on('close', this.#onClose);
    // One that was lost before it had an owner tells nobody any more.
    if (socket.destroyed) setImmediate(this.#onClose);
  }

  /**
   * Queues a message; answers its bytes on the wire and when the first of them was given to the socket. Sends nothing
   * once the channel is closed.
   */
  send(message: Message): { readonly bytes: number; readonly sentAt: number } {
    const parts = encodeMessage(message);
    const sentAt = monotonicUs();
    // A socket whose peer has hung up takes nothing more, and what it does not take must not be counted.
    if (this.#isClosed || !this.socket.writable) return { bytes: 0, sentAt };
    this.socket.cork();
    for (const part of parts) this.socket.write(part);
    this.socket.uncork();
    return { bytes: parts.reduce((total, part) => total + part.byteLength, 0), sentAt };
  }

  /**
   * From now on a peer that says nothing for `ms` is taken for dead. Counted in looks, not by the clock: after a time in
   * which this process was held up itself, what the peer said meanwhile is read before the next look.
   */
  expectLife(ms: number): void {
    this.#isSilentFor = 0;
    this.#watch = setInterval(() => {
      if (++this.#isSilentFor <= LOOKS_A_SILENCE) return;
      this.#finish(new MicrostunError('CONNECTION_LOST', `the peer said nothing for ${ms / 1000} s`));
      this.socket.destroy();
    }, ms / LOOKS_A_SILENCE);
  }

  /** Sends what is queued and closes; the peer sees an orderly end, and is not waited for without end. */
  end(): void {
    this.#finish(undefined);
    endSocket(this.socket);
  }

  /** Closes at once. */
  destroy(): void {
    this.#finish(undefined);
    this.socket.destroy();
  }

  get isDestroyed(): boolean {
    return this.socket.destroyed;
  }

  get queuedBytes(): number {
    return this.socket.writableLength;
  }

  get carriedBytes(): number {
    return this.socket.bytesWritten + this.socket.bytesRead;
  }

  readonly #onData = (chunk: Buffer): void => {
    if (this.#isClosed) return;
    const receivedAt = monotonicUs();
    this.#isSilentFor = 0;
    try {
      for (const frame of this.#reader.consume(chunk)) {
        this.receivedBytes += FRAME_HEADER_BYTES + frame.body.length;
        this.#untold.push({ frame, receivedAt });
      }
      if (!this.#isHeldUp) this.#tell();
    } catch (error) {
      this.#giveUp(error);
    }
  };

  // Tells what came, so much of it a turn, while the peer takes its answers and the owner keeps up; else reads no more.
  #tell(): void {
    for (let told = 0; told < MESSAGES_A_TURN_MAX; told++) {
      if (this.socket.writableLength > QUEUED_BYTES_MAX) {
        this.#holdUp();
        this.socket.once('drain', this.#goOn);
        return;
      }
      if ((this.#events.backlog?.() ?? 0) > BACKLOG_MAX) {
        this.#holdUp();
        after(BACKLOG_PAUSE_MS, this.#goOn);
        // It is not the peer that is slow.
        this.#isSilentFor = 0;
        return;
      }
      if (!this.#tellNext()) return;
    }
    if (this.#untold.length === 0) return;
    this.#holdUp();
    setImmediate(this.#goOn);
  }

  // Answers whether there was one.
  #tellNext(): boolean {
    const next = this.#isClosed ? undefined : this.#untold.shift();
    if (next === undefined) return false;
    this.#events.received({ message: decodeMessage(next.frame), receivedAt: next.receivedAt });
    return true;
  }

  #holdUp(): void {
    this.#isHeldUp = true;
    this.socket.pause();
  }

  readonly #goOn = (): void => {
    if (this.#isClosed) return;
    this.#isHeldUp = false;
    this.socket.resume();
    try {
      this.#tell();
    } catch (error) {
      this.#giveUp(error);
    }
  };

  #giveUp(error: unknown): void {
    this.#finish(asMicrostunError(error, 'PROTOCOL'));
    this.socket.destroy();
  }

  readonly #onError = (error: Error): void => {
    this.#finish(
      new MicrostunError('CONNECTION_LOST', `the connection was lost: ${messageOf(error)}`, { cause: error }),
    );
  };

  readonly #onClose = (): void => {
    try {
      // What it said before it went counts; no answer to it is kept any more.
      let isMore = true;
      while (isMore) isMore = this.#tellNext();
    } catch (error) {
      this.#giveUp(error);
    }
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
    this.#untold = [];
    this.#events.closed(error);
  }
}

/** A socket that was dialled, or greeted and welcomed, for whoever is to own it as a control connection. */
export function unclaimed(socket: Socket): UnclaimedConnection {
  return {
    peerHost: peerHostOf(socket),
    claim: (events) => {
      const channel = new Channel(socket, events);
      socket.resume();
      return channel;
    },
    drop: () => {
      socket.destroy();
    },
  };
}
