// The destination node: leads each control connection to its migration, and remembers what was answered.
// Takes one guest at a time; a refused or cancelled migration frees the place for the next. Knows no socket.
import type { Logger } from 'pino';
import { unreachable } from '../shared/errors.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import type { UnclaimedConnection } from '../shared/wire/control.js';
import type { Message, MessageOf, RefusalCode } from '../shared/wire/messages.js';
import type { admit } from './door.js';
import { type Admission } from './door.js';
import type { IncomingMachine } from './hands.js';
import type { IncomingMigration } from './incoming.js';
import type { IncomingResult } from './result.js';
import type { AnswerBook } from './states/answer-book.js';

/** A connection that has greeted, before it is welcome. */
export interface Greeted {
  readonly hello: MessageOf<'HELLO'>;
  /** Whether it went away while it waited. */
  readonly isGone: boolean;
  /** Takes it in. */
  welcome(): UnclaimedConnection;
  /** Declines it; it is hung up on. */
  refuse(code: RefusalCode, reason: string): void;
  /** Declines it after a welcome, so that it knows which process it is that refuses. */
  welcomeAndRefuse(code: RefusalCode, reason: string): void;
  /** Says what there is to say, once. */
  welcomeAndTell(messages: readonly Message[]): void;
}

export interface DestinationParts<Machine extends IncomingMachine> {
  /** Makes the migration that takes the place. */
  begin(migrationId: string): IncomingMigration<Machine>;
  /** Hears of each migration's end; after one whose guest runs here, all others are refused. */
  ended(result: IncomingResult<Machine>, migration: IncomingMigration<Machine>): void;
  /** What is remembered of migrations that have ended: it is said again to a source that asks. */
  readonly answers: Pick<AnswerBook, 'remember' | 'find'>;
  /** What decides. */
  readonly admit: typeof admit;
  readonly logger: Logger;
}

export class Destination<Machine extends IncomingMachine = GuestMachine> {
  readonly #parts: DestinationParts<Machine>;
  #current: IncomingMigration<Machine> | undefined;
  /** Settles when the current migration has ended. */
  #ended: Promise<void> = Promise.resolve();

  constructor(parts: DestinationParts<Machine>) {
    this.#parts = parts;
  }

  get migration(): IncomingMigration<Machine> | undefined {
    return this.#current;
  }

  /** The guest has left this node, or ended: the place is free for the next. */
  release(): void {
    this.#current = undefined;
  }

  cancel(reason: string): void {
    this.#current?.cancel(reason);
  }

  /** Somebody has greeted: is led to its migration, refused, or told; perhaps once the one before it has ended. */
  async hear(caller: Greeted): Promise<void> {
    const { role, migrationId, welcomedBy } = caller.hello;
    if (role !== 'control') {
      caller.refuse('PROTOCOL', `a ${role} connection is dialled by the destination, not to it`);
      return;
    }
    let admission = this.#admit(migrationId, welcomedBy);
    while (admission === 'make-way') {
      const current = this.#current;
      await current?.makeWay();
      if (current?.isHandedOver !== true) await this.#ended;
      if (caller.isGone) return;
      admission = this.#admit(migrationId, welcomedBy);
    }
    // Whoever is refused is welcomed first, so that it knows which process it is that refuses.
    switch (admission) {
      case 'repeat':
        caller.welcomeAndTell(this.#answersTo(migrationId) ?? []);
        return;
      case 'begin':
        this.#begin(migrationId).attach(caller.welcome());
        return;
      case 'attach':
        this.#current?.attach(caller.welcome());
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
    return this.#parts.admit(
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
    const hasEnded = current?.id === migrationId && current.phase === 'ended';
    return this.#parts.answers.find(migrationId) ?? (hasEnded ? current.lastMessages : undefined);
  }

  #begin(migrationId: string): IncomingMigration<Machine> {
    const migration = this.#parts.begin(migrationId);
    this.#current = migration;
    this.#ended = migration.run().then(
      (result) => {
        this.#parts.answers.remember(migrationId, migration.lastMessages);
        if (result.kind === 'refused') this.#current = undefined;
        this.#parts.ended(result, migration);
      },
      (error: unknown) => {
        this.#parts.logger.fatal({ error }, 'the migration failed');
        throw error;
      },
    );
    return migration;
  }
}
