// A vCPU's side of safepoints: what it publishes, what it acknowledges, and where it sleeps. Words and Atomics only.
// The other side is safepoint-control.ts; the argument is docs/memory-model.md.
import {
  ACKNOWLEDGED,
  CHANGES,
  COMMAND,
  COUNT_BITS,
  COUNT_MASK,
  Command,
  DOORBELL,
  EPOCH,
  FAULT_DOORBELL,
  FAULT_PAGE,
  LOOKS,
  NEWS,
  NO_FAULT,
  RESUMED,
  RESUMES,
  STATE,
  THROTTLE,
  THROTTLE_UNIT,
  TRACE_DONE,
  TRACE_GENERATION,
  TRACE_STOPPED,
  TRACE_WORK,
  VcpuState,
  baseOf,
  publishExit,
  ring,
  vcpusOf,
} from './safepoint-words.js';
import type { TraceWork } from './tracing.js';

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

  /** The newest command; nothing is acknowledged. */
  get command(): Command {
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
      while (Atomics.load(this.#words, COMMAND) === Command.PARK) {
        this.#lookForCommand();
        Atomics.wait(this.#words, COMMAND, Command.PARK);
      }
      const command = this.#enterSlices();
      if (command !== Command.PARK) return command;
      this.#publish(VcpuState.PARKED);
    }
  }

  // Where cores are spare, a guest that is about to be taken over does not wait for its vCPUs to wake. A new command that is
  // seen here, or comes right after, makes the sleep return at once.
  #lookForCommand(): void {
    for (let looks = Atomics.load(this.#words, LOOKS); looks > 0; looks--)
      if (Atomics.load(this.#words, COMMAND) !== Command.PARK) return;
  }

  /** The first slice after a park begins; what this vCPU wrote before is visible to whoever awaits it. */
  noteResumed(): void {
    Atomics.add(this.#words, this.#base + RESUMED, 1);
    Atomics.add(this.#words, RESUMES, 1);
    Atomics.notify(this.#words, RESUMES);
  }

  /** Sleeps between slices for at most `ms`, less when a command comes; answers the command. */
  halt(ms: number): Command {
    this.#publish(VcpuState.HALTED);
    Atomics.wait(this.#words, COMMAND, Command.RUN, ms);
    return this.#enterSlices();
  }

  /** What counts up with each command and with what devices tell; for `haltForNews`. */
  get news(): number {
    return Atomics.load(this.#words, NEWS);
  }

  /**
   * As `halt`, of a machine with devices: less also when there is more than `news`, which was loaded before the slice.
   * A command is stored before it counts as news, so the one that this vCPU has not seen makes the sleep return.
   */
  haltForNews(ms: number, news: number): Command {
    this.#publish(VcpuState.HALTED);
    Atomics.wait(this.#words, NEWS, news, ms);
    return this.#enterSlices();
  }

  /** There is work for the device thread. */
  ringDevices(): void {
    ring(this.#words, DOORBELL);
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

  /** Sleeps inside of a slice, as if it waited for a page: nothing that it had checked before counts any more. */
  pause(ms: number): void {
    this.#publish(VcpuState.FAULTING);
    Atomics.wait(
      this.#words,
      this.#base + FAULT_DOORBELL,
      Atomics.load(this.#words, this.#base + FAULT_DOORBELL),
      ms,
    );
    this.#enterSlices();
  }

  /**
   * Stops for trace work: `doShare` runs once every vCPU stands still, and this one goes on when all have done theirs.
   * Answers the next command.
   */
  trace(doShare: (work: TraceWork, vcpus: number) => void): Command {
    const vcpus = vcpusOf(this.#words);
    // Loaded before this vCPU counts as stopped: until it does, nobody can end this generation but by another command.
    const generation = Atomics.load(this.#words, TRACE_GENERATION);
    if (Atomics.load(this.#words, COMMAND) !== Command.TRACE) return this.pass();
    this.#publish(VcpuState.TRACING);
    this.#count(TRACE_STOPPED, generation);
    Atomics.notify(this.#words, TRACE_STOPPED);
    if (this.#awaitAllStopped(generation, vcpus)) {
      doShare(Atomics.load(this.#words, TRACE_WORK) as TraceWork, vcpus);
      if (this.#count(TRACE_DONE, generation) === vcpus) {
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

  // Counts this vCPU, unless the word counts another generation by now; answers how many were counted.
  #count(word: number, generation: number): number {
    for (;;) {
      const seen = Atomics.load(this.#words, word);
      if ((seen & ~COUNT_MASK) !== generation << COUNT_BITS) return 0;
      if (Atomics.compareExchange(this.#words, word, seen, seen + 1) === seen) return (seen + 1) & COUNT_MASK;
    }
  }

  // False when the trace work was ended before all vCPUs had stopped.
  #awaitAllStopped(generation: number, vcpus: number): boolean {
    for (;;) {
      const stopped = Atomics.load(this.#words, TRACE_STOPPED);
      if (Atomics.load(this.#words, TRACE_GENERATION) !== generation) return false;
      if (stopped === ((generation << COUNT_BITS) | vcpus)) return true;
      Atomics.wait(this.#words, TRACE_STOPPED, stopped);
    }
  }

  /** Enters slices from where it was parked, whatever the command: for the device thread, which looks at that itself. */
  enter(): void {
    this.#enterSlices();
  }

  /** Has left its slice, and enters none before `enter`. */
  leave(): void {
    this.#publish(VcpuState.PARKED);
  }

  exit(): void {
    publishExit(this.#words, this.#base);
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
