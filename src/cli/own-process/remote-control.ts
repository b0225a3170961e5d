// The control connection of a migration, in the process of its guest: the node has the socket, messages cross by IPC.
// Knows one connection; which is in use is the migration's own to say.
import type { MicrostunError } from '../../shared/errors.js';
import { after } from '../../shared/timers.js';
import { monotonicUs } from '../../shared/clock.js';
import type { ControlConnection, ControlEvents, Received } from '../../shared/wire/control.js';
import type { Message } from '../../shared/wire/messages.js';
import type { GuestNotice } from './notices.js';

/** Messages that the migration has not looked at, beyond which the node is told of none for a while. */
const BACKLOG_MAX = 32;
const BACKLOG_PAUSE_MS = 5;

/** What a message is taken for that the node has not said anything of yet. */
const UNTOLD_BYTES = 1024;

export class RemoteControl implements ControlConnection {
  readonly #connection: number;
  readonly #events: ControlEvents;
  readonly #tell: (notice: GuestNotice) => void;
  #sent = 0;
  #queued = { sent: 0, bytes: 0 };
  #handled = 0;
  #isClosed = false;
  isDestroyed = false;
  // The node counts them; nobody asks here.
  readonly receivedBytes = 0;
  readonly carriedBytes = 0;
  readonly wireBytes = 0;

  constructor(connection: number, events: ControlEvents, tell: (notice: GuestNotice) => void) {
    this.#connection = connection;
    this.#events = events;
    this.#tell = tell;
  }

  send(message: Message): { readonly bytes: number; readonly sentAt: number } {
    const sentAt = monotonicUs();
    if (!this.#isClosed) {
      this.#sent++;
      this.#tell({ kind: 'send', connection: this.#connection, message });
    }
    return { bytes: 0, sentAt };
  }

  expectLife(ms: number): void {
    this.#tell({ kind: 'expect-life', connection: this.#connection, ms });
  }

  end(): void {
    this.#hangUp(false);
  }

  destroy(): void {
    this.isDestroyed = true;
    this.#hangUp(true);
  }

  get queuedBytes(): number {
    return this.#queued.bytes + (this.#sent - this.#queued.sent) * UNTOLD_BYTES;
  }

  /** The node has received it. */
  received({ message, receivedAt }: Received): void {
    if (!this.#isClosed) this.#events.received({ message, receivedAt });
    this.#handled++;
    if (this.#handled === 1) this.#acknowledge();
  }

  /** The node has written `sent` messages, and so many bytes of them wait. */
  noteQueued(sent: number, bytes: number): void {
    this.#queued = { sent, bytes };
  }

  /** The node has lost it. */
  lost(error: MicrostunError | undefined): void {
    this.isDestroyed = true;
    this.#finish(error);
  }

  // The node reads no more than what is acknowledged, and a little.
  readonly #acknowledge = (): void => {
    if (!this.#isClosed && (this.#events.backlog?.() ?? 0) > BACKLOG_MAX) {
      after(BACKLOG_PAUSE_MS, this.#acknowledge);
      return;
    }
    this.#tell({ kind: 'handled', connection: this.#connection, messages: this.#handled });
    this.#handled = 0;
  };

  #hangUp(isAbrupt: boolean): void {
    if (this.#isClosed) return;
    this.#finish(undefined);
    this.#tell({ kind: 'hang-up', connection: this.#connection, isAbrupt });
  }

  #finish(error: MicrostunError | undefined): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#events.closed(error);
  }
}
