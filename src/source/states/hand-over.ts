// The hand-over: the message that transfers the guest, and its two answers.
// No I/O. From its sending on only a refusal by whom it was handed to brings the guest back; without one, see doubt.ts.
import { isAnswerToHandOver, refusalError } from '../../shared/wire/refusal.js';
import type { MessageOf } from '../../shared/wire/messages.js';
import { askAnew, doubt, doubtError } from './doubt.js';
import { enter, stay, withEffects, type OutgoingEffect, type OutgoingStep } from './effects.js';
import { awaitAudit, end } from './ending.js';
import { fail, outOfTurn } from './failure.js';
import type { MigrationPlan } from './plan.js';
import { PUSH_BEGINS, watchPush } from './pushing.js';
import { isBeforeHandOver, type OutgoingState } from './states.js';

/** PINGs at once when the guest has been resumed: the clocks are compared on both sides of the stun. */
export const CLOCK_SAMPLES_AFTER = 3;

/** The guest is stopped, and all of it that the message brings is taken. */
export function onTaken(
  plan: MigrationPlan,
  state: OutgoingState,
  handOver: MessageOf<'HAND_OVER'>,
): OutgoingStep {
  if (state.phase.name !== 'stopping') return stay(state);
  // Without a connection the message waits for it; the guest stays parked and may still be released until then, but one
  // rule for all of it is simpler: from here on only a refusal releases it.
  return enter(state, { name: 'handing-over', handOver, isInDoubt: false, doubts: 0, failure: undefined }, [
    { kind: 'hand-over', handOver, copiesRest: !handOver.pagesFollow },
    { kind: 'arm', timer: 'phase', ms: plan.answerMs },
    { kind: 'arm', timer: 'doubt', ms: plan.doubtMs },
  ]);
}

/** The destination runs the guest. */
export function onResumed(
  plan: MigrationPlan,
  state: OutgoingState,
  message: MessageOf<'RESUMED'>,
  receivedAt: number,
): OutgoingStep {
  if (state.phase.name !== 'handing-over') return stay(state);
  const { handOver, failure } = state.phase;
  // Who speaks of other vCPUs than it was given says nothing about these: what became of them is in doubt.
  if (message.firstSliceAt.length !== handOver.registers.length) return outOfTurn(plan, state, message.name);
  const noted: OutgoingEffect[] = [
    { kind: 'disarm', timer: 'phase' },
    { kind: 'disarm', timer: 'doubt' },
    { kind: 'note-resumed', message, receivedAt },
  ];
  // Before the push fills the link; a migration that is over has nothing more to ask.
  if (handOver.pagesFollow || plan.audits)
    noted.push(...Array.from({ length: CLOCK_SAMPLES_AFTER }, () => ({ kind: 'ping' }) as const));
  if (!handOver.pagesFollow) return awaitAudit(plan, state, noted);
  if (failure !== undefined)
    return withEffects(noted, end({ ...state, phase: PUSH_BEGINS }, failure, 'destination'));
  const push: OutgoingEffect = { kind: 'push', round: handOver.finalRound };
  return enter(state, PUSH_BEGINS, [...noted, push, watchPush(plan)]);
}

/**
 * A refusal gives back what was handed over only if it comes from the process that it was handed to. Without a welcome
 * before it, it may be another's, started since, whose word says nothing about what the first one did.
 */
export function onRefusal(
  plan: MigrationPlan,
  state: OutgoingState,
  message: MessageOf<'REFUSAL'>,
): OutgoingStep {
  const error = refusalError(message);
  if (!isBeforeHandOver(state.phase) && state.control.name !== 'up') return askAnew(plan, state, error);
  // Whoever does not remember a migration cannot refuse it: it may have taken the guest and forgotten that.
  if (state.phase.name === 'handing-over' && !isAnswerToHandOver(message.code)) {
    const why = 'the destination does not remember this migration and cannot tell its outcome';
    return doubt(plan, state, doubtError(why));
  }
  return fail(plan, state, error, { isRefused: true });
}
