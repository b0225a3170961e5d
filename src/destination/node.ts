// The destination node: leads each control connection to its migration, and remembers what was answered.
// Has so many places, one a guest; a refused or cancelled migration frees its place for the next. Knows no socket.
import type { Logger } from 'pino';
import { assert, unreachable } from '../shared/errors.js';
import type { UnclaimedConnection } from '../shared/wire/control.js';
import type { Message, MessageOf, RefusalCode } from '../shared/wire/messages.js';
import { isSameSecret } from '../shared/wire/pass.js';
import type { admit } from './door.js';
import { type Admission } from './door.js';
import type { PlacedMigration, PlacedResult } from './placed-migration.js';
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

export interface DestinationParts<
  Result extends PlacedResult,
  Migration extends PlacedMigration<Result> = PlacedMigration<Result>,
> {
  /** How many guests it has at once. */
  readonly places: number;
  /** Makes the migration that takes a place. */
  begin(migrationId: string, ticket: string): Migration;
  /** Hears of each migration's end; one whose guest came keeps its place until it is released. */
  ended(result: Result, migration: Migration): void;
  /** Hears that a migration has its place no more, and what it had is another's. */
  freed(migrationId: string): void;
  /** Hears of a mistake of ours that ended a migration: nobody knows whose its guest is, and its place stays taken. */
  broke(error: unknown, migration: Migration): void;
  /** What is remembered of migrations that have ended: it is said again to a source that asks. */
  readonly answers: Pick<AnswerBook, 'remember' | 'find' | 'ticketOf'>;
  /** What decides. */
  readonly admit: typeof admit;
  readonly logger: Logger;
}

interface TakenPlace<Migration> {
  readonly migration: Migration;
  /** Settles when the migration has ended. */
  readonly ended: Promise<void>;
  isBroken: boolean;
}

export class Destination<
  Result extends PlacedResult,
  Migration extends PlacedMigration<Result> = PlacedMigration<Result>,
> {
  readonly #parts: DestinationParts<Result, Migration>;
  /** By their migrations' ids, the longest taken first. */
  readonly #places = new Map<string, TakenPlace<Migration>>();

  constructor(parts: DestinationParts<Result, Migration>) {
    assert(parts.places > 0, 'a destination has a place for a guest');
    this.#parts = parts;
  }

  /** Those that have a place: under way, or ended with their guest here. */
  get migrations(): readonly Migration[] {
    return Array.from(this.#places.values(), ({ migration }) => migration);
  }

  /** The guest of that migration has left this node, or ended: its place is free for the next. */
  release(migrationId: string): void {
    if (this.#places.delete(migrationId)) this.#parts.freed(migrationId);
  }

  cancel(reason: string): void {
    for (const { migration } of this.#places.values()) migration.cancel(reason);
  }

  /** Somebody has greeted: is led to its migration, refused, or told; perhaps once another one has ended. */
  async hear(caller: Greeted): Promise<void> {
    const { role, migrationId, ticket, welcomedBy } = caller.hello;
    if (role !== 'control') {
      caller.refuse('PROTOCOL', `a ${role} connection has a port of its own, and this is not one`);
      return;
    }
    let admission = this.#admit(migrationId, welcomedBy);
    while (admission === 'make-way') {
      await this.#makeWay();
      if (caller.isGone) return;
      admission = this.#admit(migrationId, welcomedBy);
    }
    // Now: another caller may have begun a migration of that id meanwhile.
    const known = this.#ticketOf(migrationId);
    if (known !== undefined && !isSameSecret(known, ticket)) {
      caller.refuse('UNAUTHORIZED', 'that migration is of another source, which has its ticket');
      return;
    }
    // Whoever is refused is welcomed first, so that it knows which process it is that refuses.
    switch (admission) {
      case 'repeat':
        caller.welcomeAndTell(this.#answersTo(migrationId) ?? []);
        return;
      case 'begin':
        this.#begin(migrationId, ticket).attach(caller.welcome());
        return;
      case 'attach':
        this.#places.get(migrationId)?.migration.attach(caller.welcome());
        return;
      case 'forgotten':
        caller.welcomeAndRefuse(
          'UNKNOWN_MIGRATION',
          'this destination does not remember that migration; if its guest runs at its source, migrate it again',
        );
        return;
      case 'busy':
        caller.welcomeAndRefuse('BUSY', busyText(this.#parts.places));
        return;
      default:
        unreachable(admission);
    }
  }

  #admit(migrationId: string, welcomedBy: string): Admission {
    return this.#parts.admit(
      {
        isAnswered: this.#answersTo(migrationId) !== undefined,
        isHere: this.#places.has(migrationId),
        freePlaces: this.#parts.places - this.#places.size,
        isOneAbandoned: this.#abandoned() !== undefined,
      },
      welcomedBy,
    );
  }

  #abandoned(): TakenPlace<Migration> | undefined {
    for (const place of this.#places.values())
      if (place.migration.isAbandoned && !place.isBroken) return place;
    return undefined;
  }

  /** Until it is free, or its guest has come all the same. */
  async #makeWay(): Promise<void> {
    const place = this.#abandoned();
    await place?.migration.makeWay();
    if (place?.migration.isHandedOver !== true) await place?.ended;
  }

  // One that has ended hears nobody any more; it is remembered once all that it had is closed, which takes seconds.
  #answersTo(migrationId: string): readonly Message[] | undefined {
    const current = this.#places.get(migrationId)?.migration;
    return (
      this.#parts.answers.find(migrationId) ?? (current?.phase === 'ended' ? current.lastMessages : undefined)
    );
  }

  #ticketOf(migrationId: string): string | undefined {
    return this.#places.get(migrationId)?.migration.ticket ?? this.#parts.answers.ticketOf(migrationId);
  }

  #begin(migrationId: string, ticket: string): Migration {
    const migration = this.#parts.begin(migrationId, ticket);
    const ended = migration.run().then(
      (result) => {
        this.#parts.answers.remember(migrationId, ticket, migration.lastMessages);
        if (result.kind === 'refused') this.release(migrationId);
        this.#parts.ended(result, migration);
      },
      (error: unknown) => {
        this.#parts.logger.fatal({ error, migration: migrationId }, 'the migration failed');
        place.isBroken = true;
        this.#parts.broke(error, migration);
      },
    );
    const place: TakenPlace<Migration> = { migration, ended, isBroken: false };
    this.#places.set(migrationId, place);
    return migration;
  }
}

function busyText(places: number): string {
  return places === 1
    ? 'this destination has a guest already; choose another destination, or end that one'
    : `this destination has ${places} guests already, which is all that it takes; choose another destination, end one of them, or raise its --max-guests`;
}
