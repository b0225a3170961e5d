// A machine as its threads share it: guest memory, safepoint words, registers and counters.
// Plain shared arrays; docs/memory-model.md says who writes which word.
import { totalmem } from 'node:os';
import { allocateMemory, type MemoryHandle } from '../memory/layout.js';
import { FAULT_BUCKETS } from './fault-latency.js';
import { GAP_BUCKETS } from './gap-buckets.js';
import { allocateSafepointWords } from '../memory/safepoint-words.js';
import { REGISTERS_PER_DEVICE } from './devices/device-state.js';
import { REGISTERS_PER_VCPU, type GuestSpec } from './guest-program.js';

/** What is posted to every worker that touches the machine. */
export interface SharedMachine {
  readonly spec: GuestSpec;
  readonly memory: MemoryHandle;
  readonly safepointWords: SharedArrayBuffer;
  readonly registers: SharedArrayBuffer;
  readonly counters: SharedArrayBuffer;
  /** device-state.ts. */
  readonly deviceRegisters: SharedArrayBuffer;
  /** Where the code of a guest is that people bring, as a URL on this host; a built-in one has none. */
  readonly module?: string;
}

/** Counters of one vCPU, doubles, each written by that vCPU alone. Instants are `monotonicUs` of the host. */
export const Counter = {
  SLICES: 0,
  /** Pages written, as the guest reports them. */
  WORK: 1,
  PAGE_FIRES: 2,
  /** When the first slice since the last resume began. */
  FIRST_SLICE_AT: 3,
  /** When the last slice ended. */
  LAST_SLICE_END_AT: 4,
  /** Longest gap between two slices (slice-gap.ts) since the gap watch changed. */
  LONGEST_GAP_US: 5,
  /** Sleep by the throttle. */
  THROTTLED_US: 6,
  REMOTE_FAULTS: 7,
  LONGEST_FAULT_US: 8,
  /** Time stopped for trace work (all-vcpus), in all and at the longest. */
  TRACE_STOPPED_US: 9,
  LONGEST_TRACE_STOP_US: 10,
  /** The longest stall since a sample was taken, in one of two slots in turn: the sample's number and microseconds. */
  STALL_SLOTS_FROM: 11,
  /** When it parked last, after it had run. */
  PARKED_AT: 15,
  /** The longest slice that has ended since the gap watch changed, without what it waited for pages or for memory. */
  LONGEST_SLICE_US: 16,
  /** First of FAULT_BUCKETS counts of remote page faults by latency. */
  FAULT_BUCKETS_FROM: 17,
  /** First of GAP_BUCKETS counts of gaps between slices by length. */
  GAP_BUCKETS_FROM: 17 + FAULT_BUCKETS,
} as const;

const COUNTERS_PER_VCPU = Counter.GAP_BUCKETS_FROM + GAP_BUCKETS;

/** Machine-wide doubles after the vCPUs' counters. */
const GUEST_CLOCK_BASE = 0;
const GAP_WATCH = 1;
const SAMPLE_NUMBER = 2;
const GUEST_CLOCK_FROM = 3;
const PAUSED = 4;
const MACHINE_DOUBLES = 8;

/**
 * Allocates a machine for `spec`: memory zero, vCPUs parked; with memory that was laid out for it, if there is such.
 * Throws RangeError as `allocateMemory` does.
 */
export function allocateMachine(
  spec: GuestSpec,
  memory = allocateMemory(spec.memoryBytes, hostMemoryBytes()),
): SharedMachine {
  return {
    spec,
    memory,
    safepointWords: allocateSafepointWords(spec.vcpus, spec.devices.length > 0 ? 1 : 0),
    registers: new SharedArrayBuffer(8 * REGISTERS_PER_VCPU * spec.vcpus),
    counters: new SharedArrayBuffer(8 * (COUNTERS_PER_VCPU * spec.vcpus + MACHINE_DOUBLES)),
    deviceRegisters: new SharedArrayBuffer(8 * REGISTERS_PER_DEVICE * spec.devices.length),
  };
}

export function registersOf(machine: SharedMachine, vcpu: number): Float64Array {
  return new Float64Array(machine.registers, 8 * REGISTERS_PER_VCPU * vcpu, REGISTERS_PER_VCPU);
}

export function countersOf(machine: SharedMachine, vcpu: number): Float64Array {
  return new Float64Array(machine.counters, 8 * COUNTERS_PER_VCPU * vcpu, COUNTERS_PER_VCPU);
}

/** Machine-wide values that the main thread sets while the vCPUs are parked, or as a hint while they run. */
export class MachineSettings {
  readonly #doubles: Float64Array;

  constructor(machine: SharedMachine) {
    this.#doubles = new Float64Array(
      machine.counters,
      8 * COUNTERS_PER_VCPU * machine.spec.vcpus,
      MACHINE_DOUBLES,
    );
  }

  /** `monotonicUs` at which the guest's clock would have read 0. */
  get guestClockBaseUs(): number {
    return this.#doubles[GUEST_CLOCK_BASE]!;
  }

  set guestClockBaseUs(us: number) {
    this.#doubles[GUEST_CLOCK_BASE] = us;
  }

  /** What the guest's clock read when the guest was last told to run. */
  get guestClockFromUs(): number {
    return this.#doubles[GUEST_CLOCK_FROM]!;
  }

  set guestClockFromUs(us: number) {
    this.#doubles[GUEST_CLOCK_FROM] = us;
  }

  /** The sample that is due next; the sampler counts it up, and each vCPU then starts its longest stall anew. */
  get sampleNumber(): number {
    return this.#doubles[SAMPLE_NUMBER]!;
  }

  set sampleNumber(number: number) {
    this.#doubles[SAMPLE_NUMBER] = number;
  }

  /**
   * Whether the guest is paused: its vCPUs run no slice of its program, and its clock stands still, also while they are
   * told to run. Changed while all of them are parked; each looks once it is told to run.
   */
  get isPaused(): boolean {
    return this.#doubles[PAUSED] !== 0;
  }

  set isPaused(isPaused: boolean) {
    this.#doubles[PAUSED] = isPaused ? 1 : 0;
  }

  /** Changing it makes each vCPU start its longest gap anew. */
  get gapWatch(): number {
    return this.#doubles[GAP_WATCH]!;
  }

  set gapWatch(watch: number) {
    this.#doubles[GAP_WATCH] = watch;
  }
}

/** What this host has, or the container that this process is in. */
function hostMemoryBytes(): number {
  const constrained = process.constrainedMemory();
  return constrained > 0 ? Math.min(constrained, totalmem()) : totalmem();
}
