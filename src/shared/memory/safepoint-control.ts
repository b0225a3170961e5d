// Grace periods, parking and trace work: how page states change while vCPUs run. Words and Atomics only.
// The vCPUs' side is vcpu-safepoint.ts; the argument is docs/memory-model.md.
import { exitedError, interruptedError } from './safepoint-error.js';
import { SafepointWaits, type Patience } from './safepoint-waits.js';
import {
  ACKNOWLEDGED,
  CHANGES,
  COMMAND,
  COUNT_BITS,
  Command,
  DEVICES_HELD,
  EPOCH,
  FAULT_DOORBELL,
  FAULT_PAGE,
  LACKING,
  LOOKS,
  NOT_HANDED_OVER,
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
  announceCommand,
  announceLeft,
  baseOf,
  endTraceWork,
  participantsOf,
  publishExit,
  vcpusOf,
} from './safepoint-words.js';
import type { TraceWork } from './tracing.js';

/** The side of whoever changes page states, parks vCPUs or lets them go: tracer, receivers, machine. */
export class SafepointControl {
  readonly vcpus: number;
  /** The vCPUs, and after them the device thread of a machine that has devices. */
  readonly #participants: number;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #waits: SafepointWaits;
  readonly #looks: number;

  constructor(buffer: SharedArrayBuffer, patience: Patience = {}) {
    this.#words = new Int32Array(buffer);
    this.vcpus = vcpusOf(this.#words);
    this.#participants = participantsOf(this.#words);
    this.#waits = new SafepointWaits(this.#words, patience);
    this.#looks = patience.looks ?? 0;
  }

  /**
   * Waits one grace period: until every vCPU has passed a safepoint since the call, or is in no slice at all.
   * Page table bytes changed before the call are then seen by every later check, and every store that had already
   * been checked has landed. Blocks its thread; workers only.
   * @throws SafepointError when a vCPU is stuck in a slice.
   */
  waitForGracePeriod(): void {
    const epoch = (Atomics.add(this.#words, EPOCH, 1) + 1) | 0;
    for (let vcpu = 0; vcpu < this.#participants; vcpu++) {
      const base = baseOf(vcpu);
      let waitedMs = 0;
      for (;;) {
        // The count of changes is loaded before what it covers, so a change after that makes the wait return.
        const changes = Atomics.load(this.#words, base + CHANGES);
        const acknowledged = Atomics.load(this.#words, base + ACKNOWLEDGED);
        if (((acknowledged - epoch) | 0) >= 0) break;
        // A vCPU that leaves its park publishes RUNNING *before* it loads the epoch: one that is still seen in no
        // slice here will load the epoch bumped above.
        if (Atomics.load(this.#words, base + STATE) !== VcpuState.RUNNING) break;
        waitedMs = this.#waits.sleep(base + CHANGES, changes, waitedMs, vcpu);
      }
    }
  }

  /** RUN is about to be commanded, or not: parked vCPUs look for it so often before they sleep again. */
  alert(looks: number): void {
    Atomics.store(this.#words, LOOKS, looks);
    if (looks > 0) Atomics.notify(this.#words, COMMAND);
  }

  /** Whether the newest command is to park. */
  get isStopCommanded(): boolean {
    return Atomics.load(this.#words, COMMAND) === Command.PARK;
  }

  /** Asks every vCPU for `command` at its next safepoint, and wakes those that are parked or halted. */
  command(command: Command): void {
    Atomics.store(this.#words, COMMAND, command);
    Atomics.notify(this.#words, COMMAND);
    announceCommand(this.#words);
    endTraceWork(this.#words);
  }

  /** Ends trace work under way; its vCPUs run on. */
  endTraceWork(): void {
    endTraceWork(this.#words);
  }

  /** The worker of `vcpu` has ended, whether or not it could say so itself: nobody waits for it any more. */
  markExited(vcpu: number): void {
    publishExit(this.#words, baseOf(vcpu));
  }

  /**
   * Stops every vCPU, has each do its share of `work` and lets them run on when the last one is done (before
   * vSphere 7). Blocks; workers only.
   * @throws SafepointError when it was not done: a vCPU is stuck or has exited, or another command ended it.
   */
  stopAndTrace(work: TraceWork): void {
    this.#holdDevices();
    try {
      this.#traceStopped(work);
    } finally {
      Atomics.store(this.#words, DEVICES_HELD, 0);
      announceCommand(this.#words);
    }
  }

  /** The guest runs elsewhere now: the device thread lets go whoever is connected. From whichever thread hears of it. */
  letDevicesGo(): void {
    announceLeft(this.#words);
  }

  // Its stores must not cross the trace work of vCPUs that wait for nobody but each other.
  #holdDevices(): void {
    Atomics.store(this.#words, DEVICES_HELD, 1);
    // One that enters a slice publishes so before it looks at this word: seen here, or turned back there.
    for (let one = this.vcpus; one < this.#participants; one++) this.#waitWhileIn(one, VcpuState.RUNNING);
  }

  #waitWhileIn(participant: number, isIn: number): void {
    let waitedMs = 0;
    while (this.state(participant) === isIn)
      waitedMs = this.#waits.sleep(baseOf(participant) + STATE, isIn, waitedMs, participant);
  }

  #traceStopped(work: TraceWork): void {
    Atomics.store(this.#words, TRACE_WORK, work);
    const generation = Atomics.load(this.#words, TRACE_GENERATION);
    Atomics.store(this.#words, TRACE_STOPPED, generation << COUNT_BITS);
    Atomics.store(this.#words, TRACE_DONE, generation << COUNT_BITS);
    if (Atomics.compareExchange(this.#words, COMMAND, Command.RUN, Command.TRACE) !== Command.RUN)
      throw interruptedError();
    Atomics.notify(this.#words, COMMAND);
    announceCommand(this.#words);
    let waitedMs = 0;
    try {
      // Commanded before this look, while a vCPU that exits publishes so before it ends trace work: one sees the other.
      this.#throwIfExited();
      while (Atomics.load(this.#words, TRACE_GENERATION) === generation) {
        waitedMs = this.#waits.sleep(
          TRACE_GENERATION,
          generation,
          waitedMs,
          this.#firstIn(VcpuState.RUNNING),
        );
      }
      if (Atomics.load(this.#words, TRACE_DONE) === ((generation << COUNT_BITS) | this.vcpus)) return;
      this.#throwIfExited();
      throw interruptedError();
    } catch (error) {
      endTraceWork(this.#words);
      throw error;
    }
  }

  /**
   * Whether every vCPU stands between two slices and will not enter one before RUN is commanded. A device thread that
   * was seen parked may look for a moment as if it entered a slice, and turns back: who waits for it has waited before.
   */
  areAllParked(): boolean {
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {
      if (this.state(vcpu) !== VcpuState.PARKED) return false;
    }
    return true;
  }

  /**
   * Blocks until `areAllParked`; the command must be PARK. Workers only.
   * @throws SafepointError when a vCPU has exited, and so cannot be parked whole, or is stuck in a slice.
   */
  waitUntilParked(): void {
    for (let vcpu = 0; vcpu < this.#participants; vcpu++) {
      for (let looks = this.#looks; looks > 0 && this.#unparkedState(vcpu) !== undefined; looks--);
      let waitedMs = 0;
      for (let state = this.#unparkedState(vcpu); state !== undefined; state = this.#unparkedState(vcpu)) {
        waitedMs = this.#waits.sleep(baseOf(vcpu) + STATE, state, waitedMs, vcpu);
      }
    }
  }

  /** As `waitUntilParked`, for threads that must not block. */
  async parked(): Promise<void> {
    for (let vcpu = 0; vcpu < this.#participants; vcpu++) {
      let waitedMs = 0;
      for (let state = this.#unparkedState(vcpu); state !== undefined; state = this.#unparkedState(vcpu)) {
        waitedMs = await this.#waits.sleepAsync(baseOf(vcpu) + STATE, state, waitedMs, vcpu);
      }
    }
  }

  /**
   * Commands RUN to parked vCPUs; resolves once each is in its first slice, or has exited. One that finds no core for
   * the whole limit runs all the same, so nothing is thrown. For threads that must not block.
   */
  async resume(): Promise<void> {
    const before = Array.from({ length: this.vcpus }, (_, vcpu) => this.#resumedCount(vcpu));
    this.command(Command.RUN);
    await this.resumed(before);
  }

  /** As `resume` after RUN was commanded, by whichever thread; `before`: how often each vCPU had resumed by then. */
  async resumed(before: readonly number[]): Promise<void> {
    const { stepMs, sliceMsMax } = this.#waits;
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++) {
      let waitedMs = 0;
      for (;;) {
        const resumes = Atomics.load(this.#words, RESUMES);
        if (this.#resumedCount(vcpu) !== before[vcpu] || this.state(vcpu) === VcpuState.EXITED) break;
        const waiting = Atomics.waitAsync(this.#words, RESUMES, resumes, stepMs);
        const woken = waiting.async ? await waiting.value : waiting.value;
        if (woken !== 'timed-out') continue;
        waitedMs += stepMs;
        if (waitedMs >= sliceMsMax) break;
      }
    }
  }

  #resumedCount(vcpu: number): number {
    return Atomics.load(this.#words, baseOf(vcpu) + RESUMED);
  }

  // The state of a vCPU that is still to park; a half-done slice of one that exited is nothing to rely on.
  #unparkedState(vcpu: number): number | undefined {
    const state = this.state(vcpu);
    if (state === VcpuState.EXITED) throw exitedError(this.#words, vcpu);
    return state === VcpuState.PARKED ? undefined : state;
  }

  #throwIfExited(): void {
    const vcpu = this.#firstIn(VcpuState.EXITED);
    if (vcpu !== undefined) throw exitedError(this.#words, vcpu);
  }

  #firstIn(state: number): number | undefined {
    for (let vcpu = 0; vcpu < this.vcpus; vcpu++) if (this.state(vcpu) === state) return vcpu;
    return undefined;
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
    for (let vcpu = 0; vcpu < this.#participants; vcpu++) {
      const page = this.faultOf(vcpu);
      if (page === undefined || !hasArrived(page)) continue;
      Atomics.add(this.#words, baseOf(vcpu) + FAULT_DOORBELL, 1);
      Atomics.notify(this.#words, baseOf(vcpu) + FAULT_DOORBELL);
    }
  }
}
