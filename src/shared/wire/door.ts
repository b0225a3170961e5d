// Where peers come in: listens, hears each caller's HELLO, and hands the caller to its owner, who welcomes or refuses it.
// Knows no migration. Whoever is not welcomed is a stranger: it holds a few KiB, for a few seconds, and harms nobody.
import type { Server, Socket } from 'node:net';
import type { MicrostunError } from '../errors.js';
import { asMicrostunError } from '../errors.js';
import { after } from '../timers.js';
import { Channel, SILENCE_MS_MAX } from './channel.js';
import { readHello, refuse, welcome } from './greeting.js';
import type { Message, MessageOf, RefusalCode } from './messages.js';
import { listen, type Address } from './sockets.js';

/**
 * Connections that may be open at a door without being welcome: not greeted yet, refused, or told how their migration
 * ended. One more takes the place of the oldest, so that a crowd of them keeps nobody out who greets at once.
 */
export const STRANGERS_MAX = 64;

/** A caller that is told how its migration ended, and does not hang up, is sent away after this. */
export const TOLD_MS_MAX = 10_000;

export interface DoorEvents {
  /** Somebody has greeted; must be welcomed, refused or told, and may wait for that. */
  called(caller: Caller): void | Promise<void>;
  /** A connection was closed because of what it said, or did not say; or because of what `called` threw. */
  dropped?(error: MicrostunError, from: string): void;
}

/** A connection that has greeted, before it is welcome. Its errors are owned here and in sockets.ts until then. */
export class Caller {
  readonly hello: MessageOf<'HELLO'>;
  readonly #socket: Socket;
  readonly #takeIn: () => void;

  constructor(socket: Socket, hello: MessageOf<'HELLO'>, takeIn: () => void) {
    this.hello = hello;
    this.#socket = socket;
    this.#takeIn = takeIn;
  }

  /** Whether it went away while it waited. */
  get isGone(): boolean {
    return this.#socket.destroyed;
  }

  /** Takes it in: the socket, paused, has its owner in whoever asked. `greetingBytes` went both ways so far. */
  welcome(): { readonly socket: Socket; readonly greetingBytes: number } {
    this.#takeIn();
    const helloBytes = this.#socket.bytesRead;
    return { socket: this.#socket, greetingBytes: helloBytes + welcome(this.#socket) };
  }

  /** Declines it; it is hung up on, whether or not it listens. */
  refuse(code: RefusalCode, reason: string): void {
    refuse(this.#socket, code, reason);
  }

  /** Declines it after a welcome, so that it knows which process it is that refuses. */
  welcomeAndRefuse(code: RefusalCode, reason: string): void {
    welcome(this.#socket);
    refuse(this.#socket, code, reason);
  }

  /** Says what there is to say, once, and waits a while for it to hang up; whatever it asks, there is no more. */
  welcomeAndTell(messages: readonly Message[]): void {
    welcome(this.#socket);
    const timer = after(TOLD_MS_MAX, () => {
      channel.end();
    });
    const channel = new Channel(this.#socket, {
      received: () => undefined,
      closed: () => {
        timer.cancel();
      },
    });
    for (const message of messages) channel.send(message);
    channel.expectLife(SILENCE_MS_MAX);
    this.#socket.resume();
  }
}

export class Door {
  readonly #events: DoorEvents;
  /** The oldest first. */
  readonly #strangers = new Set<Socket>();
  #server: Server | undefined;

  constructor(events: DoorEvents) {
    this.#events = events;
  }

  /**
   * Begins to listen; answers where.
   * @throws MicrostunError LISTEN_FAILED.
   */
  async open(where: Address): Promise<Address> {
    const { server, address } = await listen(where, (socket) => {
      this.#hear(socket).catch((error: unknown) => {
        socket.destroy();
        this.#events.dropped?.(asMicrostunError(error, 'PROTOCOL'), socket.remoteAddress ?? '');
      });
    });
    this.#server = server;
    return address;
  }

  /** Nobody comes in any more; those who were welcomed stay. */
  close(): void {
    this.#server?.close();
    for (const socket of this.#strangers) if (!socket.writableEnded) socket.destroy();
  }

  async #hear(socket: Socket): Promise<void> {
    this.#letStand(socket);
    const hello = await readHello(socket);
    await this.#events.called(
      new Caller(socket, hello, () => {
        this.#strangers.delete(socket);
      }),
    );
  }

  #letStand(socket: Socket): void {
    const [oldest] = this.#strangers;
    if (oldest !== undefined && this.#strangers.size >= STRANGERS_MAX) {
      this.#strangers.delete(oldest);
      oldest.destroy();
    }
    this.#strangers.add(socket);
    socket.once('close', () => {
      this.#strangers.delete(socket);
    });
  }
}
