// What was answered to migrations that have ended, for sources that ask again: bounded, the oldest is forgotten first.
// Knows messages only. What is forgotten is answered with "I do not know", never with a refusal (door.ts).
import { encodeMessage, type Message } from '../../shared/wire/messages.js';

/** Migration ids are random and never reused, so only those whose source may still ask matter. */
export const MIGRATIONS_REMEMBERED_MAX = 1000;
/** An audit's answer may be 320 KiB; most answers are a few hundred bytes. */
export const REMEMBERED_BYTES_MAX = 16 << 20;

interface Entry {
  readonly ticket: string;
  readonly answers: readonly Message[];
  readonly bytes: number;
}

export class AnswerBook {
  readonly #entries = new Map<string, Entry>();
  #bytes = 0;

  /** Notes the last words of a migration that has ended. */
  remember(migrationId: string, ticket: string, answers: readonly Message[]): void {
    this.#forget(migrationId);
    const bytes = answers.reduce(
      (total, answer) => total + encodeMessage(answer).reduce((sum, part) => sum + part.byteLength, 0),
      0,
    );
    this.#entries.set(migrationId, { ticket, answers, bytes });
    this.#bytes += bytes;
    // The newest stays, whatever its length: a frame is bounded too.
    while (
      this.#entries.size > 1 &&
      (this.#entries.size > MIGRATIONS_REMEMBERED_MAX || this.#bytes > REMEMBERED_BYTES_MAX)
    )
      this.#forget(this.#entries.keys().next().value!);
  }

  /** What was answered; undefined when nothing is remembered of that migration. */
  find(migrationId: string): readonly Message[] | undefined {
    return this.#entries.get(migrationId)?.answers;
  }

  /** The ticket of that migration: whoever asks has to have it. */
  ticketOf(migrationId: string): string | undefined {
    return this.#entries.get(migrationId)?.ticket;
  }

  #forget(migrationId: string): void {
    this.#bytes -= this.#entries.get(migrationId)?.bytes ?? 0;
    this.#entries.delete(migrationId);
  }
}
