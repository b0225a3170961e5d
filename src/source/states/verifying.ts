// After all pages have arrived: what they were here at the hand-over is told as hashes, and the destination compares.
// No I/O. How pages are hashed, and what is proved by it, is docs/decisions/0032-verify.md.
import type { MessageOf } from '../../shared/wire/messages.js';
import { enter, limitPhase, stay, type OutgoingEffect, type OutgoingStep } from './effects.js';
import { awaitAudit } from './ending.js';
import { outOfTurn } from './failure.js';
import type { MigrationPlan } from './plan.js';
import { isBeforeHandOver, type OutgoingState, type PhaseOf } from './states.js';

/** The destination has every page; `round` brought the last. */
export function onWhole(
  plan: MigrationPlan,
  state: OutgoingState,
  round: number,
  before: readonly OutgoingEffect[],
): OutgoingStep {
  if (!plan.verifies) return awaitAudit(plan, state, before);
  return enter(state, { name: 'verifying', areSent: false, verified: undefined }, [
    ...before,
    { kind: 'hash-pages', round: round + 1 },
    limitPhase(plan.verifyMs),
  ]);
}

/** All hashes are there, by word of every page connection. */
export function onHashesPlaced(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  return state.phase.name === 'verifying'
    ? goOn(plan, state, { ...state.phase, areSent: true })
    : stay(state);
}

export function onVerified(
  plan: MigrationPlan,
  state: OutgoingState,
  verified: MessageOf<'VERIFIED'>,
): OutgoingStep {
  const { phase } = state;
  // It is said again on each new connection.
  if (phase.name === 'awaiting-audit' && plan.verifies) return stay(state);
  if (phase.name !== 'verifying')
    return isBeforeHandOver(phase) || !plan.verifies ? outOfTurn(plan, state, verified.name) : stay(state);
  return goOn(plan, state, { ...phase, verified });
}

// In either order; the bytes of the hashes are known once they are acknowledged.
function goOn(plan: MigrationPlan, state: OutgoingState, phase: PhaseOf<'verifying'>): OutgoingStep {
  if (!phase.areSent || phase.verified === undefined) return enter(state, phase, []);
  return awaitAudit(plan, state, [
    { kind: 'disarm', timer: 'phase' },
    { kind: 'note-verified', message: phase.verified },
  ]);
}
