// Safepoints, grace periods and parking: how page states change while vCPUs run. Words and Atomics only.
// Every word, its writers, its readers and the order between them: docs/memory-model.md.
import type { TraceWork } from './tracing.js';

export const VCPUS_MAX = 64;

// Machine-wide words.
const EPOCH = 0;
const COMMAND = 1;
const THROTTLE = 2;
const LACKING = 3;
const TRACE_WORK = 4;
const TRACE_STOPPED = 5;
const TRACE_DONE = 6;
const TRACE_GENERATION = 7;
const HEADER_WORDS = 16;

// Words of one vCPU, on a cache line of their own.
const STATE = 0;
const ACKNOWLEDGED = 1;
const CHANGES = 2;
const FAULT_PAGE = 3;
const FAULT_DOORBELL = 4;
const VCPU_WORDS = 16;

/** What all vCPUs are asked to do at their next safepoint. */
export const Command = {
  PARK: 0,
  RUN: 1,
  EXIT: 2,
  /** Stop, do your share of trace work once all have stopped, and run on when all have done theirs. */
  TRACE: 3,
} as const;
export type Command = (typeof Command)[keyof typeof Command];

/** Where a vCPU is. In every state but RUNNING it holds no page state that it has checked and not yet used. */
export const VcpuState = {
  /** Between slices, waiting for RUN. */
  PARKED: 0,
  /** In a slice, or about to be. */
  RUNNING: 1,
  /** Between slices, asleep by its own wish or by the throttle. */
  HALTED: 2,
  /** Inside of a slice, waiting for a page that is still on the source. */
  FAULTING: 3,
  /** Its worker has ended. */
  EXITED: 4,
  /** Between slices, stopped for trace work. */
  TRACING: 5,
} as const;

/** The throttle's word is in thousandths. */
const THROTTLE_UNIT = 1000;

const NO_FAULT = -1;
const NOT_HANDED_OVER = -1;

/** Allocates the shared words of a machine with `vcpus` vCPUs, all PARKED. */
export function allocateSafepointWords(vcpus: number): SharedArrayBuffer {
  const buffer = new SharedArrayBuffer(4 * (HEADER_WORDS + vcpus * VCPU_WORDS));
  const words = new Int32Array(buffer);
  words[LACKING] = NOT_HANDED_OVER;
  for (let vcpu = 0; vcpu < vcpus; vcpu++) words[HEADER_WORDS + vcpu * VCPU_WORDS + FAULT_PAGE] = NO_FAULT;
  return buffer;
}

/** The side of whoever changes page states, parks vCPUs or lets them go: tracer, receivers, machine. */
export class SafepointControl {
  readonly vcpus: number;
  readonly #words: Int32Array<SharedArrayBuffer>;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.vcpus = (this.#words.length - HEADER_WORDS) / VCPU_WORDS;
  }

  /**
   * Waits one grace period: until every vCPU has passed a safepoint since the call, or is in no slice at all.
   * Page table bytes changed before the call are then seen by every later check, and every store that had already
   * been checked has landed. Blocks its thread; workers only.
   */
  waitForGracePeriod(): void {
    const epoch = (Atomics.add(this.#words, EPOCH, 1) + 1) | 0;
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {
      const base = baseOf(vcpu);
      for (;;) {
        // The count of changes is loaded before what it covers, so a change after that makes the wait return.
        const changes = Atomics.load(this.#words, base + CHANGES);
        const acknowledged = Atomics.load(this.#words, base + ACKNOWLEDGED);
        if (((acknowledged - epoch) | 0) >= 0) break;
        // A vCPU that leaves its park publishes RUNNING *before* it loads the epoch: one that is still seen in no
        // slice here will load the epoch bumped above.
        if (Atomics.load(this.#words, base + STATE) !== VcpuState.RUNNING) break;
        Atomics.wait(this.#words, base + CHANGES, changes);
      }
    }
  }

  /** Asks every vCPU for `command` at its next safepoint, and wakes those that are parked or halted. */
  command(command: Command): void {
    Atomics.store(this.#words, COMMAND, command);
    Atomics.notify(this.#words, COMMAND);
    // Trace work that is under way ends here. The count is changed too, so that nobody falls asleep on the old one.
    Atomics.add(this.#words, TRACE_GENERATION, 1);
    Atomics.add(this.#words, TRACE_STOPPED, VCPUS_MAX);
    Atomics.notify(this.#words, TRACE_GENERATION);
    Atomics.notify(this.#words, TRACE_STOPPED);
  }

  /**
   * Stops every vCPU, has each do its share of `work` and lets them run on when the last one is done (before
   * vSphere 7). Blocks; workers only. Answers false when another command ended it early.
   */
  stopAndTrace(work: TraceWork): boolean {
    Atomics.store(this.#words, TRACE_WORK, work);
    Atomics.store(this.#words, TRACE_STOPPED, 0);
    Atomics.store(this.#words, TRACE_DONE, 0);
    const generation = Atomics.load(this.#words, TRACE_GENERATION);
    if (Atomics.compareExchange(this.#words, COMMAND, Command.RUN, Command.TRACE) !== Command.RUN)
      return false;
    Atomics.notify(this.#words, COMMAND);
    while (Atomics.load(this.#words, TRACE_GENERATION) === generation) {
      Atomics.wait(this.#words, TRACE_GENERATION, generation);
    }
    return Atomics.load(this.#words, TRACE_DONE) === this.vcpus;
  }

  /** Whether every vCPU is out of its slice and will not enter one before RUN is commanded. */
  areAllParked(): boolean {
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {
      if (!isParked(this.state(vcpu))) return false;
    }
    return true;
  }

  /** Blocks until `areAllParked`; the command must be PARK or EXIT. Workers only. */
  waitUntilParked(): void {
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {
      for (let state = this.state(vcpu); !isParked(state); state = this.state(vcpu)) {
        Atomics.wait(this.#words, baseOf(vcpu) + STATE, state);
      }
    }
  }

  /** Resolves once `areAllParked`; for threads that must not block. */
  async parked(): Promise<void> {
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {
      for (let state = this.state(vcpu); !isParked(state); state = this.state(vcpu)) {
        const waiting = Atomics.waitAsync(this.#words, baseOf(vcpu) + STATE, state);
        if (waiting.async) await waiting.value;
      }
    }
  }

  state(vcpu: number): number {
    return Atomics.load(this.#words, baseOf(vcpu) + STATE);
  }

  /** The share of its time that each vCPU is to sleep (Stun During Page Send), below 1; 0 switches it off. */
  throttle(share: number): void {
    Atomics.store(this.#words, THROTTLE, Math.round((share / (1 - share)) * THROTTLE_UNIT));
  }

  /** The guest is this side's and is about to run, still lacking `pages`: from now on nobody overwrites a page. */
  handOver(pages: number): void {
    Atomics.store(this.#words, LACKING, pages);
  }

  /** Pages that a running guest lacks still. */
  get lackingPages(): number {
    return Math.max(0, Atomics.load(this.#words, LACKING));
  }

  get isHandedOver(): boolean {
    return Atomics.load(this.#words, LACKING) !== NOT_HANDED_OVER;
  }

  /** `pages` that were lacking have been placed; answers how many are lacking still. */
  notePlaced(pages: number): number {
    return Atomics.sub(this.#words, LACKING, pages) - pages;
  }

  /** The page that a vCPU waits for, if it does. */
  faultOf(vcpu: number): number | undefined {
    const page = Atomics.load(this.#words, baseOf(vcpu) + FAULT_PAGE);
    return page === NO_FAULT ? undefined : page;
  }

  /** Wakes every vCPU that waits for a page for which `hasArrived`; the page's state was stored before. */
  wakeFaulting(hasArrived: (page: number) => boolean): void {
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {
      const page = this.faultOf(vcpu);
      if (page === undefined || !hasArrived(page)) continue;
      Atomics.add(this.#words, baseOf(vcpu) + FAULT_DOORBELL, 1);
      Atomics.notify(this.#words, baseOf(vcpu) + FAULT_DOORBELL);
    }
  }
}

/** A vCPU's side: its safepoint, its park, its sleep and its wait for a page. One per vCPU worker. */
export class VcpuSafepoint {
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #base: number;
  #acknowledged = 0;

  constructor(buffer: SharedArrayBuffer, vcpu: number) {
    this.#words = new Int32Array(buffer);
    this.#base = baseOf(vcpu);
    this.#acknowledged = Atomics.load(this.#words, this.#base + ACKNOWLEDGED);
  }

  /** Between two slices: acknowledges a new epoch and answers what to do next. */
  pass(): Command {
    const epoch = Atomics.load(this.#words, EPOCH);
    if (epoch !== this.#acknowledged) {
      this.#acknowledged = epoch;
      Atomics.store(this.#words, this.#base + ACKNOWLEDGED, epoch);
      this.#noteChange();
    }
    return Atomics.load(this.#words, COMMAND) as Command;
  }

  /** How long this vCPU is to sleep for each microsecond that it runs. */
  get throttle(): number {
    return Atomics.load(this.#words, THROTTLE) / THROTTLE_UNIT;
  }

  /** Parks until the command is no longer PARK; answers the new command. */
  park(): Command {
    this.#publish(VcpuState.PARKED);
    for (;;) {
      while (Atomics.load(this.#words, COMMAND) === Command.PARK)
        Atomics.wait(this.#words, COMMAND, Command.PARK);
      const command = this.#enterSlices();
      if (command !== Command.PARK) return command;
      this.#publish(VcpuState.PARKED);
    }
  }

  /** Sleeps between slices for at most `ms`, less when a command comes; answers the command. */
  halt(ms: number): Command {
    this.#publish(VcpuState.HALTED);
    Atomics.wait(this.#words, COMMAND, Command.RUN, ms);
    return this.#enterSlices();
  }

  /** Waits inside of a slice until woken for `page`; `isHere` tells whether its bytes arrived meanwhile. */
  waitForPage(page: number, isHere: () => boolean, ask: () => void): void {
    const doorbell = Atomics.load(this.#words, this.#base + FAULT_DOORBELL);
    Atomics.store(this.#words, this.#base + FAULT_PAGE, page);
    this.#publish(VcpuState.FAULTING);
    // The page is published before its state is looked at again; whoever places it stores the state before looking
    // for waiters. One of the two sees the other, so no wake-up is lost.
    if (!isHere()) {
      ask();
      Atomics.wait(this.#words, this.#base + FAULT_DOORBELL, doorbell);
    }
    Atomics.store(this.#words, this.#base + FAULT_PAGE, NO_FAULT);
    this.#enterSlices();
  }

  /**
   * Stops for trace work: `doShare` runs once every vCPU stands still, and this one goes on when all have done theirs.
   * Answers the next command.
   */
  trace(doShare: (work: TraceWork, vcpus: number) => void): Command {
    const vcpus = (this.#words.length - HEADER_WORDS) / VCPU_WORDS;
    // Loaded before this vCPU counts as stopped: until it does, nobody can end this generation but by another command.
    const generation = Atomics.load(this.#words, TRACE_GENERATION);
    if (Atomics.load(this.#words, COMMAND) !== Command.TRACE) return this.pass();
    this.#publish(VcpuState.TRACING);
    Atomics.add(this.#words, TRACE_STOPPED, 1);
    Atomics.notify(this.#words, TRACE_STOPPED);
    if (this.#awaitAllStopped(generation, vcpus)) {
      doShare(Atomics.load(this.#words, TRACE_WORK) as TraceWork, vcpus);
      if (Atomics.add(this.#words, TRACE_DONE, 1) + 1 === vcpus) {
        // The command changes before the generation: who sees the new generation never does this work twice.
        Atomics.compareExchange(this.#words, COMMAND, Command.TRACE, Command.RUN);
        Atomics.add(this.#words, TRACE_GENERATION, 1);
        Atomics.notify(this.#words, TRACE_GENERATION);
      } else {
        while (Atomics.load(this.#words, TRACE_GENERATION) === generation) {
          Atomics.wait(this.#words, TRACE_GENERATION, generation);
        }
      }
    }
    return this.#enterSlices();
  }

  // False when another command ended the trace work before all vCPUs had stopped.
  #awaitAllStopped(generation: number, vcpus: number): boolean {
    for (;;) {
      const stopped = Atomics.load(this.#words, TRACE_STOPPED);
      if (Atomics.load(this.#words, TRACE_GENERATION) !== generation) return false;
      if (stopped === vcpus) return true;
      Atomics.wait(this.#words, TRACE_STOPPED, stopped);
    }
  }

  exit(): void {
    this.#publish(VcpuState.EXITED);
  }

  // Publish RUNNING, then load the epoch (and the command): the other order would let a grace period, or a park,
  // miss this vCPU.
  #enterSlices(): Command {
    Atomics.store(this.#words, this.#base + STATE, VcpuState.RUNNING);
    return this.pass();
  }

  #publish(state: number): void {
    Atomics.store(this.#words, this.#base + STATE, state);
    Atomics.notify(this.#words, this.#base + STATE);
    this.#noteChange();
  }

  // Wakes a grace period that waits for this vCPU.
  #noteChange(): void {
    Atomics.add(this.#words, this.#base + CHANGES, 1);
    Atomics.notify(this.#words, this.#base + CHANGES);
  }
}

// A halted vCPU does not count: it is woken by the command and parks by itself, so that a later RUN finds it parked.
function isParked(state: number): boolean {
  return state === VcpuState.PARKED || state === VcpuState.EXITED;
}

function baseOf(vcpu: number): number {
  return HEADER_WORDS + vcpu * VCPU_WORDS;
}
