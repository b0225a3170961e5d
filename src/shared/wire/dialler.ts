// One greeted connection to a peer, which may be dialled again at any time: of all dials only the newest counts.
// Knows no frames beyond the greeting; what the connection carries is its owner's.
import { asMicrostunError, type MicrostunError } from '../errors.js';
import { dialConnection, type Connection, type ConnectionNames, type ConnectionOwner } from './connection.js';
import { greet, type Introduction } from './greeting.js';
import type { Address } from './sockets.js';

export interface DiallerOptions {
  readonly names: ConnectionNames;
  readonly to: Address;
  /** Dials are given up after this. */
  readonly dialMs: number;
  /** A peer that takes the connection and does not welcome us for so long counts as lost. */
  readonly greetingMs: number;
  /** The kernel writes what it reads where the reader says; `dialConnection`. */
  readonly isReadInPlace: boolean;
  /** What we say of ourselves; asked once the newest dial is up, and nothing of the connection before it is read. */
  introduction(): Introduction;
  /** The newest dial is welcome: answers what reads what follows. */
  welcomed(connection: Connection): ConnectionOwner['reads'];
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

export class Dialler {
  readonly #options: DiallerOptions;
  #current: Generation | undefined;

  constructor(options: DiallerOptions) {
    this.#options = options;
  }

  /** The connection in use, if one is up and welcome. */
  get connection(): Connection | undefined {
    return this.#current?.isWelcome === true ? this.#current.connection : undefined;
  }

  /** Dials. Whatever there was before, a connection or a dial under way, is superseded and no loss. */
  dial(): void {
    this.close();
    const { to, dialMs, isReadInPlace } = this.#options;
    const generation: Generation = { connection: undefined, isWelcome: false };
    this.#current = generation;
    const dial = this.#options.dial ?? dialConnection;
    dial(to, dialMs, isReadInPlace).then(
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
      this.#options.introduction(),
      names,
      greetingMs,
      () => {
        generation.isWelcome = true;
        return { names, reads: this.#options.welcomed(connection), lost };
      },
      lost,
    );
  }

  // It is not current any more before its connection closes.
  #lose(generation: Generation, error: MicrostunError): void {
    if (this.#current !== generation) return;
    this.close();
    this.#options.lost(error);
  }
}
