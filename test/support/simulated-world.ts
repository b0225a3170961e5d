// The ground that a simulation stands on: seeded chance, a fake clock, and processes that stall and die.
// Knows nothing of networks or migrations.

/** Chance that is the same for the same seed (mulberry32). */
export class Chance {
  #state: number;

  constructor(seed: number) {
    this.#state = Math.imul(seed, 0x9e3779b1) ^ 0x85ebca6b;
  }

  /** At least 0, less than 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  }

  isTrue(probability: number): boolean {
    return this.next() < probability;
  }

  /** A whole number, both ends included. */
  between(min: number, max: number): number {
    return min + Math.floor(this.next() * (max - min + 1));
  }

  /** Mostly short, now and then as long as `max`: how delays are in the world. */
  delay(max: number): number {
    const share = this.next();
    return max * share * share * share;
  }

  pick<T>(items: readonly T[]): T {
    return items[Math.floor(this.next() * items.length)]!;
  }
}

interface Appointment {
  readonly at: number;
  /** Appointments of one instant are kept in the order in which they were made. */
  readonly order: number;
  readonly action: () => void;
}

/** Milliseconds since the simulation began, and what is to happen when: a binary heap. */
export class Clock {
  now = 0;
  readonly #heap: Appointment[] = [];
  #made = 0;

  at(instant: number, action: () => void): void {
    if (!(instant >= this.now)) throw new Error(`nothing can be made to happen at ${instant} ms`);
    const heap = this.#heap;
    const made: Appointment = { at: instant, order: this.#made++, action };
    let place = heap.length;
    heap.push(made);
    while (place > 0) {
      const parent = (place - 1) >> 1;
      if (!isBefore(made, heap[parent]!)) break;
      heap[place] = heap[parent]!;
      place = parent;
    }
    heap[place] = made;
  }

  /** Moves on to the next appointment and keeps it; answers false when there is none up to `horizon`. */
  step(horizon: number): boolean {
    const next = this.#heap[0];
    if (next === undefined || next.at > horizon) return false;
    this.#removeFirst();
    this.now = next.at;
    next.action();
    return true;
  }

  #removeFirst(): void {
    const heap = this.#heap;
    const last = heap.pop()!;
    if (heap.length === 0) return;
    let place = 0;
    for (;;) {
      let child = 2 * place + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && isBefore(heap[child + 1]!, heap[child]!)) child++;
      if (!isBefore(heap[child]!, last)) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = last;
  }
}

function isBefore(one: Appointment, other: Appointment): boolean {
  return one.at < other.at || (one.at === other.at && one.order < other.order);
}

/** What all parts of one simulation share. */
export class World {
  readonly clock = new Clock();
  readonly chance: Chance;
  /** What happened, for people; undefined when nobody will read it. */
  readonly trace: string[] | undefined;
  /** The first thing that must never happen and did. */
  violation: string | undefined;
  /** Called at what a scenario may wait for: an effect's kind, say. */
  onMilestone: (name: string) => void = () => undefined;

  constructor(seed: number, isTraced: boolean) {
    this.chance = new Chance(seed);
    this.trace = isTraced ? [] : undefined;
  }

  note(say: () => string): void {
    this.trace?.push(`${this.clock.now.toFixed(1).padStart(9)} ms  ${say()}`);
  }

  /** The first violation counts; later ones are its consequences. */
  violate(reason: string): void {
    this.violation ??= reason;
    this.note(() => `VIOLATION: ${reason}`);
  }
}

/** No process stands still for longer. */
export const STALL_MS_MAX = 4000;

/** A process: what it does waits while it is stalled and does not happen once it is dead. */
export class Process {
  readonly name: string;
  readonly world: World;
  isAlive = true;
  #stalledUntil = 0;
  readonly #backlog: (() => void)[] = [];

  constructor(name: string, world: World) {
    this.name = name;
    this.world = world;
  }

  after(ms: number, action: () => void): void {
    this.world.clock.at(this.world.clock.now + ms, () => {
      this.#run(action);
    });
  }

  stall(ms: number): void {
    this.#stalledUntil = Math.max(this.#stalledUntil, this.world.clock.now + ms);
  }

  // What came while it stood still is done in the order in which it came.
  #run(action: () => void): void {
    if (!this.isAlive) return;
    const { clock } = this.world;
    if (this.#backlog.length === 0 && clock.now >= this.#stalledUntil) {
      action();
      return;
    }
    this.#backlog.push(action);
    if (this.#backlog.length === 1) this.#wakeLater();
  }

  #wakeLater(): void {
    const { clock } = this.world;
    clock.at(Math.max(clock.now, this.#stalledUntil), () => {
      if (!this.isAlive) return;
      // One at a time: what promises make of it is done before the next, as on a thread.
      if (clock.now >= this.#stalledUntil) {
        this.#backlog[0]!();
        this.#backlog.shift();
      }
      if (this.#backlog.length > 0) this.#wakeLater();
    });
  }
}
