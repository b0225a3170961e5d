// The page and fault connections of an incoming migration: lost, dialled again, or never made.
// Does not know what they carry.
import type { MicrostunError } from '../../shared/errors.js';
import { same, type IncomingEffect, type IncomingStep } from './events.js';
import type { IncomingLimits } from './limits.js';
import { refuse } from './outcome.js';
import type { IncomingState } from './states.js';
import { UNREACHABLE_MS } from '../../shared/limits.js';

/**
 * Lost page and fault connections are dialled again; before the hand-over there is a limit to that, counted from the
 * first loss: each dial that fails is one more. After it, the vCPUs that need a page wait, and only a source that is
 * gone for good (see 'farewell') ends it.
 */
export function onPagesLost(
  limits: IncomingLimits,
  state: IncomingState,
  error: MicrostunError,
): IncomingStep {
  if (state.name === 'ended' || state.name === 'greeted') return same(state);
  const effects: IncomingEffect[] = [{ kind: 'arm', timer: 'retry', ms: limits.retryMs }];
  let after = state;
  if (error.code === 'CONNECT_FAILED' && (state.name === 'preparing' || state.name === 'receiving')) {
    if (state.unreachable === undefined)
      effects.push({ kind: 'arm', timer: 'unreachable', ms: UNREACHABLE_MS });
    after = { ...state, unreachable: error };
  }
  if ('arePagesLost' in after && !after.arePagesLost) {
    after = { ...after, arePagesLost: true };
    effects.push({ kind: 'arm', timer: 'pages', ms: limits.pagesLostMs });
  }
  return { state: after, effects };
}

export function onPagesConnected(state: IncomingState): IncomingStep {
  const connected = 'arePagesLost' in state ? { ...state, arePagesLost: false } : state;
  const isReached = (state.name === 'preparing' || state.name === 'receiving') && state.unreachable;
  return {
    state: 'unreachable' in connected ? { ...connected, unreachable: undefined } : connected,
    effects: [
      { kind: 'disarm', timer: 'pages' },
      ...(isReached ? [{ kind: 'disarm', timer: 'unreachable' } as const] : []),
    ],
  };
}

/** Most of all a firewall, or an address that only the source's own host knows: what its user can mend, at once. */
export function refuseUnreachable(state: IncomingState): IncomingStep {
  if ((state.name !== 'preparing' && state.name !== 'receiving') || state.unreachable === undefined)
    return same(state);
  const { pagePorts, faultPort } = state.prepare;
  const ports = [...new Set([...pagePorts, faultPort])].join(', ');
  return refuse(
    state,
    'CONNECT_FAILED',
    `the destination ${state.unreachable.message}. There the source listens for it (its --listen); a firewall or NAT ` +
      `may be in the way: let the destination reach TCP ports ${ports} of the source, choose others with --listen, or have ` +
      'the source dial (--dial source)',
  );
}

/** They were lost before the hand-over, and there are no new ones. */
export function refuseLost(state: IncomingState): IncomingStep {
  const why =
    'prepare' in state && state.prepare.dials === 'source'
      ? 'the source made no new ones'
      : 'the source cannot be reached for new ones';
  return refuse(state, 'CONNECTION_LOST', `the page connections were lost and ${why}`);
}

/** The source is to dial, and there is nowhere to. */
export function refuseDeaf(state: IncomingState, { message }: MicrostunError): IncomingStep {
  return refuse(state, 'CONNECT_FAILED', `the destination cannot be dialled for pages: ${message}`);
}
