// What a guest is asked before a migration stops it, and told after it: the words, from both sides.
// Knows words only; who may ask, and what an answer leads to, is the migration's. The argument is docs/memory-model.md.
import { monotonicUs } from '../clock.js';
import {
  ASKED,
  ASKED_LEFT_MS,
  ASKED_WAITED_MS,
  NEWS,
  SAY,
  TOLD,
  TOLD_MOVED,
  TOLD_STOPPED_SECONDS,
  TOLD_STOPPED_US,
  ring,
} from '../memory/safepoint-words.js';
import type { BeforeMigration } from './guest-program.js';
import type { SharedMachine } from './shared-machine.js';

/** The guest was never stopped. */
const NOT_STOPPED = -1;
const US_A_SECOND = 1_000_000;

type Words = Int32Array<SharedArrayBuffer>;

function wordsOf(machine: SharedMachine): Words {
  return new Int32Array(machine.safepointWords);
}

/** What a guest is told of a migration that is over: whether it has moved, and since when it stood still. */
export interface Tidings {
  readonly moved: boolean;
  /** `monotonicUs` of this host; undefined when it was never stopped. */
  readonly stoppedAtUs: number | undefined;
}

/** What the program of `machine` has a say in: bits of `Say`. Known once its vCPU 0 is ready. */
export function sayOf(machine: SharedMachine): number {
  return Atomics.load(wordsOf(machine), SAY);
}

/** vCPU 0 says so, before it parks for the first time. */
export function setSay(machine: SharedMachine, say: number): void {
  Atomics.store(wordsOf(machine), SAY, say);
}

/**
 * Asks vCPU 0. Numbers are of one machine and never come twice; what goes with one is not changed while it stands, and
 * who reads it finds out if it was.
 */
export function putQuestion(machine: SharedMachine, question: number, notice: BeforeMigration): void {
  const words = wordsOf(machine);
  Atomics.store(words, ASKED, 0);
  Atomics.store(words, ASKED_WAITED_MS, Math.round(notice.waitedMs));
  Atomics.store(words, ASKED_LEFT_MS, Math.round(notice.leftMs));
  Atomics.store(words, ASKED, question);
  ring(words, NEWS);
}

/** Nothing is asked any more. One that vCPU 0 thinks about is answered to nobody. */
export function takeQuestionBack(machine: SharedMachine): void {
  Atomics.store(wordsOf(machine), ASKED, 0);
}

/**
 * Tells vCPU 0. Nobody is woken: a parked guest hears of it when it is told to run, and one that runs when `ringGuest` is
 * called. The count is odd while what goes with it changes.
 */
export function putTidings(machine: SharedMachine, { moved, stoppedAtUs }: Tidings): void {
  const words = wordsOf(machine);
  const seconds = stoppedAtUs === undefined ? NOT_STOPPED : Math.floor(stoppedAtUs / US_A_SECOND);
  Atomics.add(words, TOLD, 1);
  Atomics.store(words, TOLD_MOVED, moved ? 1 : 0);
  Atomics.store(words, TOLD_STOPPED_SECONDS, seconds);
  Atomics.store(words, TOLD_STOPPED_US, stoppedAtUs === undefined ? 0 : stoppedAtUs - seconds * US_A_SECOND);
  Atomics.add(words, TOLD, 1);
}

/** A vCPU 0 that halts looks up. */
export function ringGuest(machine: SharedMachine): void {
  ring(wordsOf(machine), NEWS);
}

/** A question, and what goes with it. */
export interface Question {
  readonly number: number;
  readonly notice: BeforeMigration;
}

/** vCPU 0's side: what is new since it looked last. */
export class NoticeReader {
  readonly #words: Words;
  #question = 0;
  #told = 0;

  constructor(machine: SharedMachine) {
    this.#words = wordsOf(machine);
  }

  /**
   * Looks once, in this order: the question's number before what was told. Whoever asks in a later migration has told of
   * the earlier one before, so a question is never looked at without that.
   */
  look(): { readonly tidings: Tidings | undefined; readonly question: number | undefined } {
    const asked = Atomics.load(this.#words, ASKED);
    const tidings = this.#takeTidings();
    const isNew = asked !== 0 && asked !== this.#question;
    return { tidings, question: isNew ? asked : undefined };
  }

  /** The question of that number, if it still stands; it is not new any more. */
  take(number: number): Question | undefined {
    const waitedMs = Atomics.load(this.#words, ASKED_WAITED_MS);
    const leftMs = Atomics.load(this.#words, ASKED_LEFT_MS);
    // What goes with another is not read for it: the number was taken away before anything of it changed.
    if (Atomics.load(this.#words, ASKED) !== number) return undefined;
    this.#question = number;
    return { number, notice: { waitedMs, leftMs } };
  }

  // Of several only the last counts: this vCPU was asked in the first of them at the most. While it is being told, or is
  // told anew, there is nothing yet: whoever tells rings after.
  #takeTidings(): Tidings | undefined {
    const told = Atomics.load(this.#words, TOLD);
    if (told === this.#told || (told & 1) === 1) return undefined;
    const moved = Atomics.load(this.#words, TOLD_MOVED) === 1;
    const seconds = Atomics.load(this.#words, TOLD_STOPPED_SECONDS);
    const us = Atomics.load(this.#words, TOLD_STOPPED_US);
    if (Atomics.load(this.#words, TOLD) !== told) return undefined;
    this.#told = told;
    return { moved, stoppedAtUs: seconds === NOT_STOPPED ? undefined : seconds * US_A_SECOND + us };
  }
}

/** For how long it has stood still by now, in milliseconds. */
export function stoodStillMs({ stoppedAtUs }: Tidings): number {
  return stoppedAtUs === undefined ? 0 : Math.max(0, monotonicUs() - stoppedAtUs) / 1000;
}
