// The control connection of an incoming migration: up, up again, lost, said farewell on, or misused.
// Does not know what carries it.
import type { MessageName } from '../../shared/wire/messages.js';
import { same, type IncomingEffect, type IncomingStep } from './events.js';
import { awaitFarewell, isMissed, toldToEnd, waitAnew } from './lacking.js';
import type { IncomingLimits } from './limits.js';
import { end, lastWords, refuse, sayAgain } from './outcome.js';
import { isHandedOver, mayRefuse, type IncomingState } from './states.js';
import { isVerifying } from './verifying.js';
import { GREETED_MS_MAX } from '../../shared/limits.js';

/**
 * A control connection for this migration is up, for the first time or again: everything that was answered is said
 * once more, because the answer may have been lost with the old connection.
 */
export function onAttached(limits: IncomingLimits, state: IncomingState): IncomingStep {
  const disarm: IncomingEffect[] = [
    { kind: 'disarm', timer: 'control' },
    { kind: 'disarm', timer: 'farewell' },
  ];
  if (state.name === 'greeted' && !state.isAwaited)
    return {
      state: { ...state, isAwaited: true },
      effects: [...disarm, { kind: 'arm', timer: 'greeted', ms: GREETED_MS_MAX }],
    };
  // Its source may wait for an answer to a hand-over that was lost with a fault connection which seems up.
  // And a guest may wait for pages on one. A source that dials knows that it is here anew.
  const isOurs = 'prepare' in state && state.prepare.dials === 'destination';
  const isLacking = 'pages' in state && state.pages.name === 'lacking';
  const redial: IncomingEffect[] =
    isOurs && (isLacking || state.name === 'receiving') ? [{ kind: 'redial-faults' }] : [];
  if (state.name === 'receiving') {
    const comebacks = (state.comebacks ?? 0) + 1;
    // Each time it has as long anew to bring a page.
    if (comebacks > limits.phases.comebacksMax)
      return refuse(state, 'TIMEOUT', `the source came back ${comebacks} times and sent no page in between`);
    return { state: { ...state, comebacks }, effects: [...disarm, ...redial] };
  }
  if (state.name === 'running' || state.name === 'auditing' || state.name === 'told') {
    const isBack: IncomingEffect[] = isMissed(state) ? [{ kind: 'report-source', isAway: false }] : [];
    return { state: waitAnew(state), effects: [...disarm, ...isBack, ...redial, ...sayAgain(state.answers)] };
  }
  if (state.name === 'resuming') return { state, effects: [...disarm, ...redial] };
  return state.name === 'ended' ? { state, effects: lastWords(state) } : { state, effects: disarm };
}

export function onControlLost(limits: IncomingLimits, state: IncomingState): IncomingStep {
  if (state.name === 'ended') return same(state);
  const timer: IncomingEffect = isHandedOver(state)
    ? awaitFarewell(limits)
    : { kind: 'arm', timer: 'control', ms: limits.controlLostMs };
  return { state, effects: [timer] };
}

/** It stayed away: the limit of an absence before the hand-over. */
export function onControlGone(limits: IncomingLimits, state: IncomingState): IncomingStep {
  // If its message was here by then, it is missed after the hand-over as well.
  return isHandedOver(state)
    ? { state, effects: [awaitFarewell(limits)] }
    : refuse(state, 'TIMEOUT', 'the source went away before the hand-over and did not come back');
}

export function onFarewell(limits: IncomingLimits, state: IncomingState): IncomingStep {
  if (
    state.name === 'told' ||
    (state.name === 'running' && state.pages.name === 'whole' && !state.prepare.audits && !isVerifying(state))
  ) {
    return end(state, { kind: 'running', isSourceGone: false });
  }
  return outOfTurn(limits, toldToEnd(state), 'FAREWELL');
}

export function outOfTurn(limits: IncomingLimits, state: IncomingState, name: MessageName): IncomingStep {
  if (mayRefuse(state))
    return refuse(state, 'PROTOCOL', `the source sent ${name} while the destination was ${state.name}`);
  const hangUp: IncomingEffect = { kind: 'hang-up' };
  // Whoever hangs up is not told of the loss.
  return { state, effects: isHandedOver(state) ? [hangUp, awaitFarewell(limits)] : [hangUp] };
}
