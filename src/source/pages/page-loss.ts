// What the loss of page connections that were up is called, whatever it was that failed. A leaf.
import { MicrostunError } from '../../shared/errors.js';

/** A dial that fails again is a connection that was lost; only one that never was made says that nobody can be reached. */
export function asLost(error: MicrostunError): MicrostunError {
  return error.code === 'CONNECT_FAILED'
    ? new MicrostunError('CONNECTION_LOST', error.message, { cause: error })
    : error;
}
