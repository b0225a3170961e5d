// The hand-over: the message that transfers the guest, and its two answers.
// No I/O. From its sending on only a refusal by whom it was handed to brings the guest back; without one, see doubt.ts.
import { isAnswerToHandOver, refusalError } from '../../shared/wire/refusal.js';
import type { MessageOf } from '../../shared/wire/messages.js';
import { askAnew, doubt, doubtError } from './doubt.js';
import { enter, stay, withEffects, type OutgoingEffect, type OutgoingStep } from './effects.js';
import { end } from './ending.js';
import { fail, outOfTurn } from './failure.js';
import type { MigrationPlan } from './plan.js';
import { pushBegins, watchPush } from './pushing.js';
import { onWhole } from './verifying.js';
import { isBeforeHandOver, type HandedOver, type OutgoingState, type PhaseOf } from './states.js';

/** PINGs at once when the guest has been resumed: the clocks are compared on both sides of the stun. */
export const CLOCK_SAMPLES_AFTER = 3;

/** The guest is stopped, and HAND_OVER sent. From here on only a refusal releases it. */
export function onHandedOver(plan: MigrationPlan, state: OutgoingState, handOver: HandedOver): OutgoingStep {
  if (state.phase.name !== 'stopping') return stay(state);
  const rest: OutgoingEffect[] = handOver.pagesFollow ? [] : [{ kind: 'copy-rest', round: handOver.round }];
  return enter(state, { name: 'handing-over', handOver, isInDoubt: false, doubts: 0, failure: undefined }, [
    ...rest,
    { kind: 'arm', timer: 'phase', ms: plan.answerMs },
    { kind: 'arm', timer: 'doubt', ms: plan.doubtMs },
  ]);
}

/**
 * The destination runs the guest, and has said so on the fault connection: the push begins. How the guest began to run
 * there comes with RESUMED. A pre-copy has nothing to do until then.
 */
export function onTakenOver(plan: MigrationPlan, state: OutgoingState, receivedAt: number): OutgoingStep {
  if (state.phase.name !== 'handing-over') return stay(state);
  const noted: OutgoingEffect[] = [{ kind: 'note-taken-over', receivedAt }];
  return state.phase.handOver.pagesFollow
    ? beginPush(plan, state, state.phase, false, noted)
    : { state: { ...state, phase: { ...state.phase, isTakenOver: true } }, effects: noted };
}

/** The destination runs the guest. */
export function onResumed(
  plan: MigrationPlan,
  state: OutgoingState,
  message: MessageOf<'RESUMED'>,
  receivedAt: number,
): OutgoingStep {
  const { phase } = state;
  const isPushing = phase.name === 'pushing' && !phase.isResumed;
  if (phase.name !== 'handing-over' && !isPushing) return stay(state);
  // Who speaks of other vCPUs than it was given says nothing about these: what became of them is in doubt.
  const vcpus = phase.name === 'handing-over' ? phase.handOver.vcpus : phase.vcpus;
  if (message.firstSliceAt.length !== vcpus) return outOfTurn(plan, state, message.name);
  const noted: OutgoingEffect[] = [{ kind: 'note-resumed', message, receivedAt }];
  if (phase.name === 'pushing') return enter(state, { ...phase, isResumed: true }, noted);
  if (phase.handOver.pagesFollow) return beginPush(plan, state, phase, true, noted);
  // A migration that is over has nothing more to ask.
  const pings = plan.audits || plan.verifies ? PINGS : [];
  return onWhole(plan, state, phase.handOver.round, [...ANSWERED, ...noted, ...pings]);
}

const PINGS: readonly OutgoingEffect[] = Array.from({ length: CLOCK_SAMPLES_AFTER }, () => ({
  kind: 'ping',
}));

const ANSWERED: readonly OutgoingEffect[] = [
  { kind: 'disarm', timer: 'phase' },
  { kind: 'disarm', timer: 'doubt' },
];

function beginPush(
  plan: MigrationPlan,
  state: OutgoingState,
  { handOver, failure }: PhaseOf<'handing-over'>,
  isResumed: boolean,
  noted: readonly OutgoingEffect[],
): OutgoingStep {
  const phase = pushBegins(handOver, isResumed);
  const known = [...ANSWERED, ...noted];
  if (failure !== undefined) return withEffects(known, end({ ...state, phase }, failure, 'destination'));
  const push: OutgoingEffect = { kind: 'push', round: handOver.round };
  // First of all: vCPUs there may wait for these pages. The clocks are compared before they fill the link.
  return enter(state, phase, [push, ...PINGS, ...known, watchPush(plan)]);
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
