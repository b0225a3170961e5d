// The source says what it brings, and a place is made for it.
// Does not know how: that is preparation.ts.
import type { MessageOf } from '../../shared/wire/messages.js';
import { outOfTurn } from './control.js';
import { same, type IncomingStep } from './events.js';
import type { IncomingLimits } from './limits.js';
import { refuse } from './outcome.js';
import type { IncomingState, Prepare } from './states.js';
import { GREETED_MS_MAX } from '../../shared/limits.js';

export function onPrepare(limits: IncomingLimits, state: IncomingState, prepare: Prepare): IncomingStep {
  switch (state.name) {
    case 'greeted':
      return {
        state: { name: 'preparing', prepare, arePagesLost: false },
        effects: [
          { kind: 'disarm', timer: 'greeted' },
          { kind: 'prepare', prepare },
        ],
      };
    case 'preparing':
      return { state, effects: state.listening ? [{ kind: 'send', message: state.listening }] : [] };
    case 'receiving':
      return { state, effects: [{ kind: 'send', message: { name: 'PREPARED' } }] };
    default:
      return outOfTurn(limits, state, 'PREPARE');
  }
}

/** Everybody listens whom the source dials. */
export function onListening(
  state: IncomingState,
  pagePorts: readonly number[],
  faultPort: number,
): IncomingStep {
  if (state.name !== 'preparing') return same(state);
  const listening: MessageOf<'LISTENING'> = { name: 'LISTENING', pagePorts, faultPort };
  return { state: { ...state, listening }, effects: [{ kind: 'send', message: listening }] };
}

export function onPrepared(state: IncomingState): IncomingStep {
  if (state.name !== 'preparing') return same(state);
  const { prepare, arePagesLost, unreachable } = state;
  return {
    state: { name: 'receiving', prepare, arePagesLost, unreachable },
    effects: [{ kind: 'send', message: { name: 'PREPARED' } }],
  };
}

/** It was welcome and did not say what it brings. */
export function onSilentSource(state: IncomingState): IncomingStep {
  if (state.name !== 'greeted') return same(state);
  return refuse(state, 'TIMEOUT', `the source did not say what it brings within ${GREETED_MS_MAX / 1000} s`);
}
