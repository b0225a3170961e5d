// A connection that the peer dials, over as many as that takes: the newest that is let in counts.
// Knows who is expected, and no frames beyond the greeting.
import type { MicrostunError } from '../errors.js';
import type { ConnectionEnd, EndOptions } from './connection-end.js';
import type { Connection } from './connection.js';
import { Door, type Caller } from './door.js';
import type { Address } from './sockets.js';

export class AwaitedEnd implements ConnectionEnd {
  readonly #options: EndOptions;
  readonly #door: Door;
  #current: Connection | undefined;

  constructor(options: EndOptions) {
    this.#options = options;
    this.#door = new Door({
      called: (caller) => {
        this.#admit(caller);
      },
    });
  }

  get connection(): Connection | undefined {
    return this.#current;
  }

  open(at: Address): Promise<Address> {
    const { pass, listenFlag } = this.#options;
    return this.#door.open(at, pass.security, listenFlag);
  }

  /** Closes what is up, so that the peer dials anew. */
  renew(): void {
    const dropped = this.#current;
    this.#current = undefined;
    dropped?.destroy();
  }

  giveUp(error: MicrostunError): void {
    this.#current?.giveUp(error);
  }

  close(): void {
    this.renew();
    this.#door.close();
  }

  leave(): void {
    const last = this.#current;
    this.#current = undefined;
    last?.end();
    this.#door.close();
  }

  #admit(caller: Caller): void {
    const { hello } = caller;
    const { names, role, pass, index } = this.#options;
    if (!caller.isOf(pass, role, index)) {
      const who = `${role === 'pages' ? 'page' : 'fault'} connection ${hello.index} of migration ${hello.migrationId}`;
      caller.refuse('UNKNOWN_MIGRATION', `no ${who} is expected here`);
      return;
    }
    // A peer that comes again has lost its old connection, whether or not that is known here.
    this.renew();
    const connection = caller.welcome(this.#options.arrived());
    this.#current = connection;
    connection.own({
      names,
      reads: this.#options.up(connection, hello),
      lost: (error) => {
        if (this.#current === connection) this.#current = undefined;
        this.#options.lost(error);
      },
    });
  }
}
