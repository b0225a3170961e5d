// The document of a command that ended before there was a migration, or a guest, to report of.
// Pure; whether it is printed is the command line's.
import { messageOf, MicrostunError, type ErrorCode } from '../shared/errors.js';
import { hostName } from '../shared/wire/messages.js';
import { REPORT_VERSION, type FailureReport } from '../report/document.js';

/** What a command that failed with `error` has to say. No guest outlives it. */
export function earlyFailure(error: unknown): FailureReport {
  const code = error instanceof MicrostunError ? error.code : 'BUG';
  return {
    version: REPORT_VERSION,
    outcome: 'failed',
    phase: 'starting',
    error: { code, message: messageOf(error) },
    owner: 'nobody',
    safeNext: safeNextAfter(code),
    source: { pid: process.pid, host: hostName() },
  };
}

function safeNextAfter(code: ErrorCode | 'BUG'): string {
  switch (code) {
    case 'USAGE':
      return 'mend the command line; nothing was started';
    case 'GUEST_FAILED':
      return 'mend the guest; it stopped by itself, and nothing was migrated';
    case 'GUEST_ENDED':
      return 'nothing: the guest ended itself, and nothing was migrated';
    case 'BUG':
      return 'report this; then start the guest anew';
    case 'CANCELLED':
      return 'start the guest anew: it ended with this process';
    default:
      return 'mend what the message names; then start the guest anew: it ended with this process';
  }
}
