// Exit statuses: the one place that maps kinds of failure to them. docs/using.md and --help list them.
import { unreachable, type ErrorCode } from '../shared/errors.js';

/** The exit status for a failure of kind `code`. */
export function exitStatusOf(code: ErrorCode): number {
  switch (code) {
    case 'USAGE':
      return 2;
    case 'LISTEN_FAILED':
    case 'CONNECT_FAILED':
      return 3;
    case 'REFUSED':
    case 'UNAUTHORIZED':
    case 'VERSION_MISMATCH':
    case 'INSUFFICIENT_MEMORY':
      return 4;
    case 'CONNECTION_LOST':
    case 'PROTOCOL':
    case 'TIMEOUT':
    case 'GUEST_FAILED':
    case 'GUEST_ENDED':
    case 'GUEST_VETOED':
    case 'WORKER_FAILED':
      return 5;
    case 'AUDIT_FAILED':
    case 'VERIFY_FAILED':
    case 'MEASUREMENT':
      return 6;
    case 'IN_DOUBT':
      return 7;
    case 'PAGES_LOST':
      return 8;
    case 'OUTPUT_FAILED':
      return 9;
    case 'CANCELLED':
      return 130;
    default:
      return unreachable(code);
  }
}

/** For --help. */
export const exitStatusHelp = `Exit status: 0 migrated (and audited); 1 a bug of microstun; 2 wrong usage; 3 cannot listen or connect;
4 the destination refused, or is not trusted; 5 the migration failed; 6 the audit, a comparison or a measurement
failed; 7 in doubt;
8 pages were lost; 9 all went well, but a report could not be written; 130 cancelled. The report says who owns the guest.`;
