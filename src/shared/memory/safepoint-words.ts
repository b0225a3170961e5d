// The words that tracer, machine, receivers and vCPUs share for safepoints: where each lies, and what two sides do to them.
// Every word, its writers, its readers and the order between them: docs/memory-model.md.

export const VCPUS_MAX = 64;

// Machine-wide words.
export const EPOCH = 0;
export const COMMAND = 1;
export const THROTTLE = 2;
export const LACKING = 3;
export const TRACE_WORK = 4;
export const TRACE_STOPPED = 5;
export const TRACE_DONE = 6;
export const TRACE_GENERATION = 7;
export const RESUMES = 8;
export const LOOKS = 9;
/** Participants after the vCPUs: 1 where the machine has a device thread, else 0. Never changes. */
const DEVICE_THREADS = 10;
/** Counts what may interest a vCPU that halts: commands, news of a device, and what a guest is asked and told. */
export const NEWS = 11;
/** Counts what may interest the device thread: commands, and work that vCPUs have for it. */
export const DOORBELL = 12;
/** 1: the device thread is to enter no slice, though RUN may be commanded. */
export const DEVICES_HELD = 13;
/** What the guest's program has a say in: bits of `Say`. Set by vCPU 0 before it parks for the first time. */
export const SAY = 14;
/** The question that vCPU 0 is asked, by its number: may the guest be moved? 0: none. */
export const ASKED = 15;
/** What goes with it: for how long the guest has been asked, and how long it may still be; whole milliseconds. */
export const ASKED_WAITED_MS = 16;
export const ASKED_LEFT_MS = 17;
/** Counts what vCPU 0 is told after a migration. */
export const TOLD = 18;
/** What goes with it: 1 where the guest has moved, and when it stopped, by this host's clock in two words. */
export const TOLD_MOVED = 19;
export const TOLD_STOPPED_SECONDS = 20;
export const TOLD_STOPPED_US = 21;
/** 1: the guest runs elsewhere now; set once, by whoever hears of it first. */
export const DEVICES_LEFT = 22;
export const HEADER_WORDS = 32;

// Words of one vCPU, on a cache line of their own.
export const STATE = 0;
export const ACKNOWLEDGED = 1;
export const CHANGES = 2;
export const FAULT_PAGE = 3;
export const FAULT_DOORBELL = 4;
export const RESUMED = 5;
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
export const THROTTLE_UNIT = 1000;

/** What a guest's program has a say in, as bits of a word. */
export const Say = {
  /** It is asked before it is stopped for a migration. */
  BEFORE: 1,
  /** It is told after. */
  AFTER: 2,
} as const;

export const NO_FAULT = -1;
export const NOT_HANDED_OVER = -1;

/** The counts of trace work carry the generation that they are of above this many bits, so none is taken for another's. */
export const COUNT_BITS = 7;
export const COUNT_MASK = (1 << COUNT_BITS) - 1;

/** Allocates the shared words of a machine with `vcpus` vCPUs and 0 or 1 device threads after them, all PARKED. */
export function allocateSafepointWords(vcpus: number, deviceThreads: 0 | 1 = 0): SharedArrayBuffer {
  const participants = vcpus + deviceThreads;
  const buffer = new SharedArrayBuffer(4 * (HEADER_WORDS + participants * VCPU_WORDS));
  const words = new Int32Array(buffer);
  words[LACKING] = NOT_HANDED_OVER;
  words[DEVICE_THREADS] = deviceThreads;
  for (let one = 0; one < participants; one++) words[baseOf(one) + FAULT_PAGE] = NO_FAULT;
  return buffer;
}

/** All that take part in safepoints: the vCPUs, and after them the device thread. */
export function participantsOf(words: Int32Array<SharedArrayBuffer>): number {
  return (words.length - HEADER_WORDS) / VCPU_WORDS;
}

export function vcpusOf(words: Int32Array<SharedArrayBuffer>): number {
  return participantsOf(words) - words[DEVICE_THREADS]!;
}

/** The guest runs elsewhere now: the device thread, which loads its doorbell before it looks, hears of it. */
export function announceLeft(words: Int32Array<SharedArrayBuffer>): void {
  Atomics.store(words, DEVICES_LEFT, 1);
  ring(words, DOORBELL);
}

/** A command has changed: those that wait for news, of devices or of a migration, look up. Its word is stored before. */
export function announceCommand(words: Int32Array<SharedArrayBuffer>): void {
  if (words[DEVICE_THREADS] === 0 && Atomics.load(words, SAY) === 0) return;
  ring(words, NEWS);
  ring(words, DOORBELL);
}

/** Counts up the word that somebody sleeps on, and wakes them. */
export function ring(words: Int32Array<SharedArrayBuffer>, word: typeof NEWS | typeof DOORBELL): void {
  Atomics.add(words, word, 1);
  Atomics.notify(words, word);
}

// A vCPU is published as exited before those who wait are woken: for a grace period, a park, trace work or a resume.
export function publishExit(words: Int32Array<SharedArrayBuffer>, base: number): void {
  Atomics.store(words, base + STATE, VcpuState.EXITED);
  Atomics.notify(words, base + STATE);
  Atomics.add(words, base + CHANGES, 1);
  Atomics.notify(words, base + CHANGES);
  endTraceWork(words);
  Atomics.add(words, RESUMES, 1);
  Atomics.notify(words, RESUMES);
}

// The stopped count is made another generation's too, so that nobody falls asleep on the old one.
export function endTraceWork(words: Int32Array<SharedArrayBuffer>): void {
  Atomics.compareExchange(words, COMMAND, Command.TRACE, Command.RUN);
  Atomics.add(words, TRACE_GENERATION, 1);
  Atomics.add(words, TRACE_STOPPED, 1 << COUNT_BITS);
  Atomics.notify(words, TRACE_GENERATION);
  Atomics.notify(words, TRACE_STOPPED);
}

export function baseOf(vcpu: number): number {
  return HEADER_WORDS + vcpu * VCPU_WORDS;
}
