// One greeted connection to a peer, which may be dialled again at any time: of all dials only the newest counts.
// Knows no frames beyond the greeting; what the connection carries is its owner's.
import { assert, asMicrostunError, type MicrostunError } from '../errors.js';
import { type Connection, type ConnectionNames, type ConnectionOwner } from './connection.js';
import { dialConnection } from './dialling.js';
import type { ConnectionEnd } from './connection-end.js';
import { greet, type ArrivedSoFar, type Introduction } from './greeting.js';
import { proofOf, type Pass } from './pass.js';
import { Sessions } from './secure-socket.js';
import type { Address } from './sockets.js';

export interface DiallerOptions {
  readonly names: ConnectionNames;
  /** Dials are given up after this. */
  readonly dialMs: number;
  /** A peer that takes the connection and does not welcome us for so long counts as lost. */
  readonly greetingMs: number;
  /** The kernel writes what it reads where the reader says; `dialConnection`. */
  readonly isReadInPlace: boolean;
  /** The migration that the connection is of. */
  readonly pass: Pass;
  /** What we say of ourselves; asked once the newest dial is up, and nothing of the connection before it is read. */
  introduction(): Omit<Introduction, 'migrationId' | 'ticket'>;
  /** The newest dial is welcome, and the peer has said what arrived there: answers what reads what follows. */
  welcomed(connection: Connection, peer: ArrivedSoFar): ConnectionOwner['reads'];
  /** The newest dial failed, or its connection is lost. Told once a dial; nothing more comes of it. */
  lost(error: MicrostunError): void;
  /** Instead of `dialConnection`, for tests. */
  readonly dial?: typeof dialConnection;
}

/** Each dial is a generation of its own: with its connection and its end. */
interface Generation {
  connection: Connection | undefined;
  isWelcome: boolean;
}

export class Dialler implements ConnectionEnd {
  readonly #options: DiallerOptions;
  #to: Address | undefined;
  readonly #sessions = new Sessions();
  #current: Generation | undefined;

  constructor(options: DiallerOptions) {
    this.#options = options;
  }

  /** The connection in use, if one is up and welcome. */
  get connection(): Connection | undefined {
    return this.#current?.isWelcome === true ? this.#current.connection : undefined;
  }

  open(to: Address): Promise<Address> {
    this.#to = to;
    this.renew();
    return Promise.resolve(to);
  }

  /** Dials. Whatever there was before, a connection or a dial under way, is superseded and no loss. */
  renew(): void {
    this.close();
    const to = this.#to;
    assert(to !== undefined, 'where to dial is known before it is dialled');
    const { dialMs, isReadInPlace, pass } = this.#options;
    const generation: Generation = { connection: undefined, isWelcome: false };
    this.#current = generation;
    const dial = this.#options.dial ?? dialConnection;
    dial(to, {
      timeoutMs: dialMs,
      security: pass.security,
      sessions: this.#sessions,
      isReadInPlace,
    }).then(
      (connection) => {
        this.#onDialled(generation, connection);
      },
      (error: unknown) => {
        this.#lose(generation, asMicrostunError(error, 'CONNECT_FAILED'));
      },
    );
  }

  /** What is up, or being dialled, is lost by `error`. */
  giveUp(error: MicrostunError): void {
    if (this.#current !== undefined) this.#lose(this.#current, error);
  }

  /** Dials no more: what is up is closed, and so is what comes up later. */
  close(): void {
    const dropped = this.#current;
    this.#current = undefined;
    dropped?.connection?.destroy();
  }

  /** The same, but what is up ends in order. */
  leave(): void {
    const last = this.#current;
    this.#current = undefined;
    if (last?.isWelcome === true) last.connection?.end();
    else last?.connection?.destroy();
  }

  #onDialled(generation: Generation, connection: Connection): void {
    if (this.#current !== generation) {
      connection.destroy();
      return;
    }
    generation.connection = connection;
    const { names, greetingMs } = this.#options;
    const lost = (error: MicrostunError): void => {
      this.#lose(generation, error);
    };
    greet(
      connection,
      this.#introduction(connection),
      names,
      greetingMs,
      (welcome) => {
        generation.isWelcome = true;
        return { names, reads: this.#options.welcomed(connection, welcome), lost };
      },
      lost,
    );
  }

  #introduction({ binding }: Connection): Introduction {
    const said = this.#options.introduction();
    const { migrationId, ticket } = this.#options.pass;
    const { role, index = 0 } = said;
    return { ...said, migrationId, ticket: proofOf(ticket, { role, migrationId, index, binding }) };
  }

  // It is not current any more before its connection closes.
  #lose(generation: Generation, error: MicrostunError): void {
    if (this.#current !== generation) return;
    this.close();
    this.#options.lost(error);
  }
}
