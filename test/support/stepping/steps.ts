// What stepping code stops for: one access of shared memory each, yielded to whoever schedules the threads.
// Knows which buffers count; performs nothing (machine.ts does).
import type { Runtime } from './modules.js';

export type SharedArray = Int32Array | Uint8Array | Uint16Array | Uint32Array;

export type Step =
  | { readonly kind: 'load'; readonly array: SharedArray; readonly index: number }
  | { readonly kind: 'store'; readonly array: SharedArray; readonly index: number; readonly value: number }
  | {
      readonly kind: 'atomic';
      readonly name: AtomicName;
      readonly array: SharedArray;
      readonly index: number;
      readonly operands: readonly number[];
    }
  | {
      readonly kind: 'wait';
      readonly array: SharedArray;
      readonly index: number;
      readonly value: number;
      readonly isTimed: boolean;
    }
  | { readonly kind: 'notify'; readonly array: SharedArray; readonly index: number }
  /** A thread of a test that has nothing to do until something is so. */
  | { readonly kind: 'until'; readonly isSo: () => boolean };

export type AtomicName = 'load' | 'store' | 'add' | 'sub' | 'and' | 'or' | 'exchange' | 'compareExchange';
export type StepResult = number | 'ok' | 'not-equal' | 'timed-out' | undefined;
/** Code that is made of steps. */
export type Steps = Generator<Step, unknown, StepResult>;
/** The same, of code that answers nothing. */
export type SilentSteps = Generator<Step, void, StepResult>;

/** A buffer whose accesses are steps, in granules of 1 byte or of 4. */
export interface Watched {
  readonly name: string;
  /** What its granules' numbers begin with. */
  readonly base: number;
  readonly buffer: SharedArrayBuffer;
  readonly granuleBytes: 1 | 4;
  /** In a large buffer, the granules that any thread of the scenario touches; the others are written at once. */
  readonly only?: readonly number[];
}

const watchedBuffers = new WeakMap<object, Watched>();

export function watch(watched: Watched): Watched {
  watchedBuffers.set(watched.buffer, watched);
  return watched;
}

export function watchedOf(array: SharedArray): Watched | undefined {
  return watchedBuffers.get(array.buffer);
}

/** The granule of `array[index]`, of the first byte of it; numbers are unique among all watched buffers of a scenario. */
export function granuleOf(array: SharedArray, index: number): number {
  const { granuleBytes, base } = watchedOf(array)!;
  return base + Math.floor((array.byteOffset + index * array.BYTES_PER_ELEMENT) / granuleBytes);
}

/** How many granules one element is: more than one where bytes are loaded four at a time. */
export function granulesEach(array: SharedArray): number {
  return Math.max(1, array.BYTES_PER_ELEMENT / watchedOf(array)!.granuleBytes);
}

/** For people. */
export function nameOf(array: SharedArray, index: number): string {
  const { name, base } = watchedOf(array)!;
  return `${name}[${granuleOf(array, index) - base}]`;
}

function isWatched(array: unknown): array is SharedArray {
  return ArrayBuffer.isView(array) && watchedBuffers.has(array.buffer);
}

/** What the last call below left for the code that made it. */
const now: { step: Step | undefined; value: unknown } = { step: undefined, value: undefined };

function stop(step: Step): true {
  now.step = step;
  return true;
}

function goOn(value: unknown): false {
  now.value = value;
  return false;
}

function isSteps(value: unknown): value is Steps {
  now.value = value;
  return typeof value === 'object' && value !== null && Symbol.iterator in value && 'throw' in value;
}

// Element access of anything but a watched array is what it says.
type Elements = Record<number, unknown>;

function load(array: unknown, index: number): boolean {
  return isWatched(array) ? stop({ kind: 'load', array, index }) : goOn((array as Elements)[index]);
}

function store(array: unknown, index: number, value: unknown): boolean {
  if (isWatched(array)) return stop({ kind: 'store', array, index, value: value as number });
  (array as Elements)[index] = value;
  return goOn(value);
}

function* update(array: unknown, index: number, operator: string, by: number, isPostfix = false): Steps {
  const before = (load(array, index) ? yield now.step! : now.value) as number;
  const after = applied(operator, before, by);
  if (store(array, index, after)) yield now.step!;
  return isPostfix ? before : after;
}

function applied(operator: string, a: number, b: number): number {
  switch (operator) {
    case '+':
      return a + b;
    case '-':
      return a - b;
    case '*':
      return a * b;
    case '|':
      return a | b;
    case '&':
      return a & b;
    case '^':
      return a ^ b;
    case '<<':
      return a << b;
    case '>>':
      return a >> b;
    case '>>>':
      return a >>> b;
    default:
      throw new Error(`no such operator: ${operator}`);
  }
}

// `fill` and `set`: a step for each element of a watched array; in a large one only the granules of the scenario.
function* bulk(target: unknown, name: 'fill' | 'set', ...args: unknown[]): Steps {
  const methods = target as Record<'fill' | 'set', (...args: unknown[]) => unknown>;
  if (!isWatched(target)) {
    // A method of the product may have the same name.
    const result = methods[name](...args);
    return isSteps(result) ? yield* result : result;
  }
  const { only, granuleBytes } = watchedOf(target)!;
  const first =
    name === 'fill' ? ((args[1] as number | undefined) ?? 0) : ((args[1] as number | undefined) ?? 0);
  const count =
    name === 'fill'
      ? ((args[2] as number | undefined) ?? target.length) - first
      : (args[0] as ArrayLike<number>).length;
  const element = (nth: number): number =>
    name === 'fill' ? (args[0] as number) : (args[0] as ArrayLike<number>)[nth]!;
  if (only === undefined) {
    for (let nth = 0; nth < count; nth++)
      yield { kind: 'store', array: target, index: first + nth, value: element(nth) };
    return target;
  }
  // Guest bytes: whole words of the scenario, each put together from its bytes.
  const words = new Int32Array(target.buffer);
  for (const granule of only) {
    const from = granule * granuleBytes - target.byteOffset - first;
    if (from < 0 || from >= count) continue;
    const bytes = Uint8Array.from({ length: 4 }, (_, nth) => element(from + nth));
    yield { kind: 'store', array: words, index: granule, value: new Int32Array(bytes.buffer)[0]! };
  }
  return target;
}

/** Runs steps through at once, each on the memory itself: what constructors and set-up do. */
export function drain(result: unknown): unknown {
  if (!isSteps(result)) return result;
  let next = result.next();
  while (next.done !== true) next = result.next(performAtOnce(next.value));
  return next.value;
}

function performAtOnce(step: Step): StepResult {
  switch (step.kind) {
    case 'load':
      return step.array[step.index];
    case 'store':
      step.array[step.index] = step.value;
      return undefined;
    case 'atomic':
      return applyAtomic(step);
    case 'notify':
      return 0;
    case 'wait':
    case 'until':
      throw new Error('code that must run through at once waits');
  }
}

/** A wait of so long looks up for safety only: a wake-up that is lost must not hide behind it, so it has no end here. */
const WATCHFUL_MS_MIN = 50;

type AtomicStep = Extract<Step, { kind: 'atomic' }>;

export function applyAtomic({ name, array, index, operands }: AtomicStep): number {
  const [a = 0, b = 0] = operands;
  switch (name) {
    case 'load':
      return Atomics.load(array, index);
    case 'compareExchange':
      return Atomics.compareExchange(array, index, a, b);
    default:
      return Atomics[name](array, index, a);
  }
}

function atomic(name: string, array: SharedArray, index: number, ...operands: number[]): boolean {
  switch (name) {
    case 'wait':
      return stop({
        kind: 'wait',
        array,
        index,
        value: operands[0]!,
        isTimed: (operands[1] ?? Infinity) < WATCHFUL_MS_MIN,
      });
    case 'notify':
      return stop({ kind: 'notify', array, index });
    default: {
      const step: AtomicStep = { kind: 'atomic', name: name as AtomicName, array, index, operands };
      return isWatched(array) ? stop(step) : goOn(applyAtomic(step));
    }
  }
}

/** What the text of a stepping module calls. */
export const RUNTIME: Runtime = {
  $now: now,
  $isSteps: isSteps,
  $drain: drain,
  $load: load,
  $store: store,
  $atomic: atomic,
  $update: update,
  $bulk: bulk,
};
