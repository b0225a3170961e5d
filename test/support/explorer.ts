// Explores every interleaving of a small model: breadth first, each state once, so a counterexample is a shortest one.
// Knows words, moves and graphs; what the words mean is the model's.

/** All state of a model, threads' positions and locals included; each word holds 0 to 255. */
export type Words = Buffer;

export interface Move {
  readonly label: string;
  /** Makes the move in place; answers false, and changes nothing, when it cannot be made now. */
  readonly apply: (words: Words) => boolean;
}

export interface Model {
  readonly layout: WordLayout;
  readonly moves: readonly Move[];
  /** What is wrong with a state, if anything is. */
  readonly violation: (words: Words) => string | undefined;
  /** Whether all that must end has ended. From every state some final state must stay reachable. */
  readonly isFinal: (words: Words) => boolean;
}

export interface Counterexample {
  readonly reason: string;
  /** Labels of the moves that lead to it, in order. */
  readonly trace: readonly string[];
  /** The words that it ends in, by name. */
  readonly state: string;
}

export interface Exploration {
  readonly states: number;
  readonly counterexample: Counterexample | undefined;
}

/** A model larger than this is a mistake, not a test. */
const STATES_MAX = 3_000_000;

/** Gives words their places, their names and their first values. */
export class WordLayout {
  readonly #names: string[] = [];
  readonly #initial: number[] = [];

  word(name: string, initial = 0): number {
    this.#names.push(name);
    this.#initial.push(initial);
    return this.#names.length - 1;
  }

  words(name: string, count: number, initial = 0): number[] {
    return Array.from({ length: count }, (_, index) => this.word(`${name}[${index}]`, initial));
  }

  initial(): Words {
    return Buffer.from(this.#initial);
  }

  describe(words: Words): string {
    return this.#names.map((name, index) => `${name}=${words[index]}`).join(' ');
  }
}

/** One atomic step of a thread: from position `at` to the position that it answers, or blocked (undefined). */
export interface Step {
  readonly at: string;
  readonly label: string;
  readonly run: (words: Words) => string | undefined;
}

/** A thread of a model: named positions, kept in a word of its own. Several steps at one position are a choice. */
export class Thread {
  readonly moves: readonly Move[];
  readonly #positions = new Map<string, number>();
  readonly #position: number;

  /** Starts at the position of the first step. */
  constructor(layout: WordLayout, name: string, steps: readonly Step[]) {
    this.#position = layout.word(`${name}.at`);
    for (const { at } of steps) this.#number(at);
    this.moves = steps.map(({ at, label, run }) => {
      const from = this.#number(at);
      return {
        label: `${name} ${label}`,
        apply: (words) => {
          if (words[this.#position] !== from) return false;
          const to = run(words);
          if (to === undefined) return false;
          words[this.#position] = this.#number(to);
          return true;
        },
      };
    });
  }

  isAt(words: Words, at: string): boolean {
    return words[this.#position] === this.#positions.get(at);
  }

  #number(at: string): number {
    const known = this.#positions.get(at);
    if (known !== undefined) return known;
    this.#positions.set(at, this.#positions.size);
    return this.#positions.size - 1;
  }
}

/**
 * Visits every state that the moves lead to. Stops at the first violation; without one, finds the first state from
 * which no final state can be reached (a deadlock, or a wake-up lost for ever).
 */
export function explore({ layout, moves, violation, isFinal }: Model): Exploration {
  const first = layout.initial();
  const keys = [keyOf(first)];
  const indexOf = new Map<string, number>([[keys[0]!, 0]]);
  const parents = [0];
  const madeBy = [-1];
  const finals: number[] = [];
  const edgesFrom: number[] = [];
  const edgesTo: number[] = [];
  const words = Buffer.alloc(first.length);
  const next = Buffer.alloc(first.length);

  const counterexample = (state: number, reason: string): Counterexample => {
    const trace: string[] = [];
    for (let at = state; at !== 0; at = parents[at]!) trace.unshift(moves[madeBy[at]!]!.label);
    load(words, keys[state]!);
    return { reason, trace, state: layout.describe(words) };
  };

  for (let state = 0; state < keys.length; state++) {
    load(words, keys[state]!);
    const reason = violation(words);
    if (reason !== undefined) return { states: keys.length, counterexample: counterexample(state, reason) };
    if (isFinal(words)) finals.push(state);
    next.set(words);
    for (let move = 0; move < moves.length; move++) {
      if (!moves[move]!.apply(next)) continue;
      const key = keyOf(next);
      next.set(words);
      let to = indexOf.get(key);
      if (to === undefined) {
        to = keys.length;
        if (to === STATES_MAX) throw new Error(`the model has more than ${STATES_MAX} states`);
        keys.push(key);
        indexOf.set(key, to);
        parents.push(state);
        madeBy.push(move);
      }
      edgesFrom.push(state);
      edgesTo.push(to);
    }
  }
  const stuck = firstThatCannotReach(finals, keys.length, edgesFrom, edgesTo);
  return {
    states: keys.length,
    counterexample: stuck === undefined ? undefined : counterexample(stuck, 'it can never end any more'),
  };
}

/** A counterexample for people. */
export function formatCounterexample({ reason, trace, state }: Counterexample): string {
  const steps = trace.map((label, index) => `${String(index + 1).padStart(3)}. ${label}`);
  return [`${reason}, after ${trace.length} steps:`, ...steps, `in ${state}`].join('\n');
}

// Walks the edges backwards from the final states; answers the lowest state that was not met.
function firstThatCannotReach(
  finals: readonly number[],
  states: number,
  edgesFrom: readonly number[],
  edgesTo: readonly number[],
): number | undefined {
  const starts = new Int32Array(states + 1);
  for (const to of edgesTo) starts[to + 1]!++;
  for (let state = 0; state < states; state++) starts[state + 1]! += starts[state]!;
  const cursor = starts.slice();
  const sources = new Int32Array(edgesTo.length);
  edgesTo.forEach((to, edge) => {
    sources[cursor[to]!++] = edgesFrom[edge]!;
  });
  const isMet = new Uint8Array(states);
  const stack = [...finals];
  for (const state of finals) isMet[state] = 1;
  for (let state = stack.pop(); state !== undefined; state = stack.pop()) {
    for (let edge = starts[state]!; edge < starts[state + 1]!; edge++) {
      const source = sources[edge]!;
      if (isMet[source] === 1) continue;
      isMet[source] = 1;
      stack.push(source);
    }
  }
  const stuck = isMet.indexOf(0);
  return stuck === -1 ? undefined : stuck;
}

function keyOf(words: Words): string {
  return words.toString('latin1');
}

function load(words: Words, key: string): void {
  words.write(key, 'latin1');
}
