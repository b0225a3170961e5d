// When the source asks for a sign of life: pure, by where the migration stands.
// The asking is the driver's.
import type { OutgoingState } from './states.js';

/** So long after the stop nothing but the hand-over is sent; less than a peer may go without a sign of life. */
export const STUN_QUIET_MS = 2000;

/** Whether a sign of life is asked for now: never within a stun, but for one that lasts so long that it has to be. */
export function wantsHeartbeat({ control, phase }: OutgoingState, sinceStopMs: number): boolean {
  if (control.name !== 'up') return false;
  switch (phase.name) {
    // It sends PINGs of its own.
    case 'measuring-clock':
      return false;
    case 'stopping':
    case 'handing-over':
      return sinceStopMs > STUN_QUIET_MS;
    default:
      return true;
  }
}
