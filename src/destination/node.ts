// The destination node's front door: listens for control connections and leads each to its migration.
// Takes one guest at a time; a refused or cancelled migration frees the place for the next.
import type { Logger } from 'pino';
import { unreachable } from '../shared/errors.js';
import { unclaimed } from '../shared/wire/message-connection.js';
import { Door, type Caller } from '../shared/wire/door.js';
import type { Message } from '../shared/wire/messages.js';
import type { Address } from '../shared/wire/sockets.js';
import { AnswerBook } from './states/answer-book.js';
import { admit, type Admission } from './door.js';
import { IncomingMigration, type IncomingOptions, type IncomingResult } from './incoming.js';

export class Destination {
  readonly #options: IncomingOptions;
  readonly #logger: Logger;
  readonly #door: Door;
  #current: IncomingMigration | undefined;
  /** Settles when the current migration has ended. */
  #ended: Promise<void> = Promise.resolve();
  /** Migrations that have ended are remembered: what was answered is said again to a source that asks. */
  readonly #answered = new AnswerBook();
  readonly #onEnded: (result: IncomingResult, migration: IncomingMigration) => void;

  /** `onEnded` hears of each migration's end; after one whose guest runs here, all others are refused. */
  constructor(
    options: IncomingOptions,
    onEnded: (result: IncomingResult, migration: IncomingMigration) => void,
  ) {
    this.#options = options;
    this.#logger = options.logger;
    this.#onEnded = onEnded;
    this.#door = new Door({
      called: (caller) => this.#hear(caller),
      dropped: (error, from) => {
        this.#logger.warn({ from }, `a connection was dropped: ${error.message}`);
      },
    });
  }

  /**
   * Starts listening; answers where.
   * @throws MicrostunError LISTEN_FAILED.
   */
  listen(where: Address): Promise<Address> {
    return this.#door.open(where);
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
    this.#door.close();
  }

  async #hear(caller: Caller): Promise<void> {
    const { role, migrationId, welcomedBy } = caller.hello;
    if (role !== 'control') {
      caller.refuse('PROTOCOL', `a ${role} connection is dialled by the destination, not to it`);
      return;
    }
    let admission = this.#admit(migrationId, welcomedBy);
    while (admission === 'make-way') {
      this.#current?.cancel('its source went away, and another migration took its place');
      await this.#ended;
      if (caller.isGone) return;
      admission = this.#admit(migrationId, welcomedBy);
    }
    // Whoever is refused is welcomed first, so that it knows which process it is that refuses.
    switch (admission) {
      case 'repeat':
        caller.welcomeAndTell(this.#answersTo(migrationId) ?? []);
        return;
      case 'begin':
        this.#begin(migrationId).attach(unclaimed(caller.welcome()));
        return;
      case 'attach':
        this.#current?.attach(unclaimed(caller.welcome()));
        return;
      case 'forgotten':
        caller.welcomeAndRefuse(
          'UNKNOWN_MIGRATION',
          'this destination does not remember that migration; if its guest runs at its source, migrate it again',
        );
        return;
      case 'busy':
        caller.welcomeAndRefuse(
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
        isAnswered: this.#answersTo(migrationId) !== undefined,
        current: current && {
          isCallers: current.id === migrationId,
          isAbandoned: current.isAbandoned,
        },
      },
      welcomedBy,
    );
  }

  // One that has ended hears nobody any more; it is remembered once all that it had is closed, which takes seconds.
  #answersTo(migrationId: string): readonly Message[] | undefined {
    const current = this.#current;
    const hasEnded = current?.id === migrationId && current.state === 'ended';
    return this.#answered.find(migrationId) ?? (hasEnded ? current.lastMessages : undefined);
  }

  #begin(migrationId: string): IncomingMigration {
    const migration = new IncomingMigration(migrationId, this.#options);
    this.#current = migration;
    this.#ended = migration.run().then(
      (result) => {
        this.#answered.remember(migrationId, migration.lastMessages);
        if (result.kind === 'refused') this.#current = undefined;
        this.#onEnded(result, migration);
      },
      (error: unknown) => {
        this.#logger.fatal({ error }, 'the migration failed');
        throw error;
      },
    );
    return migration;
  }
}
