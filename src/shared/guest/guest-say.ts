// A guest's say in its migrations, on its vCPU 0: calls what its program has for it, and checks what that answers.
// Knows words and a program; what an answer leads to is the migration's.
import { hostname } from 'node:os';
import { Say } from '../memory/safepoint-words.js';
import { VETO_CHARACTERS_MAX, type GuestProgram, type Vcpu } from './guest-program.js';
import { NoticeReader, setSay, stoodStillMs } from './notices.js';
import type { SharedMachine } from './shared-machine.js';

/** A delay is no longer: the guest is asked again, or its time is over, long before. */
const DELAY_MS_MAX = 2 ** 31 - 1;

/** A guest's answer, checked. */
export type CheckedAnswer =
  | { readonly kind: 'ready' }
  | { readonly kind: 'delay'; readonly delayMs: number }
  | { readonly kind: 'veto'; readonly reason: string };

export class GuestSay {
  readonly #reader: NoticeReader;
  readonly #program: GuestProgram;
  readonly #vcpu: Vcpu;
  readonly #answered: (question: number, answer: CheckedAnswer) => void;
  /** Whether the program was asked, and not told since how that migration ended. */
  #wasAsked = false;

  constructor(
    machine: SharedMachine,
    program: GuestProgram,
    vcpu: Vcpu,
    answered: (question: number, answer: CheckedAnswer) => void,
  ) {
    this.#reader = new NoticeReader(machine);
    this.#program = program;
    this.#vcpu = vcpu;
    this.#answered = answered;
    setSay(machine, sayOfProgram(program));
  }

  /** Between two slices, when there is news: tells and asks the program what it was not told and asked yet. */
  look(): void {
    const { tidings, question } = this.#reader.look();
    if (tidings !== undefined && (tidings.moved || this.#wasAsked)) {
      this.#wasAsked = false;
      const arrival = { moved: tidings.moved, stoodStillMs: stoodStillMs(tidings), host: hostname() };
      this.#program.afterMigration?.(this.#vcpu, arrival);
    }
    if (question === undefined) return;
    const asked = this.#reader.take(question);
    if (asked === undefined || this.#program.beforeMigration === undefined) return;
    this.#wasAsked = true;
    this.#answered(asked.number, checkAnswer(this.#program.beforeMigration(this.#vcpu, asked.notice)));
  }
}

/** A say for vCPU 0 of a program that has one. */
export function guestSayOf(
  machine: SharedMachine,
  program: GuestProgram,
  vcpu: Vcpu,
  answered: (question: number, answer: CheckedAnswer) => void,
): GuestSay | undefined {
  return vcpu.id === 0 && sayOfProgram(program) !== 0
    ? new GuestSay(machine, program, vcpu, answered)
    : undefined;
}

function sayOfProgram(program: GuestProgram): number {
  const before = program.beforeMigration === undefined ? 0 : Say.BEFORE;
  return before | (program.afterMigration === undefined ? 0 : Say.AFTER);
}

/**
 * What a program answered, which may be anything.
 * @throws Error saying what is wrong with it.
 */
export function checkAnswer(answer: unknown): CheckedAnswer {
  if (answer === undefined) return { kind: 'ready' };
  const { delayMs, veto } = Object(answer) as Partial<Record<'delayMs' | 'veto', unknown>>;
  if (typeof delayMs === 'number' && delayMs >= 0 && veto === undefined)
    return { kind: 'delay', delayMs: Math.min(delayMs, DELAY_MS_MAX) };
  if (typeof veto === 'string' && delayMs === undefined)
    return { kind: 'veto', reason: veto.slice(0, VETO_CHARACTERS_MAX) };
  throw new Error(
    `beforeMigration answers undefined, { delayMs: number, 0 or more } or { veto: string }, not ${shown(answer)}`,
  );
}

/** So much of what was answered instead is shown. */
const SHOWN_CHARACTERS_MAX = 80;

function shown(answer: unknown): string {
  if (answer instanceof Promise) return 'a promise: nobody waits for one within a slice';
  if (typeof answer !== 'object') return typeof answer;
  try {
    return JSON.stringify(answer).slice(0, SHOWN_CHARACTERS_MAX);
  } catch {
    return 'an object';
  }
}
