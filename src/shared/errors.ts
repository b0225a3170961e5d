// The errors of the world: one base, a code a kind, the cause kept. A message is a sentence that says what to do next.
// Which exit status a code becomes is decided in cli/exit-status.ts alone.

/** Every kind of failure that a user can meet. */
export type ErrorCode =
  /** A flag or a value that makes no sense. */
  | 'USAGE'
  /** A report, a page or a comparison could not be written where it was to go. */
  | 'OUTPUT_FAILED'
  /** An address cannot be listened on. */
  | 'LISTEN_FAILED'
  /** Nobody answers at an address, or the answer took too long. */
  | 'CONNECT_FAILED'
  /** A connection that was up is gone. */
  | 'CONNECTION_LOST'
  /** The peer said something that the protocol does not allow. */
  | 'PROTOCOL'
  /** The peer speaks another version of the protocol. */
  | 'VERSION_MISMATCH'
  /** One side does not trust the other: a key, a certificate or a ticket is missing or another's. */
  | 'UNAUTHORIZED'
  /** The peer declined, and says why. */
  | 'REFUSED'
  /** This host has not enough memory for the guest. */
  | 'INSUFFICIENT_MEMORY'
  /** The guest program threw, or does not exist. */
  | 'GUEST_FAILED'
  /** The guest powered itself off. */
  | 'GUEST_ENDED'
  /** The guest was asked, and does not want to be moved now; it runs on where it was. */
  | 'GUEST_VETOED'
  /** A worker thread ended that should not have. */
  | 'WORKER_FAILED'
  /** A phase took longer than its limit. */
  | 'TIMEOUT'
  /** The user, or the peer's user, cancelled. */
  | 'CANCELLED'
  /** The hand-over was sent and its answer cannot be learned. */
  | 'IN_DOUBT'
  /** Pages were lost with the source after the hand-over. */
  | 'PAGES_LOST'
  /** The audit found lost or torn page writes. */
  | 'AUDIT_FAILED'
  /** Pages are not what the source had at the hand-over. */
  | 'VERIFY_FAILED'
  /** Two measurements of the same thing contradict each other. */
  | 'MEASUREMENT';

/** Base of all errors that this program raises on purpose. */
export class MicrostunError extends Error {
  /** Of the class, for a stack trace. */
  override readonly name: string = 'MicrostunError';
  /** The kind of failure: what a program decides by. */
  readonly code: ErrorCode;

  constructor(code: ErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** The peer broke the protocol: what was wrong, and where. The connection that said it is closed. */
export class ProtocolError extends MicrostunError {
  override readonly name = 'ProtocolError';

  constructor(message: string, options?: ErrorOptions) {
    super('PROTOCOL', message, options);
  }
}

/** The text of anything that was thrown. */
export function messageOf(thrown: unknown): string {
  return thrown instanceof Error ? thrown.message : String(thrown);
}

/** Anything that was thrown as one of ours; foreign errors become `code` and keep their cause. */
export function asMicrostunError(thrown: unknown, code: ErrorCode): MicrostunError {
  return thrown instanceof MicrostunError
    ? thrown
    : new MicrostunError(code, messageOf(thrown), { cause: thrown });
}

/** Fails loudly when one of our own invariants does not hold; stays on in production. */
export function assert(condition: boolean, claim: string): asserts condition {
  if (!condition) throw new Error(`assertion failed: ${claim}`);
}

/** For the default branch of a switch that must be exhaustive. */
export function unreachable(value: never): never {
  throw new Error(`unreachable: ${JSON.stringify(value)}`);
}
