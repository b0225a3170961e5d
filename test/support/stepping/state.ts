// The product's structures in guest memory as stepping code: several vCPUs use them at the same time, on a few words.
// The pages are all there, so the door to memory is left out: each access is one step.
import type { Vcpu } from '../../../src/shared/guest/guest-program.js';
import { Violation } from './machine.js';
import { steppingModules, type TextChange } from './modules.js';
import type { Scenario } from './schedules.js';
import { RUNTIME, watch, type SilentSteps, type Steps } from './steps.js';

/** A method of stepping code: what was a call is steps. */
type Stepping<Args extends unknown[] = []> = (...args: Args) => Steps;

interface SteppingMutex {
  lock: Stepping<[Pick<Vcpu, 'id'>]>;
  tryLock: Stepping<[Pick<Vcpu, 'id'>]>;
  unlock: Stepping<[Pick<Vcpu, 'id'>]>;
}

interface SteppingCondition {
  wait: Stepping<[Pick<Vcpu, 'id' | 'nowUs' | 'haltUntil'>, SteppingMutex]>;
  isWaiting: Stepping<[Pick<Vcpu, 'id' | 'nowUs' | 'haltUntil'>]>;
  signal: Stepping;
}

interface SteppingQueue {
  reserve: Stepping<[byteCount: number]>;
  commit: Stepping;
  front: Stepping;
  drop: Stepping;
}

const LOCK_AT = 0;
const CONDITION_AT = 12;
/** What the lock guards: plain words. */
const COUNTER_AT = 24;
const ITEMS_AT = 28;

const IS_HANDED = 0x100;

const vcpuOf = (id: number): Pick<Vcpu, 'id' | 'nowUs' | 'haltUntil'> => ({
  id,
  nowUs: () => 0,
  haltUntil: () => undefined,
});

class SteppingMemory {
  readonly words: Int32Array<SharedArrayBuffer>;
  readonly #file: (name: string) => Record<string, unknown>;

  constructor(words: number, changes: readonly TextChange[]) {
    this.words = new Int32Array(new SharedArrayBuffer(4 * words));
    const modules = steppingModules(RUNTIME, {}, changes);
    this.#file = (name) => modules.load(`shared/guest/state/${name}.js`);
  }

  make(file: string, name: string, gpa: number): unknown {
    const Made = this.#file(file)[name] as new (...args: unknown[]) => unknown;
    return new Made(this, gpa);
  }

  scenario(threads: Record<string, Steps>, verdict: () => string | undefined): Scenario {
    return {
      threads: new Map(Object.entries(threads)),
      memory: [watch({ name: 'word', base: 0, buffer: this.words.buffer, granuleBytes: 4 })],
      verdict,
    };
  }

  *load32(gpa: number): Steps {
    return yield { kind: 'load', array: this.words, index: gpa >>> 2 };
  }

  *store32(gpa: number, value: number): Steps {
    return yield { kind: 'store', array: this.words, index: gpa >>> 2, value };
  }

  atomicLoad32(gpa: number): Steps {
    return this.#atomic('load', gpa);
  }

  atomicStore32(gpa: number, value: number): Steps {
    return this.#atomic('store', gpa, value);
  }

  atomicCompareExchange32(gpa: number, expected: number, value: number): Steps {
    return this.#atomic('compareExchange', gpa, expected, value);
  }

  *#atomic(name: 'load' | 'store' | 'compareExchange', gpa: number, ...operands: number[]): Steps {
    return yield { kind: 'atomic', name, array: this.words, index: gpa >>> 2, operands };
  }
}

/** Slices that ask for the lock until they have it; in between, nothing until it could be theirs. */
function* taking(words: Int32Array, mutex: SteppingMutex, id: number, queues: boolean): SilentSteps {
  const vcpu = vcpuOf(id);
  while ((yield* queues ? mutex.lock(vcpu) : mutex.tryLock(vcpu)) !== true) {
    yield {
      kind: 'until',
      isSo: () => words[LOCK_AT] === 0 || words[LOCK_AT] === ((id + 1) | IS_HANDED),
    };
  }
}

/** Each vCPU takes the lock some times, in the queue or beside it, and counts under it. */
export function lockScenario(
  turns: readonly ('lock' | 'tryLock')[][],
  changes: readonly TextChange[],
): Scenario {
  const memory = new SteppingMemory(8, changes);
  const { words } = memory;
  const mutex = memory.make('mutex', 'Mutex', LOCK_AT) as SteppingMutex;
  const counting = function* (id: number, ways: readonly ('lock' | 'tryLock')[]): SilentSteps {
    for (const way of ways) {
      yield* taking(words, mutex, id, way === 'lock');
      const count = (yield* memory.load32(COUNTER_AT)) as number;
      yield* memory.store32(COUNTER_AT, count + 1);
      yield* mutex.unlock(vcpuOf(id));
    }
  };
  return memory.scenario(
    Object.fromEntries(turns.map((ways, id) => [`vCPU ${id}`, counting(id, ways)])),
    () => {
      const all = turns.flat().length;
      if (words[COUNTER_AT / 4] !== all) return `${words[COUNTER_AT / 4]} of ${all} counts are there`;
      return words.subarray(0, 3).every((word) => word === 0)
        ? undefined
        : `the lock is left as ${words.join()}`;
    },
  );
}

/** One puts items in, each with a signal; the others wait for one each. */
export function conditionScenario(consumers: number, changes: readonly TextChange[]): Scenario {
  const memory = new SteppingMemory(8, changes);
  const { words } = memory;
  const mutex = memory.make('mutex', 'Mutex', LOCK_AT) as SteppingMutex;
  const condition = memory.make('condition', 'Condition', CONDITION_AT) as SteppingCondition;
  const waiters = CONDITION_AT / 4 + 1;
  const producing = function* (id: number): SilentSteps {
    for (let item = 0; item < consumers; item++) {
      yield* taking(words, mutex, id, true);
      yield* memory.store32(ITEMS_AT, ((yield* memory.load32(ITEMS_AT)) as number) + 1);
      yield* condition.signal();
      yield* mutex.unlock(vcpuOf(id));
    }
  };
  const consuming = function* (id: number): SilentSteps {
    const vcpu = vcpuOf(id);
    for (;;) {
      if ((yield* condition.isWaiting(vcpu)) === true) {
        yield { kind: 'until', isSo: () => (words[waiters]! & (1 << id)) === 0 };
        continue;
      }
      yield* taking(words, mutex, id, true);
      const items = (yield* memory.load32(ITEMS_AT)) as number;
      if (items < 0) throw new Violation('more items were taken than there were');
      if (items === 0) {
        yield* condition.wait(vcpu, mutex);
        continue;
      }
      yield* memory.store32(ITEMS_AT, items - 1);
      yield* mutex.unlock(vcpu);
      return;
    }
  };
  const threads: Record<string, Steps> = { producer: producing(0) };
  for (let id = 1; id <= consumers; id++) threads[`consumer ${id}`] = consuming(id);
  return memory.scenario(threads, () =>
    words[ITEMS_AT / 4] === 0 && words[LOCK_AT] === 0 ? undefined : `it ends with ${words.join()}`,
  );
}

/** One vCPU puts numbers into a ring of so many units, two for each, and another takes them out. */
export function queueScenario(records: number, units: number, changes: readonly TextChange[]): Scenario {
  const ring = 192 / 4;
  const memory = new SteppingMemory(ring + 2 * units, changes);
  const { words } = memory;
  // As RingQueue.create leaves it.
  words[0] = 0x52696e67;
  words[1] = units;
  const [head, tail] = [64 / 4, 128 / 4];
  const putting = function* (): SilentSteps {
    const queue = memory.make('ring-queue', 'RingQueue', 0) as SteppingQueue;
    for (let record = 1; record <= records;) {
      const gpa = (yield* queue.reserve(8)) as number;
      if (gpa === 0) {
        const seen = words[head];
        yield { kind: 'until', isSo: () => words[head] !== seen || words[head] === words[tail] };
        continue;
      }
      yield* memory.store32(gpa, record++);
      yield* queue.commit();
    }
  };
  const taken: number[] = [];
  const taking = function* (): SilentSteps {
    const queue = memory.make('ring-queue', 'RingQueue', 0) as SteppingQueue;
    while (taken.length < records) {
      const front = (yield* queue.front()) as number;
      if (front === 0) {
        yield { kind: 'until', isSo: () => words[head] !== words[tail] };
        continue;
      }
      taken.push((yield* memory.load32(front)) as number);
      yield* queue.drop();
    }
  };
  return memory.scenario({ putter: putting(), taker: taking() }, () =>
    taken.every((record, index) => record === index + 1) ? undefined : `what was taken is ${taken.join()}`,
  );
}
