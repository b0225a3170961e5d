// Threads of stepping code on memory that is as weak as arm64: plain stores land when they like before the next
// release, plain loads may be as old as the last acquire. Knows steps; whose turn it is, schedules.ts says.
import {
  applyAtomic,
  granuleOf,
  granulesEach,
  nameOf,
  type SharedArray,
  type Step,
  type StepResult,
  type Steps,
  type Watched,
} from './steps.js';

/** A turn: a thread's next step, and which of the values that it may meet it meets. */
export interface Turn {
  readonly thread: number;
  readonly choice: number;
}

/** Which weakness of memory counts; both at once would be too many states, and no order here needs both to break. */
export type Weakness = 'none' | 'late stores' | 'old loads';

interface PendingStore {
  readonly granule: number;
  readonly array: SharedArray;
  readonly index: number;
  readonly value: number;
}

interface SteppingThread {
  readonly name: string;
  readonly steps: Steps;
  next: Step | undefined;
  /** Where it sleeps, once its wait has begun. */
  asleepOn: number;
  /** Its plain stores that nobody else sees yet, the oldest first. */
  readonly pending: PendingStore[];
  /** Older values that a plain load may answer still, by granule, the oldest first. */
  readonly older: Map<number, number[]>;
  /** All that its code has learnt decides what it will do: a hash of it stands for its locals. */
  hash: number;
  hash2: number;
}

const NOWHERE = -1;

type AccessStep = Exclude<Step, { kind: 'until' }>;

/** A thread of a scenario found what must never be. */
export class Violation extends Error {
  override readonly name = 'Violation';
}

export class SteppingMachine {
  readonly #threads: SteppingThread[];
  readonly #memory: readonly Watched[];
  readonly #weakness: Weakness;
  readonly #log: string[] | undefined;

  constructor(
    threads: ReadonlyMap<string, Steps>,
    memory: readonly Watched[],
    options: { weakness: Weakness; isLogged: boolean },
  ) {
    this.#memory = memory;
    this.#weakness = options.weakness;
    this.#log = options.isLogged ? [] : undefined;
    this.#threads = Array.from(threads, ([name, steps]) => ({
      name,
      steps,
      next: undefined,
      asleepOn: NOWHERE,
      pending: [],
      older: new Map<number, number[]>(),
      hash: 0x811c9dc5,
      hash2: 17,
    }));
    for (const thread of this.#threads) this.#goOn(thread, undefined);
  }

  get log(): readonly string[] {
    return this.#log ?? [];
  }

  get hasEnded(): boolean {
    return this.#threads.every((thread) => thread.next === undefined);
  }

  /** Who waits for what, for people. */
  describeWaiting(): string {
    return this.#threads
      .filter(({ next }) => next !== undefined)
      .map((thread) => `${thread.name} at: ${label(thread.next!)}`)
      .join('; ');
  }

  turns(): Turn[] {
    const turns: Turn[] = [];
    this.#threads.forEach((thread, id) => {
      const choices = this.#choicesOf(thread);
      for (let choice = 0; choice < choices; choice++) turns.push({ thread: id, choice });
    });
    return turns;
  }

  take({ thread: id, choice }: Turn): void {
    const thread = this.#threads[id]!;
    const step = thread.next!;
    const told = this.#log === undefined ? '' : label(step);
    const result = this.#perform(thread, step, choice);
    this.#log?.push(`${thread.name}: ${told}${result === undefined ? '' : ` → ${result}`}`);
    if (thread.asleepOn === NOWHERE) this.#goOn(thread, result);
  }

  /** Equal for two states from which the same may follow. */
  key(): string {
    let key = '';
    for (const { buffer, granuleBytes, only } of this.#memory) {
      if (only === undefined) key += Buffer.from(buffer).toString('latin1');
      else {
        const words = granuleBytes === 1 ? new Uint8Array(buffer) : new Int32Array(buffer);
        for (const granule of only) key += `${words[granule]},`;
      }
    }
    for (const { next, hash, hash2, asleepOn, pending, older } of this.#threads) {
      key += `|${next === undefined ? 'e' : ''}${hash},${hash2},${asleepOn}`;
      for (const store of pending) key += `>${store.granule}=${store.value}`;
      for (const [granule, values] of older) key += `<${granule}=${values.join()}`;
    }
    return key;
  }

  #choicesOf(thread: SteppingThread): number {
    const step = thread.next;
    if (step === undefined) return 0;
    if (step.kind === 'until') return step.isSo() ? 1 : 0;
    if (step.kind === 'wait') return thread.asleepOn === NOWHERE || step.isTimed ? 1 : 0;
    switch (this.#weakness) {
      case 'none':
        return 1;
      case 'late stores':
        return step.kind === 'notify' ? 1 : 1 + this.#pendingOfOthers(thread, step).length;
      case 'old loads':
        return step.kind === 'load' ? 1 + this.#olderOf(thread, step) : 1;
    }
  }

  // A late store need land only when somebody else touches its granule, or has a late store to it land: then, or later.
  #pendingOfOthers(thread: SteppingThread, step: AccessStep): [SteppingThread, PendingStore][] {
    const first = granuleOf(step.array, step.index);
    const end = first + granulesEach(step.array);
    const isRelease = step.kind === 'atomic' && step.name !== 'load';
    const found: [SteppingThread, PendingStore][] = [];
    for (const other of this.#threads) {
      if (other === thread) continue;
      for (const store of other.pending) {
        const { granule } = store;
        const isTouched = granule >= first && granule < end;
        if (isTouched || (isRelease && thread.pending.some((own) => own.granule === granule)))
          found.push([other, store]);
      }
    }
    return found;
  }

  #olderOf(thread: SteppingThread, { array, index }: { array: SharedArray; index: number }): number {
    if (thread.older.size === 0) return 0;
    const first = granuleOf(array, index);
    let most = 0;
    for (let granule = first; granule < first + granulesEach(array); granule++)
      most = Math.max(most, thread.older.get(granule)?.length ?? 0);
    return most;
  }

  #perform(thread: SteppingThread, step: Step, choice: number): StepResult {
    if (this.#weakness === 'late stores' && 'array' in step && choice > 0) {
      for (const [other, store] of this.#pendingOfOthers(thread, step).slice(0, choice)) {
        other.pending.splice(other.pending.indexOf(store), 1);
        store.array[store.index] = store.value;
      }
    }
    switch (step.kind) {
      case 'load':
        return this.#load(thread, step.array, step.index, choice);
      case 'store': {
        const { array, index, value } = step;
        if (this.#weakness === 'late stores')
          thread.pending.push({ granule: granuleOf(array, index), array, index, value });
        else this.#change(thread, array, index, () => (array[index] = value));
        return value;
      }
      case 'atomic': {
        // Acquire: what this thread loads from here on is as new as now. Release: what it stored before has landed.
        if (step.name !== 'store') thread.older.clear();
        if (step.name !== 'load') landAll(thread);
        let result = 0;
        this.#change(thread, step.array, step.index, () => (result = applyAtomic(step)));
        return result;
      }
      case 'wait': {
        if (thread.asleepOn !== NOWHERE) {
          thread.asleepOn = NOWHERE;
          return 'timed-out';
        }
        if (Atomics.load(step.array as Int32Array, step.index) !== step.value) return 'not-equal';
        thread.asleepOn = granuleOf(step.array, step.index);
        return undefined;
      }
      case 'notify': {
        const granule = granuleOf(step.array, step.index);
        let woken = 0;
        for (const sleeper of this.#threads) {
          if (sleeper.asleepOn !== granule) continue;
          woken++;
          sleeper.asleepOn = NOWHERE;
          this.#goOn(sleeper, 'ok');
        }
        return woken;
      }
      case 'until':
        return undefined;
    }
  }

  #load(thread: SteppingThread, array: SharedArray, index: number, choice: number): number {
    const newest = array[index]!;
    const granules = granulesEach(array);
    const first = granuleOf(array, index);
    if (granules === 1) return this.#see(thread, first, newest, choice);
    let value = 0;
    for (let nth = 0; nth < granules; nth++) {
      const byte = this.#see(thread, first + nth, (newest >>> (8 * nth)) & 0xff, choice);
      value |= byte << (8 * nth);
    }
    return value;
  }

  // Its own stores first. The last choice is the newest value; who has seen a newer one does not see an older one again.
  #see(thread: SteppingThread, granule: number, newest: number, choice: number): number {
    for (let at = thread.pending.length - 1; at >= 0; at--)
      if (thread.pending[at]!.granule === granule) return thread.pending[at]!.value;
    const older = this.#weakness === 'old loads' ? thread.older.get(granule) : undefined;
    if (older === undefined) return newest;
    if (choice >= older.length) {
      thread.older.delete(granule);
      return newest;
    }
    thread.older.set(granule, older.slice(choice));
    return older[choice]!;
  }

  #change(by: SteppingThread, array: SharedArray, index: number, change: () => void): void {
    const before = array[index]!;
    change();
    if (this.#weakness !== 'old loads') return;
    const granule = granuleOf(array, index);
    by.older.delete(granule);
    if (array[index] === before) return;
    for (const thread of this.#threads)
      if (thread !== by) thread.older.set(granule, [...(thread.older.get(granule) ?? []), before]);
  }

  #goOn(thread: SteppingThread, result: StepResult): void {
    const known = typeof result === 'number' ? result : (result?.length ?? -1);
    thread.hash = Math.imul(thread.hash ^ known, 0x01000193) + 1;
    thread.hash2 = (Math.imul(thread.hash2, 31) + known + 7) | 0;
    const next = thread.steps.next(result);
    thread.next = next.done === true ? undefined : next.value;
    if (thread.next === undefined) landAll(thread);
  }
}

function landAll(thread: SteppingThread): void {
  for (const { array, index, value } of thread.pending.splice(0)) array[index] = value;
}

function label(step: Step): string {
  if (step.kind === 'until') return 'has something to do';
  const where = nameOf(step.array, step.index);
  switch (step.kind) {
    case 'atomic':
      return `Atomics.${step.name} ${where} ${step.operands.join(', ')}`.trimEnd();
    case 'store':
      return `store ${where}`;
    case 'wait':
      return `Atomics.wait ${where} ${step.value}`;
    default:
      return `${step.kind} ${where}`;
  }
}
