// A wait for the vCPUs that failed, as an error that a user meets.
import { MicrostunError, type ErrorCode } from '../errors.js';
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
