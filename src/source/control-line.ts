// The control connection of an outgoing migration, over as many connections as it takes: one is in use at a time.
// Tells what happens on that one as events; when to dial and what to say is not its business.
import { asMicrostunError, MicrostunError } from '../shared/errors.js';
import type { EventQueue } from '../shared/event-queue.js';
import type { ControlConnection, UnclaimedConnection } from '../shared/wire/control.js';
import type { Message } from '../shared/wire/messages.js';
import type { Address } from '../shared/wire/sockets.js';
import type { OutgoingHands } from './hands.js';
import type { OutgoingEvent } from './states/events.js';
import { CONTROL_DIAL_MS_MAX, SILENCE_MS_MAX } from '../shared/limits.js';

export class ControlLine {
  readonly #hands: Pick<OutgoingHands, 'dial' | 'time'>;
  readonly #events: EventQueue<OutgoingEvent>;
  #current: ControlConnection | undefined;
  #isClosed = false;
  #peerHost = '';
  /** Bytes of the messages that the current one took. */
  #sentBytes = 0;
  /** Bytes of those that are over: of frames, and as the sockets counted. */
  #overBytes = 0;
  #overSocketBytes = 0;
  #overWireBytes = 0;
  #connections = 0;
  #cuts = 0;

  constructor(hands: Pick<OutgoingHands, 'dial' | 'time'>, events: EventQueue<OutgoingEvent>) {
    this.#hands = hands;
    this.#events = events;
  }

  /** Dials; the connection takes the place of the one in use. */
  dial(to: Address): void {
    this.#hands.dial(to, CONTROL_DIAL_MS_MAX).then(
      (unowned) => {
        if (this.#isClosed) unowned.drop();
        else this.#claim(unowned);
      },
      (error: unknown) => {
        this.#events.push({ kind: 'dial-failed', error: asMicrostunError(error, 'CONNECT_FAILED') });
      },
    );
  }

  /** The address that it goes to, or went to last. */
  get peerHost(): string {
    return this.#peerHost;
  }

  #claim(unowned: UnclaimedConnection): void {
    const claimed = unowned.claim({
      received: ({ message, receivedAt }) => {
        if (this.#current === claimed) this.#events.push({ kind: 'received', message, receivedAt });
      },
      backlog: () => this.#events.length,
      closed: (error = new MicrostunError('CONNECTION_LOST', 'hung up')) => {
        if (this.#current === claimed) this.#events.push({ kind: 'control-lost', error });
      },
    });
    this.hangUp();
    // Whoever ended the last one: what was under way on it may not have left.
    if (this.#connections++ > 0) this.#cuts++;
    this.#current = claimed;
    this.#peerHost = unowned.peerHost;
    claimed.expectLife(SILENCE_MS_MAX);
    this.#events.push({ kind: 'dialled' });
  }

  /** Answers what was taken of it, nothing where there is no connection, and when. */
  send(message: Message): ReturnType<ControlConnection['send']> {
    const sent = this.#current?.send(message) ?? { bytes: 0, sentAt: this.#hands.time.nowUs() };
    this.#sentBytes += sent.bytes;
    return sent;
  }

  /** Ends the connection in use, if there is one: nothing of it is heard any more. */
  hangUp(): void {
    const ended = this.#current;
    if (ended === undefined) return;
    this.#current = undefined;
    ended.end();
    // Cut by what it was given last, which never left.
    if (ended.isDestroyed) this.#cuts++;
    this.#overBytes += this.#sentBytes + ended.receivedBytes;
    this.#overSocketBytes += ended.carriedBytes;
    this.#overWireBytes += ended.wireBytes;
    this.#sentBytes = 0;
  }

  /** Hangs up, and takes no connection any more. */
  close(): void {
    this.#isClosed = true;
    this.hangUp();
  }

  /** Of the connections that are over: bytes of whole frames, as the sockets counted, on the wire; and how many were cut. */
  get bytes(): {
    readonly control: number;
    readonly socket: number;
    readonly wire: number;
    readonly cuts: number;
  } {
    return {
      control: this.#overBytes,
      socket: this.#overSocketBytes,
      wire: this.#overWireBytes,
      cuts: this.#cuts,
    };
  }
}
