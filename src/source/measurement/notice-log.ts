// How long a guest was asked whether it may be moved, and what came of it.
// Knows instants; the questions are the migration's.
import type { NoticeReport } from '../../report/document.js';
import type { NoticeOutcome } from '../states/states.js';

export class NoticeLog {
  readonly #limitMs: number;
  readonly #nowUs: () => number;
  #fromUs: number | undefined;
  #questions = 0;
  #report: NoticeReport | undefined;

  constructor(limitMs: number, nowUs: () => number) {
    this.#limitMs = limitMs;
    this.#nowUs = nowUs;
  }

  /** It is asked now, for the first time or again; answers for how long it has been asked. */
  asked(): number {
    this.#fromUs ??= this.#nowUs();
    this.#questions++;
    return this.#askedMs;
  }

  settled(outcome: NoticeOutcome): void {
    this.#report = {
      outcome,
      askedMs: this.#askedMs,
      questions: outcome === 'paused' ? 0 : this.#questions,
      limitMs: this.#limitMs,
    };
  }

  get #askedMs(): number {
    return this.#fromUs === undefined ? 0 : (this.#nowUs() - this.#fromUs) / 1000;
  }

  /** Null of a guest that was not asked, because it has no say or nobody wants to ask it. */
  get report(): NoticeReport | null {
    return this.#report ?? null;
  }
}
