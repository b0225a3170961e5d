// Where peers come in: listens, hears each caller's HELLO, and hands the caller to its owner, who welcomes or refuses it.
// Knows no migration. Whoever is not welcomed is a stranger: it holds a few KiB, for a few seconds, and harms nobody.
import type { Server, Socket } from 'node:net';
import { asMicrostunError, MicrostunError } from '../errors.js';
import { after } from '../timers.js';
import { Connection } from './connection.js';
import { readHello, refuse, welcome, type ArrivedSoFar } from './greeting.js';
import { MessageConnection } from './message-connection.js';
import type { Message, MessageOf, RefusalCode } from './messages.js';
import { listen, type Address } from './sockets.js';
import { SILENCE_MS_MAX, STRANGERS_MAX, TOLD_MS_MAX } from '../limits.js';

export interface DoorEvents {
  /** Somebody has greeted; must be welcomed, refused or told, and may wait for that. */
  called(caller: Caller): void | Promise<void>;
  /** A connection was closed because of what it said, or did not say; or because of what `called` threw. */
  dropped?(error: MicrostunError, from: string): void;
}

/** A connection that has greeted, before it is welcome. */
export class Caller {
  readonly hello: MessageOf<'HELLO'>;
  readonly #connection: Connection;
  readonly #takeIn: () => void;

  constructor(connection: Connection, hello: MessageOf<'HELLO'>, takeIn: () => void) {
    this.hello = hello;
    this.#connection = connection;
    this.#takeIn = takeIn;
  }

  /** Whether it went away while it waited. */
  get isGone(): boolean {
    return this.#connection.isDestroyed;
  }

  /** Takes it in: nothing more of it is read until it has its owner in whoever asked, of whom it is told what `arrived`. */
  welcome(arrived?: ArrivedSoFar): Connection {
    this.#takeIn();
    welcome(this.#connection, arrived);
    return this.#connection;
  }

  /** Declines it; it is hung up on, whether or not it listens. */
  refuse(code: RefusalCode, reason: string): void {
    refuse(this.#connection, code, reason);
  }

  /** Declines it after a welcome, so that it knows which process it is that refuses. */
  welcomeAndRefuse(code: RefusalCode, reason: string): void {
    welcome(this.#connection);
    refuse(this.#connection, code, reason);
  }

  /** Says what there is to say, once, and waits a while for it to hang up; whatever it asks, there is no more. */
  welcomeAndTell(messages: readonly Message[]): void {
    welcome(this.#connection);
    const timer = after(TOLD_MS_MAX, () => {
      told.end();
    });
    const told = new MessageConnection(this.#connection, {
      received: () => undefined,
      closed: () => {
        timer.cancel();
      },
    });
    for (const message of messages) told.send(message);
    told.expectLife(SILENCE_MS_MAX);
  }
}

export class Door {
  readonly #events: DoorEvents;
  /** The oldest first. */
  readonly #strangers = new Set<Connection>();
  #server: Server | undefined;

  constructor(events: DoorEvents) {
    this.#events = events;
  }

  /**
   * Begins to listen; answers where. `flag` names the place on the command line.
   * @throws MicrostunError LISTEN_FAILED.
   */
  async open(where: Address, flag?: string): Promise<Address> {
    const onConnection = (socket: Socket): void => {
      const connection = new Connection(socket);
      const from = connection.peerHost;
      this.#hear(connection).catch((error: unknown) => {
        // One that was refused is hung up on in order.
        if (connection.isOpen) connection.destroy();
        this.#events.dropped?.(asMicrostunError(error, 'PROTOCOL'), from);
      });
    };
    const { server, address } = await listen(where, onConnection, { flag });
    this.#server = server;
    return address;
  }

  /** Nobody comes in any more; those who were welcomed stay. */
  close(): void {
    this.#server?.close();
    const closed = new MicrostunError('CONNECTION_LOST', 'nobody comes in here any more');
    for (const connection of this.#strangers) if (connection.isOpen) connection.giveUp(closed);
  }

  async #hear(connection: Connection): Promise<void> {
    this.#letStand(connection);
    const hello = await readHello(connection);
    await this.#events.called(
      new Caller(connection, hello, () => {
        this.#strangers.delete(connection);
      }),
    );
  }

  #letStand(connection: Connection): void {
    const [oldest] = this.#strangers;
    if (oldest !== undefined && this.#strangers.size >= STRANGERS_MAX) {
      this.#strangers.delete(oldest);
      oldest.giveUp(new MicrostunError('CONNECTION_LOST', 'others came, and it was not welcome yet'));
    }
    this.#strangers.add(connection);
    connection.onClosed(() => {
      this.#strangers.delete(connection);
    });
  }
}
