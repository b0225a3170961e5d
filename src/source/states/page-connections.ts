// The page and fault connections of an outgoing migration: up, lost, dialled again by whoever dials, or never made.
// No I/O; does not know what they carry.
import { MicrostunError } from '../../shared/errors.js';
import { PAGES_RETRY_MS, UNREACHABLE_MS } from '../../shared/limits.js';
import type { MessageOf } from '../../shared/wire/messages.js';
import { enter, stay, withEffects, type OutgoingEffect, type OutgoingStep } from './effects.js';
import { fail, outOfTurn } from './failure.js';
import type { MigrationPlan } from './plan.js';
import { onPrepared } from './preparing.js';
import { isBeforeHandOver, type OutgoingState } from './states.js';

/**
 * The destination says where it can be dialled; once more, if it was asked to prepare once more. Later it asks to be dialled
 * anew: nothing comes there, on connections that it has given up and that may seem up here.
 */
export function onListening(
  plan: MigrationPlan,
  state: OutgoingState,
  message: MessageOf<'LISTENING'>,
): OutgoingStep {
  const { phase } = state;
  if (plan.dials !== 'source') return outOfTurn(plan, state, message.name);
  if (phase.name !== 'preparing')
    return needsConnections(plan, state) ? { state, effects: [{ kind: 'redial-pages' }] } : stay(state);
  if (phase.listening !== undefined) return stay(state);
  const { pagePorts, faultPort } = message;
  return enter(state, { ...phase, listening: message }, [{ kind: 'dial-pages', pagePorts, faultPort }]);
}

/** All page connections are up, for the first time or again. */
export function onPagesConnected(plan: MigrationPlan, before: OutgoingState): OutgoingStep {
  const state: OutgoingState = { ...before, arePagesLost: false };
  const { phase } = state;
  const up: OutgoingEffect = { kind: 'disarm', timer: 'pages' };
  if (phase.name !== 'preparing') return withEffects([up], stay(state));
  const isReached: OutgoingEffect[] =
    phase.unreachable === undefined ? [] : [{ kind: 'disarm', timer: 'unreachable' }];
  return withEffects(
    [up, ...isReached],
    onPrepared(plan, state, { ...phase, arePagesUp: true, unreachable: undefined }),
  );
}

/**
 * A page connection is lost, or could not be dialled. Before the hand-over there is a limit to that, counted from the
 * first loss: each dial that fails is one more. After it, only the destination can say that pages are lost.
 */
export function onPagesLost(plan: MigrationPlan, state: OutgoingState, error: MicrostunError): OutgoingStep {
  const lost = onFaultsLost(plan, state, error);
  const { phase } = lost.state;
  if (!isBeforeHandOver(phase)) return { ...lost, state: { ...lost.state, arePagesLost: true } };
  const limit: OutgoingEffect[] =
    state.arePagesLost === true ? [] : [{ kind: 'arm', timer: 'pages', ms: plan.pagesLostMs }];
  const after = phase.name === 'preparing' ? { ...phase, arePagesUp: false } : phase;
  return withEffects(limit, enter({ ...lost.state, arePagesLost: true }, after, lost.effects));
}

/** The fault connection is lost, or could not be dialled. */
export function onFaultsLost(plan: MigrationPlan, state: OutgoingState, error: MicrostunError): OutgoingStep {
  if (!needsConnections(plan, state)) return stay(state);
  const { phase } = state;
  const again: OutgoingEffect = { kind: 'arm', timer: 'pages-retry', ms: PAGES_RETRY_MS };
  if (phase.name !== 'preparing' || error.code !== 'CONNECT_FAILED') return enter(state, phase, [again]);
  return enter(
    state,
    { ...phase, unreachable: error },
    phase.unreachable === undefined
      ? [again, { kind: 'arm', timer: 'unreachable', ms: UNREACHABLE_MS }]
      : [again],
  );
}

/** There is a new control connection: what was under way on a fault connection that seems up may be lost. */
export function redialFaults(plan: MigrationPlan, state: OutgoingState): OutgoingEffect[] {
  const isDialled = needsConnections(plan, state) && state.phase.name !== 'preparing';
  return isDialled ? [{ kind: 'redial-faults' }] : [];
}

/** Time to dial again. */
export function onPagesRetry(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  return needsConnections(plan, state) ? { state, effects: [{ kind: 'reconnect-pages' }] } : stay(state);
}

/** Most of all a firewall, or an address that only the destination's own host knows: what its user can mend, at once. */
export function failUnreachable(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  const { phase } = state;
  if (phase.name !== 'preparing' || phase.unreachable === undefined || phase.listening === undefined)
    return stay(state);
  const { pagePorts, faultPort } = phase.listening;
  const ports = [...new Set([...pagePorts, faultPort])].join(', ');
  const error =
    `the source ${phase.unreachable.message}. There the destination listens for it (its --page-listen); a firewall or NAT ` +
    `may be in the way: let the source reach TCP ports ${ports} of the destination, choose others with --page-listen, or ` +
    'have the destination dial (--dial destination)';
  return fail(plan, state, new MicrostunError('CONNECT_FAILED', error, { cause: phase.unreachable }));
}

// Whether the source dials, and has pages that may be asked for.
function needsConnections(plan: MigrationPlan, { phase }: OutgoingState): boolean {
  if (plan.dials !== 'source') return false;
  switch (phase.name) {
    case 'connecting':
    case 'awaiting-audit':
    case 'ended':
      return false;
    case 'pushing':
      return phase.arrived === undefined;
    default:
      return true;
  }
}
