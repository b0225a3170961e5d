// What a failure, a cancel or a word out of turn means, by who owns the guest at that moment.
// No I/O. Before the hand-over every failure leaves the guest running here; after it, only a refusal brings it back.
import { MicrostunError } from '../../shared/errors.js';
import { cancelOf, type MessageName, type MessageOf } from '../../shared/wire/messages.js';
import { doubt, doubtError } from './doubt.js';
import { enter, withEffects, type OutgoingEffect, type OutgoingStep } from './effects.js';
import { end } from './ending.js';
import type { Helper } from './events.js';
import type { MigrationPlan } from './plan.js';
import { onPushed } from './pushing.js';
import { isBeforeHandOver, type OutgoingState } from './states.js';

/** The migration cannot go on. `isRefused`: the destination that was handed the guest gives it back. */
export function fail(
  plan: MigrationPlan,
  state: OutgoingState,
  error: MicrostunError,
  { isRefused = false } = {},
): OutgoingStep {
  const { phase } = state;
  // Who has said that it runs the guest cannot give it back.
  const isTakenOver = phase.name === 'handing-over' && phase.isTakenOver === true;
  if (isTakenOver && isRefused) return end(state, error, 'destination');
  if (isBeforeHandOver(phase) || (phase.name === 'handing-over' && isRefused)) {
    const farewell: OutgoingEffect[] =
      isRefused || state.control.name !== 'up' ? [] : [{ kind: 'send', message: cancelOf(error) }];
    return withEffects([...farewell, { kind: 'release-guest' }], end(state, error, 'source'));
  }
  // What the destination says wrongly, or that it cannot go on, is no refusal.
  if (phase.name === 'handing-over') return doubt(plan, state, doubtError(error.message));
  return end(state, error, 'destination');
}

/** The destination breaks the protocol. */
export function outOfTurn(plan: MigrationPlan, state: OutgoingState, name: MessageName): OutgoingStep {
  const error = `the destination sent ${name} while the migration was ${state.phase.name}`;
  return fail(plan, state, new MicrostunError('PROTOCOL', error));
}

/** Something here failed. It may not be needed any more: then it is no failure. */
export function onFailed(
  plan: MigrationPlan,
  state: OutgoingState,
  error: MicrostunError,
  who?: Helper,
): OutgoingStep {
  const { phase } = state;
  if (isBeforeHandOver(phase)) return fail(plan, state, error);
  const warned: OutgoingEffect[] = [{ kind: 'warn', text: `${error.message}; it is not needed any more` }];
  // The guest is stopped for good here.
  if (who === 'guest' || phase.name === 'awaiting-audit') return { state, effects: warned };
  if (phase.name === 'handing-over') {
    // It cannot take the hand-over back, nor say it again: the destination is asked to refuse it, and its answer decides.
    const asks: OutgoingEffect[] =
      state.control.name === 'up' ? [{ kind: 'send', message: cancelOf(error) }] : [];
    return enter(state, { ...phase, failure: error }, [{ kind: 'warn', text: error.message }, ...asks]);
  }
  if (phase.name === 'pushing' && phase.arrived !== undefined && !plan.verifies)
    return withEffects(warned, onPushed(plan, state, { ...phase, isPushed: true }));
  return end(state, error, 'destination');
}

/** The user cancels. */
export function onCancel(plan: MigrationPlan, state: OutgoingState, reason: string): OutgoingStep {
  const { phase } = state;
  if (isBeforeHandOver(phase))
    return fail(plan, state, new MicrostunError('CANCELLED', `cancelled: ${reason}`));
  // Whoever has heard of the doubt, or that nothing moves, and ends it nevertheless has decided.
  if (phase.name === 'handing-over' && phase.isInDoubt)
    return end(
      state,
      doubtError(`ended by ${reason} before the answer to the hand-over was learned`),
      'in doubt',
    );
  if (phase.name === 'pushing' && phase.stills > 0)
    return end(
      state,
      new MicrostunError('CANCELLED', `ended by ${reason} before all pages had left`),
      'destination',
    );
  const why =
    phase.name === 'handing-over'
      ? 'the hand-over is on its way: only the destination can still refuse it'
      : 'the destination owns the guest already';
  return { state, effects: [{ kind: 'decline-cancel', reason: why }] };
}

/** The destination cannot go on with a guest that it took over. That is no refusal: the guest has run there. */
export function onCancelled(
  plan: MigrationPlan,
  state: OutgoingState,
  { code, reason }: MessageOf<'CANCEL'>,
): OutgoingStep {
  const error = new MicrostunError(code, `the destination cancelled: ${reason}`);
  return state.phase.name === 'pushing' ||
    state.phase.name === 'verifying' ||
    state.phase.name === 'awaiting-audit'
    ? end(state, error, 'lost')
    : fail(plan, state, error);
}
