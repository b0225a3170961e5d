// Every schedule of a scenario with a bounded number of delays, each state once: depth first, by running again
// from the start, because a generator cannot be copied. Knows turns; what a thread does is its code.
import { SteppingMachine, Violation, type Turn, type Weakness } from './machine.js';
import type { Steps, Watched } from './steps.js';

/** One fresh run: its threads, its memory, and what must hold when all have ended. */
export interface Scenario {
  readonly threads: ReadonlyMap<string, Steps>;
  readonly memory: readonly Watched[];
  /** What is wrong at the end, if anything is. */
  readonly verdict: () => string | undefined;
}

export interface ScheduleLimits {
  /**
   * Left alone, a thread goes on until it sleeps or ends, and then the next one in their order does. This many times in
   * a run, one that could go on is passed over instead: few delays reach most of what many switches do.
   */
  readonly delaysMax: number;
  readonly weakness: Weakness;
}

export interface SchedulesFound {
  readonly states: number;
  readonly runs: number;
  /** The first counterexample: what is wrong, and every step that led to it. */
  readonly counterexample: string | undefined;
}

/** A scenario larger than this is a mistake, not a test. */
const STATES_MAX = 1_000_000;

interface Branch {
  readonly turns: readonly Turn[];
  next: number;
  /** Delays left before each of its turns, and whose turn it was before. */
  readonly left: number;
  readonly last: number;
}

export function exploreSchedules(
  start: () => Scenario,
  { delaysMax, weakness }: ScheduleLimits,
): SchedulesFound {
  const seen = new Map<string, number>();
  const path: Branch[] = [];
  let runs = 0;

  const open = (): { scenario: Scenario; machine: SteppingMachine } => {
    runs++;
    const scenario = start();
    const machine = new SteppingMachine(scenario.threads, scenario.memory, { weakness, isLogged: false });
    return { scenario, machine };
  };
  const found = (reason: string): SchedulesFound => ({
    states: seen.size,
    runs,
    counterexample: tell(
      start,
      path.map((branch) => branch.turns[branch.next - 1]!),
      weakness,
      reason,
    ),
  });

  let { scenario, machine } = open();
  let left = delaysMax;
  let last = -1;
  for (;;) {
    // Down, along turns not taken yet.
    for (;;) {
      // Whose turn it was decides what a switch costs.
      const key = `${machine.key()}@${last}`;
      const best = seen.get(key);
      if (best !== undefined && best >= left) break;
      seen.set(key, left);
      if (seen.size > STATES_MAX) throw new Error(`the scenario has more than ${STATES_MAX} states`);
      const turns = affordable(machine.turns(), last, left);
      if (turns.length === 0) {
        if (!machine.hasEnded) return found(`nothing can go on: ${machine.describeWaiting()}`);
        const reason = scenario.verdict();
        if (reason !== undefined) return found(reason);
        break;
      }
      const branch: Branch = { turns, next: 1, left, last };
      path.push(branch);
      const reason = attempt(machine, turns[0]!);
      if (reason !== undefined) return found(reason);
      ({ left, last } = after(branch));
    }
    // Back, to the last state with a turn not taken, and again from the start to it.
    while (path.length > 0 && path.at(-1)!.next === path.at(-1)!.turns.length) path.pop();
    const branch = path.at(-1);
    if (branch === undefined) return { states: seen.size, runs, counterexample: undefined };
    branch.next++;
    ({ scenario, machine } = open());
    for (const { turns, next } of path) {
      const reason = attempt(machine, turns[next - 1]!);
      if (reason !== undefined) return found(reason);
    }
    ({ left, last } = after(branch));
  }
}

function attempt(machine: SteppingMachine, turn: Turn): string | undefined {
  try {
    machine.take(turn);
    return undefined;
  } catch (error) {
    if (error instanceof Violation) return error.message;
    return `a thread threw: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`;
  }
}

// In the order in which they would be left alone, from the one that went last.
function affordable(turns: readonly Turn[], last: number, left: number): Turn[] {
  const ring = ringOf(turns, last);
  return ring.slice(0, left + 1).flatMap((thread) => turns.filter((turn) => turn.thread === thread));
}

function ringOf(turns: readonly Turn[], last: number): number[] {
  const able = [...new Set(turns.map(({ thread }) => thread))].sort((a, b) => a - b);
  return [...able.filter((thread) => thread >= last), ...able.filter((thread) => thread < last)];
}

function after({ turns, next, left, last }: Branch): { left: number; last: number } {
  const { thread } = turns[next - 1]!;
  return { left: left - ringOf(turns, last).indexOf(thread), last: thread };
}

function tell(start: () => Scenario, turns: readonly Turn[], weakness: Weakness, reason: string): string {
  const { threads, memory } = start();
  const machine = new SteppingMachine(threads, memory, { weakness, isLogged: true });
  for (const turn of turns) attempt(machine, turn);
  const lines = machine.log.map((line, index) => `${String(index + 1).padStart(3)}. ${line}`);
  return [`${reason}, after ${lines.length} steps:`, ...lines].join('\n');
}
