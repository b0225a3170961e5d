// A connection that carries messages: a control connection, or one that is only told how its migration ended.
// Knows frames and one connection; what messages mean is the state machines' business.
import { monotonicUs } from '../clock.js';
import { asMicrostunError, MicrostunError, ProtocolError } from '../errors.js';
import { after } from '../timers.js';
import type { Connection, ConnectionNames } from './connection.js';
import { FRAME_HEADER_BYTES, FrameReader, type Frame } from './frames.js';
import { decodeMessage, encodeMessage, messageNames, type Message } from './messages.js';
import type { ControlConnection, ControlEvents, UnclaimedConnection } from './control.js';
import { ANSWERS_QUEUED } from '../limits.js';

const LOOKS_A_SILENCE = 4;

const NAMES: ConnectionNames = { own: 'the connection', peer: 'the peer' };

/** Messages that are told in one turn of the event loop, so that their answers are counted before more are told. */
const MESSAGES_A_TURN_MAX = 16;

/** Messages that the owner has not looked at, beyond which it is told of no more for a while. */
const BACKLOG_MAX = 64;
const BACKLOG_PAUSE_MS = 5;

export class MessageConnection implements ControlConnection {
  readonly #connection: Connection;
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

  constructor(connection: Connection, events: ControlEvents) {
    this.#connection = connection;
    this.#events = events;
    connection.own({
      names: NAMES,
      reads: { take: this.#take },
      lost: (error) => {
        this.#finish(error);
      },
      closed: this.#onClosed,
    });
  }

  /**
   * Queues a message; answers its bytes on the wire and when the first of them was given to the connection. Sends
   * nothing once it is closed: what a connection does not take must not be counted.
   */
  send(message: Message): { readonly bytes: number; readonly sentAt: number } {
    const parts = encodeMessage(message);
    const sentAt = monotonicUs();
    return { bytes: this.#isClosed ? 0 : this.#connection.write(parts), sentAt };
  }

  /**
   * From now on a peer that says nothing for `ms` is taken for dead. Counted in looks, not by the clock: after a time in
   * which this process was held up itself, what the peer said meanwhile is read before the next look.
   */
  expectLife(ms: number): void {
    this.#isSilentFor = 0;
    this.#watch = setInterval(() => {
      if (++this.#isSilentFor <= LOOKS_A_SILENCE) return;
      this.#connection.giveUp(
        new MicrostunError('CONNECTION_LOST', `the peer said nothing for ${ms / 1000} s`),
      );
    }, ms / LOOKS_A_SILENCE);
  }

  /** Sends what is queued and closes; the peer sees an orderly end, and is not waited for without end. */
  end(): void {
    this.#finish(undefined);
    this.#connection.end();
  }

  /** Closes at once. */
  destroy(): void {
    this.#finish(undefined);
    this.#connection.destroy();
  }

  get isDestroyed(): boolean {
    return this.#connection.isDestroyed;
  }

  get queuedBytes(): number {
    return this.#connection.queuedBytes;
  }

  get carriedBytes(): number {
    return this.#connection.carriedBytes;
  }

  get wireBytes(): number {
    return this.#connection.wireBytes;
  }

  readonly #take = (chunk: Buffer): void => {
    const receivedAt = monotonicUs();
    this.#isSilentFor = 0;
    for (const frame of this.#reader.consume(chunk)) {
      this.receivedBytes += FRAME_HEADER_BYTES + frame.body.length;
      this.#untold.push({ frame, receivedAt });
    }
    if (!this.#isHeldUp) this.#tell();
  };

  // Tells what came, so much of it a turn, while the peer takes its answers and the owner keeps up; else reads no more.
  #tell(): void {
    for (let told = 0; told < MESSAGES_A_TURN_MAX; told++) {
      if (this.#connection.queuedBytes > ANSWERS_QUEUED.highBytes) {
        this.#holdUp();
        void this.#connection.room(ANSWERS_QUEUED).then(this.#goOn);
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
    this.#connection.pause();
  }

  readonly #goOn = (): void => {
    if (this.#isClosed) return;
    this.#isHeldUp = false;
    this.#connection.resume();
    this.#connection.attempt(() => {
      this.#tell();
    });
  };

  readonly #onClosed = (): void => {
    try {
      // What it said before it went counts; no answer to it is kept any more.
      let isMore = true;
      while (isMore) isMore = this.#tellNext();
    } catch (error) {
      this.#finish(asMicrostunError(error, 'PROTOCOL'));
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

/** A connection that was dialled, or greeted and welcomed, for whoever is to own it as a control connection. */
export function unclaimed(connection: Connection): UnclaimedConnection {
  return {
    peerHost: connection.peerHost,
    localHost: connection.localHost,
    peerCertificate: connection.peerCertificate,
    claim: (events) => new MessageConnection(connection, events),
    drop: () => {
      connection.destroy();
    },
  };
}
