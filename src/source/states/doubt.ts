// The hand-over is on its way and its answer is not known: asks again, says so, and guesses nothing (DESIGN: one owner).
// No I/O; what an answer is that comes is hand-over.ts's business.
import { MicrostunError } from '../../shared/errors.js';
import { lostControl, pausedControl } from './control.js';
import { enter, stay, withEffects, type OutgoingEffect, type OutgoingStep } from './effects.js';
import { end } from './ending.js';
import type { MigrationPlan } from './plan.js';
import type { OutgoingState, Phase } from './states.js';

/** What the user is told, who alone can look at the destination. */
export function doubtError(why: string): MicrostunError {
  return new MicrostunError(
    'IN_DOUBT',
    `${why}. The guest stands still here, with all of its memory. Look at the destination: if it runs the guest, end this source; the guest must not run at both`,
  );
}

/** Hangs up, and asks on a new connection. */
export function askAnew(plan: MigrationPlan, state: OutgoingState, why: MicrostunError): OutgoingStep {
  const { control, effects } = lostControl(plan.control, state.control, why);
  return { state: { ...state, control }, effects: [{ kind: 'hang-up' }, ...effects] };
}

/** No answer to the hand-over within its time. */
export function onNoAnswer(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  const again: OutgoingEffect = { kind: 'arm', timer: 'phase', ms: plan.answerMs };
  // A dial under way ends by itself; of two, the later one would take the earlier one's place.
  if (state.control.name === 'dialling' || state.control.name === 'waiting')
    return { state, effects: [again] };
  // No answer on a connection that seems up: ask again on a new one.
  return withEffects(
    [again],
    askAnew(plan, state, new MicrostunError('TIMEOUT', 'no answer to the hand-over')),
  );
}

/** The doubt has lasted `doubtMs` once more. */
export function onDoubt(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  if (state.phase.name !== 'handing-over') return stay(state);
  const error = doubtError('the answer to the hand-over cannot be learned');
  const again: OutgoingEffect = { kind: 'arm', timer: 'doubt', ms: plan.doubtMs };
  const { isInDoubt } = state.phase;
  const doubts = state.phase.doubts + 1;
  const phase: Phase = { ...state.phase, isInDoubt: true, doubts };
  if (!isInDoubt) return enter(state, phase, [{ kind: 'report-doubt', error }, again]);
  // A destination that is there may be placing the last pages: it is asked for much longer.
  const isPatient = state.control.name === 'up' && doubts < plan.phases.doubtsMax;
  if (plan.endsInDoubt && !isPatient) return end({ ...state, phase }, error, 'in doubt');
  return enter(state, phase, [again]);
}

/**
 * What the destination says is no answer, and asking at once would hardly get another: asks on after a pause, unless told
 * to end in doubt.
 */
export function doubt(plan: MigrationPlan, state: OutgoingState, error: MicrostunError): OutgoingStep {
  if (state.phase.name !== 'handing-over') return stay(state);
  if (plan.endsInDoubt) return end(state, error, 'in doubt');
  const report: OutgoingEffect[] = state.phase.isInDoubt ? [] : [{ kind: 'report-doubt', error }];
  const { control, effects } = pausedControl(state.control, error, plan.phases.noAnswerMs);
  return {
    state: { ...state, control, phase: { ...state.phase, isInDoubt: true } },
    effects: [...report, { kind: 'hang-up' }, ...effects],
  };
}
