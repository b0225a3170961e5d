// The questions of a guest's migrations, as its machine's owner asks them: one at a time, each with a number of its own.
// Knows the words and who waits for an answer; when to ask, and what an answer leads to, is the migration's.
import { Say } from '../memory/safepoint-words.js';
import { parkedAtUs } from './guest-clock.js';
import type { BeforeMigration } from './guest-program.js';
import type { CheckedAnswer } from './guest-say.js';
import { putQuestion, putTidings, ringGuest, sayOf, takeQuestionBack } from './notices.js';
import { MachineSettings, type SharedMachine } from './shared-machine.js';

/** What becomes of a question: the guest answers it, or is paused and runs nothing that could. */
export type GuestAnswer = CheckedAnswer | { readonly kind: 'paused' };

export class MachineNotices {
  readonly #machine: SharedMachine;
  readonly #settings: MachineSettings;
  #questions = 0;
  /** Of the question that stands. */
  #answered: ((answer: GuestAnswer) => void) | undefined;

  /** It was asked something, and not told how that ended. */
  #isUntold = false;

  constructor(machine: SharedMachine) {
    this.#machine = machine;
    this.#settings = new MachineSettings(machine);
  }

  /** Whether the guest's program wants to be asked before it is moved. */
  get isToBeAsked(): boolean {
    return (sayOf(this.#machine) & Say.BEFORE) !== 0;
  }

  /** Asks whether the guest may be moved, in place of what was asked before; `answered` is called once, or never. */
  ask(notice: BeforeMigration, answered: (answer: GuestAnswer) => void): void {
    this.#answered = answered;
    if (this.#settings.isPaused) this.#answer({ kind: 'paused' });
    else {
      this.#isUntold = true;
      putQuestion(this.#machine, ++this.#questions, notice);
    }
  }

  /** Nobody waits for an answer any more. */
  withdraw(): void {
    this.#answered = undefined;
    takeQuestionBack(this.#machine);
  }

  /** What vCPU 0 answers: to a question that does not stand any more it is no answer. */
  take(question: number, answer: CheckedAnswer): void {
    if (question === this.#questions) this.#answer(answer);
  }

  /** The guest is paused: nobody answers. */
  pause(): void {
    if (this.#answered === undefined) return;
    takeQuestionBack(this.#machine);
    this.#answer({ kind: 'paused' });
  }

  #answer(answer: GuestAnswer): void {
    const answered = this.#answered;
    this.#answered = undefined;
    answered?.(answer);
  }

  /**
   * A migration is over, and the guest stays: it is told so, if it was asked. `isParked`: it was stopped, and is about to
   * run on.
   */
  tellStayed(isParked: boolean): void {
    this.withdraw();
    // One that was asked nothing has heard of no migration, and what it is still to hear of an earlier one stands.
    if (!this.#isUntold) return;
    this.#isUntold = false;
    putTidings(this.#machine, {
      moved: false,
      stoppedAtUs: isParked ? parkedAtUs(this.#machine) : undefined,
    });
    ringGuest(this.#machine);
  }
}
