// When the source asks for a sign of life: pure, by where the migration stands.
// The asking is the driver's.
import type { OutgoingState } from './states.js';
import { STUN_QUIET_MS } from '../../shared/limits.js';

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
