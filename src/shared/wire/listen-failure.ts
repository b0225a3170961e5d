// What a worker that listens failed for, as it was: most of them cannot listen.
// Knows errors only.
import { MicrostunError } from '../errors.js';

/** A worker's failure as what it was: most of them cannot listen. */
export function listenFailureOf(error: MicrostunError): MicrostunError {
  const { cause } = error;
  return cause instanceof Error && 'code' in cause && cause.code === 'LISTEN_FAILED'
    ? new MicrostunError('LISTEN_FAILED', cause.message, { cause })
    : error;
}
