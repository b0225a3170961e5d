// The question whether a guest may be stopped, between its migration and its machine.
// Knows how long it has been asked, and no state.
import type { GuestAnswer, MachineNotices } from '../shared/guest/machine-notices.js';
import type { NoticeLog } from './measurement/notice-log.js';

export class GuestAsking {
  readonly #notices: Pick<MachineNotices, 'ask' | 'withdraw'>;
  readonly #log: NoticeLog;
  readonly #limitMs: number;
  readonly #answered: (question: number, answer: GuestAnswer) => void;

  /** `limitMs`: how long it may be asked in all. `answered` hears of the question that was asked last. */
  constructor(
    notices: Pick<MachineNotices, 'ask' | 'withdraw'>,
    log: NoticeLog,
    limitMs: number,
    answered: (question: number, answer: GuestAnswer) => void,
  ) {
    this.#notices = notices;
    this.#log = log;
    this.#limitMs = limitMs;
    this.#answered = answered;
  }

  /** Asks the guest, which runs on, whether it may be stopped. */
  ask(question: number): void {
    const waitedMs = this.#log.asked();
    const leftMs = Math.max(0, this.#limitMs - waitedMs);
    this.#notices.ask({ waitedMs, leftMs }, (answer) => {
      this.#answered(question, answer);
    });
  }

  /** No answer is waited for any more. */
  withdraw(): void {
    this.#notices.withdraw();
  }
}
