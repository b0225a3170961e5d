// Why a wait for the vCPUs ended without what it waited for.
// Knows the words of safepoints; what is then done about it is others' business.
import { baseOf, FAULT_PAGE, NO_FAULT, STATE, VcpuState, vcpusOf } from './safepoint-words.js';

/**
 * `exited`: the vCPU's worker has ended; `stuck`: it reached no safepoint within the limit; `given up`: whoever waited
 * was told to stop waiting; `interrupted`: another command ended the trace work.
 */
export type SafepointTrouble = 'exited' | 'stuck' | 'given up' | 'interrupted';

/** A grace period, a park or trace work that did not come about. */
export class SafepointError extends Error {
  override readonly name = 'SafepointError';
  readonly trouble: SafepointTrouble;
  /** The vCPU that it failed on, if it is one's doing; after the last comes the device thread. */
  readonly vcpu: number | undefined;

  constructor(trouble: SafepointTrouble, message: string, vcpu?: number) {
    super(message);
    this.trouble = trouble;
    this.vcpu = vcpu;
  }
}

/** A vCPU that is waited for has ended. */
export function exitedError(words: Int32Array<SharedArrayBuffer>, participant: number): SafepointError {
  return new SafepointError(
    'exited',
    `${nameOf(words, participant)} has ended in the middle of its slice`,
    participant,
  );
}

function nameOf(words: Int32Array<SharedArrayBuffer>, participant: number): string {
  return participant < vcpusOf(words) ? `vCPU ${participant}` : 'the device thread';
}

/** Trace work was not done. */
export function interruptedError(): SafepointError {
  return new SafepointError('interrupted', 'trace work was ended by another command');
}

/** What a vCPU can wait for inside of a slice. */
const AWAITED = {
  page: 'waited for a page',
  room: 'waited for memory of its host, which has none to spare,',
} as const;

/** A vCPU, or one of them, has come to no safepoint for `sliceMsMax`. */
export function stuckError(
  words: Int32Array<SharedArrayBuffer>,
  participant: number | undefined,
  sliceMsMax: number,
): SafepointError {
  const who = participant === undefined ? 'the vCPUs have' : `${nameOf(words, participant)} has`;
  const awaited = participant === undefined ? undefined : awaitedBy(words, participant);
  const where = awaited === undefined ? 'been in one slice' : AWAITED[awaited];
  const remedy =
    awaited === 'room'
      ? 'free memory on this host, or end the guest'
      : 'end the loop in its runSlice, or end the guest';
  return new SafepointError(
    'stuck',
    `${who} ${where} for ${sliceMsMax / 1000} s; the guest cannot be stopped or moved before its slice ` +
      `returns: ${remedy}`,
    participant,
  );
}

// A page that is still on the source, or memory of the host, as far as it waits inside of its slice.
function awaitedBy(
  words: Int32Array<SharedArrayBuffer>,
  participant: number,
): keyof typeof AWAITED | undefined {
  const base = baseOf(participant);
  if (Atomics.load(words, base + STATE) !== VcpuState.FAULTING) return undefined;
  return Atomics.load(words, base + FAULT_PAGE) === NO_FAULT ? 'room' : 'page';
}
