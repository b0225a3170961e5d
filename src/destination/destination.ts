// The destination node's front door: listens for control connections and leads each to its migration.
// Takes one guest at a time; a refused or cancelled migration frees the place for the next.
import type { Server, Socket } from 'node:net';
import type { Logger } from 'pino';
import { messageOf, unreachable } from '../shared/errors.js';
import { readHello, refuse, welcome } from '../shared/wire/greeting.js';
import { listen, type Address } from '../shared/wire/sockets.js';
import { Channel, SILENCE_MS_MAX } from '../shared/wire/channel.js';
import type { Message } from '../shared/wire/messages.js';
import { AnswerBook } from './answer-book.js';
import { admit, type Admission } from './door.js';
import { IncomingMigration, type ReceiveOptions, type Reception } from './receive.js';

export class Destination {
  readonly #options: ReceiveOptions;
  readonly #logger: Logger;
  #server: Server | undefined;
  #current: IncomingMigration | undefined;
  /** Settles when the current migration has ended. */
  #ended: Promise<void> = Promise.resolve();
  /** Migrations that have ended are remembered: what was answered is said again to a source that asks. */
  readonly #answered = new AnswerBook();
  readonly #onEnded: (reception: Reception, migration: IncomingMigration) => void;

  /** `onEnded` hears of each migration's end; after one whose guest runs here, all others are refused. */
  constructor(
    options: ReceiveOptions,
    onEnded: (reception: Reception, migration: IncomingMigration) => void,
  ) {
    this.#options = options;
    this.#logger = options.logger;
    this.#onEnded = onEnded;
  }

  /**
   * Starts listening; answers where.
   * @throws MicrostunError LISTEN_FAILED.
   */
  async listen(where: Address): Promise<Address> {
    const { server, address } = await listen(where, (socket) => {
      this.#accept(socket).catch((error: unknown) => {
        this.#logger.warn({ from: socket.remoteAddress }, `a connection was dropped: ${messageOf(error)}`);
      });
    });
    this.#server = server;
    return address;
  }

  get migration(): IncomingMigration | undefined {
    return this.#current;
  }

  /** The guest has left this node, or ended: the place is free for the next. */
  release(): void {
    this.#current = undefined;
  }

  cancel(reason: string): void {
    this.#current?.cancel(reason);
  }

  close(): void {
    this.#server?.close();
  }

  async #accept(socket: Socket): Promise<void> {
    const { role, migrationId, welcomedBy } = await readHello(socket);
    if (role !== 'control') {
      refuse(socket, 'PROTOCOL', `a ${role} connection is dialled by the destination, not to it`);
      return;
    }
    let admission = this.#admit(migrationId, welcomedBy);
    while (admission === 'make-way') {
      this.#current?.cancel('its source went away, and another migration took its place');
      await this.#ended;
      admission = this.#admit(migrationId, welcomedBy);
    }
    // Whoever is refused is welcomed first, so that it knows which process it is that refuses.
    welcome(socket);
    switch (admission) {
      case 'repeat':
        repeat(socket, this.#answered.find(migrationId) ?? []);
        return;
      case 'begin':
        this.#begin(migrationId).attach(socket);
        return;
      case 'attach':
        this.#current?.attach(socket);
        return;
      case 'forgotten':
        refuse(
          socket,
          'UNKNOWN_MIGRATION',
          'this destination does not remember that migration; if its guest runs at its source, migrate it again',
        );
        return;
      case 'busy':
        refuse(
          socket,
          'BUSY',
          'this destination has a guest already; choose another destination, or end that one',
        );
        return;
      default:
        unreachable(admission);
    }
  }

  #admit(migrationId: string, welcomedBy: string): Admission {
    const current = this.#current;
    return admit(
      {
        isAnswered: this.#answered.find(migrationId) !== undefined,
        current: current && {
          isCallers: current.id === migrationId,
          isAbandoned: current.isAbandoned,
        },
      },
      welcomedBy,
    );
  }

  #begin(migrationId: string): IncomingMigration {
    const migration = new IncomingMigration(migrationId, this.#options);
    this.#current = migration;
    this.#ended = migration.run().then(
      (reception) => {
        this.#answered.remember(migrationId, migration.lastMessages);
        if (reception.kind === 'refused') this.#current = undefined;
        this.#onEnded(reception, migration);
      },
      (error: unknown) => {
        this.#logger.fatal({ error }, 'the reception failed');
        throw error;
      },
    );
    return migration;
  }
}

// Says what was answered once more. Whatever the source asks now, there is no other answer; it hangs up when it knows.
function repeat(socket: Socket, answers: readonly Message[]): void {
  const channel = new Channel(socket, { received: () => undefined, closed: () => undefined });
  for (const answer of answers) channel.send(answer);
  channel.expectLife(SILENCE_MS_MAX);
  socket.resume();
}
