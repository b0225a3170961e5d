// The control connection to a migration's source, whichever is in use: the newest takes the place of the one before.
// Does not know what is said on it, nor what carries it.
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
  #host = '';
  #localHost = '';
  #certificate: string | undefined;

  constructor(events: SourceEvents) {
    this.#events = events;
  }

  get isUp(): boolean {
    return this.#inUse !== undefined;
  }

  /** Where the source is, or was last. */
  get host(): string {
    return this.#host;
  }

  /** Our address, where it came in. */
  get localHost(): string {
    return this.#localHost;
  }

  /** What other connections to this source show, and whom they expect there: nobody else than whom this one reached. */
  passFor({ id, ticket }: { readonly id: string; readonly ticket: string }, security: Security): Pass {
    return { migrationId: id, ticket, security: pinnedTo(security, this.#certificate) };
  }

  /** Bytes that wait for the source to read; without end where there is no connection. */
  get queuedBytes(): number {
    return this.#inUse?.queuedBytes ?? Infinity;
  }

  /** Takes a greeted and welcomed connection; what the one before says counts no more, and it is dropped. */
  take(offered: UnclaimedConnection): void {
    this.#inUse?.destroy();
    const connection = offered.claim({
      received: (received) => {
        if (this.#inUse === connection) this.#events.received(received);
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
    this.#host = offered.peerHost;
    this.#localHost = offered.localHost;
    this.#certificate = offered.peerCertificate;
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
