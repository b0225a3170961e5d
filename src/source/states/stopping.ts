// The stop: what is left is announced, and the guest is parked and handed over.
// No I/O; why the guest is stopped, and whether it was asked, is decided elsewhere.
import { enter, limitPhase, type OutgoingEffect, type OutgoingStep } from './effects.js';
import type { MigrationPlan } from './plan.js';
import type { Stop } from './rounds.js';
import type { OutgoingState } from './states.js';

/** How the guest is stopped, and the round that brings what is left then. */
export interface StopHow {
  readonly round: number;
  readonly stop: Stop;
}

/**
 * The guest is to stop, and `round` brings what is left. What the last harvest took belongs to the last pages: it was
 * taken and is not copied yet.
 */
export function beginStop(
  plan: MigrationPlan,
  state: OutgoingState,
  { round, stop }: StopHow,
  before: readonly OutgoingEffect[],
): OutgoingStep {
  return enter(state, { name: 'stopping', asks: 0 }, [
    ...before,
    { kind: 'disarm', timer: 'time-limit' },
    { kind: 'switch-over', round, ...stop },
    limitPhase(plan.answerMs),
  ]);
}
