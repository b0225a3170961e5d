// A wait for the vCPUs that failed, as an error that a user meets.
import { MicrostunError, type ErrorCode } from '../errors.js';
import type { SafepointControl } from '../memory/safepoint-control.js';
import { VcpuState } from '../memory/safepoint-words.js';
import { SafepointError, type SafepointTrouble } from '../memory/safepoint-error.js';

const CODES: Readonly<Record<SafepointTrouble, ErrorCode>> = {
  exited: 'GUEST_FAILED',
  stuck: 'TIMEOUT',
  'given up': 'CANCELLED',
  interrupted: 'CANCELLED',
};

/** A SafepointError as one of ours; anything else as it is. */
export function guestErrorOf(error: unknown): unknown {
  return error instanceof SafepointError
    ? new MicrostunError(CODES[error.trouble], error.message, { cause: error })
    : error;
}

/**
 * The guest is whole: every vCPU stands between two slices. Asked before a guest is handed over, and before it is taken
 * over.
 * @throws MicrostunError GUEST_FAILED when a vCPU has ended, or is not parked.
 */
export function assertAllParked(
  safepoints: Pick<SafepointControl, 'areAllParked' | 'state' | 'vcpus'>,
  program: string,
): void {
  if (safepoints.areAllParked()) return;
  const states = Array.from({ length: safepoints.vcpus }, (_, vcpu) => safepoints.state(vcpu));
  const vcpu = states.findIndex((state) => state !== VcpuState.PARKED);
  throw new MicrostunError(
    'GUEST_FAILED',
    `vCPU ${vcpu} of guest "${program}" is not parked between two slices, so the guest is not handed over; ` +
      'mend the guest',
  );
}
