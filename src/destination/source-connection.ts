// The control connection to a migration's source, whichever is in use: the newest takes the place of the one before.
// Does not know what carries it, nor what is said on it, except that PREPARE names ports of the peer that says it.
import { MicrostunError } from '../shared/errors.js';
import type { ControlConnection, Received, UnclaimedConnection } from '../shared/wire/control.js';
import type { Pass } from '../shared/wire/pass.js';
import { pinnedTo, type Security } from '../shared/wire/security.js';
import type { Message } from '../shared/wire/messages.js';
import { SILENCE_MS_MAX } from '../shared/limits.js';

export interface SourceEvents {
  received(received: Received): void;
  /** Messages that were told of and not looked at yet. */
  backlog(): number;
  /** The connection in use is gone, and nobody asked for that. */
  lost(error: MicrostunError): void;
}

export class SourceConnection {
  readonly #events: SourceEvents;
  #inUse: ControlConnection | undefined;
  /** Of the connection that PREPARE came on. */
  #peer: Pick<UnclaimedConnection, 'peerHost' | 'localHost' | 'peerCertificate'> | undefined;

  constructor(events: SourceEvents) {
    this.#events = events;
  }

  get isUp(): boolean {
    return this.#inUse !== undefined;
  }

  /**
   * Where the source was when it said what it brings: its ports are dialled there and nowhere else, wherever a control
   * connection comes from after that.
   */
  get host(): string {
    return this.#peer?.peerHost ?? '';
  }

  /** Our address, where that came in: a source that dials is awaited there. */
  get localHost(): string {
    return this.#peer?.localHost ?? '';
  }

  /** What other connections to this source show, and whom they expect there: nobody else than whoever said PREPARE. */
  passFor({ id, ticket }: { readonly id: string; readonly ticket: string }, security: Security): Pass {
    return { migrationId: id, ticket, security: pinnedTo(security, this.#peer?.peerCertificate) };
  }

  /** Bytes that wait for the source to read; without end where there is no connection. */
  get queuedBytes(): number {
    return this.#inUse?.queuedBytes ?? Infinity;
  }

  /** Takes a greeted and welcomed connection; what the one before says counts no more, and it is dropped. */
  take(offered: UnclaimedConnection): void {
    this.#inUse?.destroy();
    const { peerHost, localHost, peerCertificate } = offered;
    const peer = { peerHost, localHost, peerCertificate };
    const connection = offered.claim({
      received: (received) => {
        if (this.#inUse !== connection) return;
        if (received.message.name === 'PREPARE') this.#peer ??= peer;
        this.#events.received(received);
      },
      backlog: () => this.#events.backlog(),
      closed: (error) => {
        if (this.#inUse !== connection) return;
        this.#inUse = undefined;
        this.#events.lost(error ?? new MicrostunError('CONNECTION_LOST', 'hung up'));
      },
    });
    connection.expectLife(SILENCE_MS_MAX);
    this.#inUse = connection;
  }

  /** Says it, if anybody listens. */
  send(message: Message): void {
    this.#inUse?.send(message);
  }

  /** Hangs up; that is no loss. */
  end(): void {
    const connection = this.#inUse;
    this.#inUse = undefined;
    connection?.end();
  }
}
