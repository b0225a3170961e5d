// The guest's say before it is stopped: it is asked, waited for as long as it may take, and heard.
// No I/O. While it takes its time the rounds go on, which copying.ts does; docs/decisions/0037-a-guest-has-a-say.md.
import { MicrostunError } from '../../shared/errors.js';
import { enter, limitPhase, stay, type OutgoingEffect, type OutgoingStep } from './effects.js';
import type { EventOf } from './events.js';
import { fail } from './failure.js';
import type { MigrationPlan } from './plan.js';
import { isBeforeHandOver, type HeldRounds, type NoticeOutcome, type OutgoingState } from './states.js';
import { beginStop, type StopHow } from './stopping.js';

/** So many rounds at the most are begun for the sake of a guest that takes its time: its time is cut into as many pauses. */
export const NOTICE_ROUNDS_MAX = 20;

/** A guest that asks for less is asked again after this: a question and its answer take about as long. */
const DELAY_MS_MIN = 1;

/** The guest would be stopped now: if it has a say it is asked first, once in a migration until that is settled. */
export function askOrStop(
  plan: MigrationPlan,
  state: OutgoingState,
  how: StopHow,
  rounds: HeldRounds | undefined,
  before: readonly OutgoingEffect[],
): OutgoingStep {
  if (plan.noticeMs === 0 || state.notice?.name === 'settled') return beginStop(plan, state, how, before);
  const asks: readonly OutgoingEffect[] =
    state.notice === undefined
      ? [
          // The time is the guest's now, and none of the rounds': one that is throttled would hardly become ready in it.
          ...((rounds?.soFar.throttledShare ?? 0) > 0 ? [{ kind: 'throttle', share: 0 } as const] : []),
          { kind: 'disarm', timer: 'time-limit' },
          { kind: 'arm', timer: 'notice-limit', ms: plan.noticeMs },
          { kind: 'ask-guest', question: 1 },
        ]
      : [];
  const pause: OutgoingEffect =
    rounds === undefined ? { kind: 'disarm', timer: 'phase' } : limitPhase(plan.noticeMs / NOTICE_ROUNDS_MAX);
  const notice = state.notice ?? { name: 'asked', question: 1 };
  return enter({ ...state, notice }, { name: 'notifying', how, rounds }, [...before, ...asks, pause]);
}

/** An answer of the guest; to a question that does not stand any more it is none. */
export function onGuestAnswered(
  plan: MigrationPlan,
  state: OutgoingState,
  { question, answer }: EventOf<'guest-answered'>,
): OutgoingStep {
  const { notice } = state;
  if (notice?.name !== 'asked' || notice.question !== question || !isBeforeHandOver(state.phase))
    return stay(state);
  switch (answer.kind) {
    case 'ready':
    case 'paused':
      return settle(plan, state, answer.kind, []);
    case 'delay':
      return {
        state: { ...state, notice: { name: 'delayed', question } },
        effects: [{ kind: 'arm', timer: 'notice', ms: Math.max(DELAY_MS_MIN, answer.delayMs) }],
      };
    case 'veto':
      return fail(plan, state, vetoError(answer.reason));
  }
}

function vetoError(reason: string): MicrostunError {
  const why = reason === '' ? ', and gives no reason' : `: ${reason}`;
  return new MicrostunError('GUEST_VETOED', `the guest does not want to be moved now${why}`);
}

/** The guest has had the moment that it wanted. */
export function onNoticeDelayOver(state: OutgoingState): OutgoingStep {
  if (state.notice?.name !== 'delayed') return stay(state);
  const question = state.notice.question + 1;
  return {
    state: { ...state, notice: { name: 'asked', question } },
    effects: [{ kind: 'ask-guest', question }],
  };
}

/** All of its time is over. */
export function onNoticeLimit(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  if (state.notice === undefined || state.notice.name === 'settled' || !isBeforeHandOver(state.phase))
    return stay(state);
  const text =
    `the guest was asked for ${plan.noticeMs / 1000} s (--guest-notice) and has not said that it is ready; ` +
    'it is moved without its consent';
  return settle(plan, state, 'time over', [{ kind: 'withdraw-question' }, { kind: 'warn', text }]);
}

// From now on it is stopped as soon as the rounds say so, which is decided anew: what is dirty has changed meanwhile.
function settle(
  plan: MigrationPlan,
  before: OutgoingState,
  outcome: NoticeOutcome,
  first: readonly OutgoingEffect[],
): OutgoingStep {
  const state: OutgoingState = { ...before, notice: { name: 'settled' } };
  const { phase } = state;
  const noted: readonly OutgoingEffect[] = [
    ...first,
    { kind: 'disarm', timer: 'notice' },
    { kind: 'disarm', timer: 'notice-limit' },
    { kind: 'note-notice', outcome },
  ];
  if (phase.name === 'notifying' && phase.rounds === undefined)
    return beginStop(plan, state, phase.how, noted);
  const timed: readonly OutgoingEffect[] = [
    ...noted,
    { kind: 'arm', timer: 'time-limit', ms: plan.timeLimitMs },
  ];
  return phase.name === 'notifying' && phase.rounds !== undefined
    ? harvestAnew(plan, state, phase.rounds, timed)
    : { state, effects: timed };
}

/** What the last harvest took is not copied yet, and stays dirty with what has come since. */
export function harvestAnew(
  plan: MigrationPlan,
  state: OutgoingState,
  { soFar, dirtyPages }: HeldRounds,
  before: readonly OutgoingEffect[],
): OutgoingStep {
  return enter(state, { name: 'harvesting', soFar, keptPages: dirtyPages }, [
    ...before,
    { kind: 'harvest', keepsRest: true },
    limitPhase(plan.phases.harvestMs),
  ]);
}
