// Attempts to move a guest that is kept: one migration after the other until it has left, its user ends it, or one is all
// that was asked for. Knows when to try again, not how a migration goes.
import type { ErrorCode, MicrostunError } from '../shared/errors.js';
import { formatMs } from '../shared/units.js';
import type { MigrationResult } from '../source/outgoing.js';

/** How long a failed migration is waited after before the next: doubles from the first to the longest. */
export const RETRY_MS_FIRST = 1000;
export const RETRY_MS_MAX = 60_000;

/** How long a guest is kept that could not leave. */
export interface Patience {
  /** Attempts after the first one, before only its user starts another. */
  readonly retries: number;
  /** One attempt is all: whoever waits for the end gets it. */
  readonly once: boolean;
}

/** What `Attempts` needs of a migration. */
export interface Attempt {
  run(): Promise<MigrationResult>;
  cancel(reason: string): void;
  askNow(): void;
}

export interface AttemptSurroundings {
  /** A fresh migration of the same guest. */
  begin(): Attempt;
  /** What went wrong and what comes next, for people. */
  say(text: string): void;
  /** Resolves after `ms`, or at once when the signal is aborted. */
  wait(ms: number, signal: AbortSignal): Promise<void>;
  /** Aborted when the guest is no more, or nobody wants it any more. */
  readonly signal: AbortSignal;
  /** How another attempt is asked for, in words. */
  readonly howToTry: string;
}

export class Attempts {
  readonly #patience: Patience;
  readonly #around: AttemptSurroundings;
  #current: Attempt | undefined;
  #wasCancelled = false;
  #woken = new AbortController();

  constructor(patience: Patience, around: AttemptSurroundings) {
    this.#patience = patience;
    this.#around = around;
  }

  /** Answers how the last attempt ended. A guest whose migration failed before the hand-over runs on meanwhile. */
  async run(): Promise<MigrationResult> {
    const { signal } = this.#around;
    for (let failures = 0; ;) {
      const result = await this.#attempt();
      if (result.kind === 'completed' || result.owner !== 'source') return result;
      if (this.#patience.once || isAborted(signal)) return result;
      failures++;
      if (await this.#isTold(result.error, failures)) failures = 0;
      if (isAborted(signal)) return result;
    }
  }

  /** Cancels the migration that is under way; answers whether there was one. */
  cancel(reason: string): boolean {
    this.#wasCancelled = this.#current !== undefined;
    this.#current?.cancel(reason);
    return this.#wasCancelled;
  }

  /** Tries now, or has the migration that is under way ask now. */
  tryNow(): void {
    this.#current?.askNow();
    this.#woken.abort();
  }

  async #attempt(): Promise<MigrationResult> {
    this.#wasCancelled = false;
    const attempt = this.#around.begin();
    this.#current = attempt;
    try {
      return await attempt.run();
    } finally {
      this.#current = undefined;
    }
  }

  // Until it is time for the next attempt; answers whether somebody asked for it.
  async #isTold(error: MicrostunError, failures: number): Promise<boolean> {
    const { signal, howToTry } = this.#around;
    const { retries } = this.#patience;
    const isOver = this.#wasCancelled || failures > retries;
    const pauseMs = Math.min(RETRY_MS_MAX, RETRY_MS_FIRST * 2 ** Math.min(failures - 1, 30));
    const next = this.#wasCancelled
      ? `the next attempt is yours: ${howToTry}`
      : isOver
        ? `${retries === 0 ? 'there are no retries' : `all ${retries} retries are used up`}: ${howToTry}`
        : `retry ${failures} of ${retries} in ${formatMs(pauseMs)}; ${howToTry}`;
    this.#around.say(`the migration failed: ${error.message}`);
    this.#around.say(
      `the guest runs on here${warningAfter(error.code)}. ${upperFirst(next)}; Ctrl-C ends the guest`,
    );
    this.#woken = new AbortController();
    await this.#around.wait(isOver ? Infinity : pauseMs, AbortSignal.any([signal, this.#woken.signal]));
    return this.#woken.signal.aborted;
  }
}

// It may be at any time; the compiler takes it for what it was.
function isAborted(signal: AbortSignal): boolean {
  return signal.aborted;
}

// What will hardly be otherwise the next time, unless somebody changes something.
function warningAfter(code: ErrorCode): string {
  switch (code) {
    case 'VERSION_MISMATCH':
      return '; it will hardly leave before both hosts run the same microstun';
    case 'INSUFFICIENT_MEMORY':
      return '; it will hardly leave before the destination has more memory for it';
    case 'LISTEN_FAILED':
      return '; it will hardly leave before the address is free';
    default:
      return '';
  }
}

function upperFirst(text: string): string {
  return text.slice(0, 1).toUpperCase() + text.slice(1);
}
