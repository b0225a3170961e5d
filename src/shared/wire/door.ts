// Where peers come in: listens, hears each caller's HELLO, and hands the caller to its owner, who welcomes or refuses it.
// Knows no migration. Whoever is not welcomed is a stranger: it holds a few KiB, for a few seconds, and harms nobody.
import type { Server, Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { asMicrostunError, MicrostunError } from '../errors.js';
import { after } from '../timers.js';
import { Connection } from './connection.js';
import { readHello, refuse, welcome, type ArrivedSoFar } from './greeting.js';
import { MessageConnection } from './message-connection.js';
import type { Message, MessageOf, RefusalCode } from './messages.js';
import { isSameSecret, proofOf, type Pass } from './pass.js';
import { SecureEntrance } from './secure-socket.js';
import { isThisHostOnly, THIS_HOST_ONLY, type Security } from './security.js';
import { listen, peerHostOf, type Address } from './sockets.js';
import { Strangers, type Stranger } from './strangers.js';
import { HANDSHAKES_MAX, SILENCE_MS_MAX, STRANGERS_MAX, TOLD_MS_MAX } from '../limits.js';

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

  /** Whether it is the connection of this role and number that the migration of `pass` waits for. */
  isOf(pass: Pass, role: 'pages' | 'faults', index = 0): boolean {
    const { hello } = this;
    if (hello.role !== role || hello.migrationId !== pass.migrationId || hello.index !== index) return false;
    const { binding } = this.#connection;
    return isSameSecret(
      hello.ticket,
      proofOf(pass.ticket, { role, migrationId: pass.migrationId, index, binding }),
    );
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

/** Somebody who is not welcome yet: a socket, and once it has shaken hands a connection. */
class SocketOfStranger implements Stranger {
  readonly #socket: Socket;
  readonly host: string;
  connection: Connection | undefined;

  constructor(socket: Socket) {
    this.#socket = socket;
    this.host = peerHostOf(socket);
  }

  get saidBytes(): number {
    return this.#socket.bytesRead;
  }

  get isOpen(): boolean {
    return this.#socket.writable;
  }

  sendAway(): void {
    this.connection?.giveUp(
      new MicrostunError('CONNECTION_LOST', 'it was not welcome yet when it had to go'),
    );
    this.#socket.destroy();
  }
}

export class Door {
  readonly #events: DoorEvents;
  readonly #strangers = new Strangers(STRANGERS_MAX);
  /** Those of them who shake hands. */
  readonly #shaking = new Strangers(HANDSHAKES_MAX);
  #server: Server | undefined;

  constructor(events: DoorEvents) {
    this.#events = events;
  }

  /**
   * Begins to listen; answers where. `flag` names the place on the command line.
   * @throws MicrostunError LISTEN_FAILED.
   */
  async open(where: Address, security: Security = THIS_HOST_ONLY, flag?: string): Promise<Address> {
    const entrance = security.kind === 'none' ? undefined : new SecureEntrance(security);
    const onConnection = (socket: Socket): void => {
      const from = peerHostOf(socket);
      this.#hear(socket, entrance).catch((error: unknown) => {
        this.#events.dropped?.(asMicrostunError(error, 'PROTOCOL'), from);
      });
    };
    const { server, address } = await listen(where, onConnection, {
      isThisHostOnly: isThisHostOnly(security),
      flag,
    });
    // No descriptor is free for another: somebody here has one who needs it less.
    server.on('error', () => {
      this.#strangers.sendOneAway();
    });
    this.#server = server;
    return address;
  }

  /** Nobody comes in any more; those who were welcomed stay. */
  close(): void {
    this.#server?.close();
    this.#strangers.sendAllAway();
  }

  async #hear(socket: Socket, entrance: SecureEntrance | undefined): Promise<void> {
    const stranger = new SocketOfStranger(socket);
    this.#strangers.add(stranger);
    socket.once('close', () => {
      this.#strangers.remove(stranger);
    });
    if (entrance !== undefined && !(await entrance.beginsHandshake(socket))) {
      const why = 'only TLS is spoken here; give both sides the same key, or certificates';
      refuse(new Connection(socket), 'UNAUTHORIZED', why);
      throw new MicrostunError('UNAUTHORIZED', 'the peer does not speak TLS');
    }
    const secured = entrance && (await this.#shakeHands(stranger, socket, entrance));
    const connection = new Connection(secured ?? socket, undefined, socket);
    stranger.connection = connection;
    try {
      const untrusted = secured && entrance.complaintOf(secured);
      if (untrusted !== undefined) {
        refuse(connection, 'UNAUTHORIZED', untrusted.message);
        throw untrusted;
      }
      const hello = await readHello(connection);
      await this.#events.called(
        new Caller(connection, hello, () => {
          this.#strangers.remove(stranger);
        }),
      );
    } catch (error) {
      // One that was refused is hung up on in order.
      if (connection.isOpen) connection.destroy();
      throw error;
    }
  }

  async #shakeHands(stranger: Stranger, socket: Socket, entrance: SecureEntrance): Promise<TLSSocket> {
    this.#shaking.add(stranger);
    try {
      return await entrance.take(socket);
    } finally {
      this.#shaking.remove(stranger);
    }
  }
}
