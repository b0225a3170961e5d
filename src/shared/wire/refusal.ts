// What a REFUSAL means to whoever gets it.
// Pure; shared by both sides' state machines.
import { MicrostunError } from '../errors.js';
import { PROTOCOL_VERSION } from './frames.js';
import type { MessageOf, RefusalCode } from './messages.js';

/** The error that a REFUSAL stands for. */
export function refusalError({ code, reason, version }: MessageOf<'REFUSAL'>): MicrostunError {
  if (code === 'VERSION_MISMATCH') return new MicrostunError('VERSION_MISMATCH', versionComplaint(version));
  if (code === 'INSUFFICIENT_MEMORY') return new MicrostunError('INSUFFICIENT_MEMORY', reason);
  if (code === 'UNAUTHORIZED')
    return new MicrostunError('UNAUTHORIZED', `the destination refused: ${reason}`);
  // The destination cannot reach the source: its sentence says all that there is to do.
  if (code === 'CONNECT_FAILED') return new MicrostunError('CONNECT_FAILED', reason);
  return new MicrostunError('REFUSED', `the destination refused: ${reason}`);
}

/**
 * Whether a REFUSAL with `code` says what became of a hand-over. One that knows of no such migration says nothing about
 * it: it may have taken the guest over, and forgotten that.
 */
export function isAnswerToHandOver(code: RefusalCode): boolean {
  return code !== 'UNKNOWN_MIGRATION' && code !== 'BUSY' && code !== 'UNAUTHORIZED';
}

export function versionComplaint(offered: number): string {
  return `the peer speaks protocol version ${offered}, this is version ${PROTOCOL_VERSION}; run the same microstun on both hosts`;
}
