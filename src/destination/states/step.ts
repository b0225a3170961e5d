// The destination's state machine for one migration: one exhaustive step over data, no I/O. docs/protocol.md has the
// table. Sockets, workers and the machine are the driver's (incoming.ts).
import { unreachable } from '../../shared/errors.js';
import type { CancelCode, Message, RefusalCode } from '../../shared/wire/messages.js';
import { onAuditDue, onAudited } from './audit.js';
import { onAttached, onControlGone, onControlLost, onFarewell, outOfTurn } from './control.js';
import { same, type IncomingEvent, type IncomingStep, type TimerName } from './events.js';
import { onPlacing, onResumed, onTakenOver } from './hand-over.js';
import {
  awaitFarewell,
  endWithoutPages,
  onAllArrived,
  onSettled,
  onSourceGone,
  toldToEnd,
  waitAnew,
} from './lacking.js';
import type { IncomingLimits } from './limits.js';
import { failRunning, refusalCodeOf, refuse } from './outcome.js';
import {
  onPagesConnected,
  onPagesLost,
  refuseDeaf,
  refuseLost,
  refuseUnreachable,
} from './page-connections.js';
import { arePagesMoving, onPhaseTimeout, timePhase } from './phase-time.js';
import { onListening, onPrepare, onPrepared, onSilentSource } from './preparing.js';
import { onVerified } from './verifying.js';
import { isHandedOver, isWhole, mayRefuse, type IncomingState } from './states.js';

export function beginIncoming(): IncomingState {
  return { name: 'greeted', isAwaited: false };
}

/** The next phase and what to do; an event that means nothing in a phase changes nothing. */
export function stepIncoming(
  limits: IncomingLimits,
  state: IncomingState,
  event: IncomingEvent,
): IncomingStep {
  const step = react(limits, state, event);
  const timing = timePhase(limits.phases, state, step.state, event);
  // Last: the answers go first.
  return timing === undefined ? step : { state: step.state, effects: [...step.effects, timing] };
}

function react(limits: IncomingLimits, state: IncomingState, event: IncomingEvent): IncomingStep {
  switch (event.kind) {
    case 'attached':
      return onAttached(limits, state);
    case 'control-lost':
      return onControlLost(limits, state);
    case 'received':
      return onMessage(limits, state, event.message);
    case 'listening':
      return onListening(state, event.pagePorts, event.faultPort);
    case 'prepared':
      return onPrepared(state);
    case 'declined':
      return mayRefuse(state) ? refuse(state, event.code, event.error) : failRunning(state, event.error);
    case 'pages-lost':
      return onPagesLost(limits, state, event.error);
    case 'round-placed':
    case 'pages-moved':
      // Signs of life; phase-time.ts.
      return same(state.name === 'receiving' && arePagesMoving(event) ? { ...state, comebacks: 0 } : state);
    case 'pages-connected':
      return onPagesConnected(state);
    case 'all-arrived':
      return onAllArrived(state);
    case 'settled':
      return onSettled(state, event.settledAt, event.fetchedPages, event.faults);
    case 'placing':
      return onPlacing(limits, state);
    case 'taken-over':
      return onTakenOver(state, event.facts);
    case 'out-of-turn':
      return refuse(state, 'PROTOCOL', event.error);
    case 'resumed':
      return onResumed(state, event.answer);
    case 'verified':
      return onVerified(state, event.answer);
    case 'audited':
      return onAudited(state, event.answer);
    case 'sampled':
      // Never before RESUMED, and nothing of what the guest does for its audit.
      if (state.name !== 'running') return same(state);
      return {
        state,
        effects: [{ kind: 'send', message: { name: 'SAMPLES', samples: event.samples } }],
      };
    case 'timer':
      return onTimer(limits, state, event.timer);
    case 'source-heard':
      // Only its control connection is silent: a source that sends pages is there.
      return isHandedOver(state) ? { state: waitAnew(state), effects: [awaitFarewell(limits)] } : same(state);
    case 'cancel':
      return mayRefuse(state) ? refuse(state, 'CANCELLED', event.reason) : endWithoutPages(state);
    case 'make-way':
      return refuse(state, 'CANCELLED', 'its source went away, and another migration took its place');
    case 'failed':
      return mayRefuse(state)
        ? refuse(state, refusalCodeOf(event.error), event.error)
        : failRunning(state, event.error);
    case 'helper-failed':
      // A guest that lacks nothing needs nobody to bring it pages.
      if (isWhole(state)) return same(state);
      return event.error.code === 'LISTEN_FAILED' && mayRefuse(state)
        ? refuseDeaf(state, event.error)
        : react(limits, state, { ...event, kind: 'failed' });
    default:
      return unreachable(event);
  }
}

function onMessage(limits: IncomingLimits, state: IncomingState, message: Message): IncomingStep {
  switch (message.name) {
    case 'PREPARE':
      return onPrepare(limits, state, message);
    case 'PING':
      return { state, effects: [{ kind: 'pong', sentAt: message.sentAt }] };
    case 'CANCEL':
      return mayRefuse(state)
        ? refuse(state, codeOfCancel(message.code), `the source cancelled: ${message.reason}`)
        : same(toldToEnd(state));
    case 'FAREWELL':
      return onFarewell(limits, state);
    case 'HELLO':
    case 'WELCOME':
    case 'REFUSAL':
    case 'LISTENING':
    case 'PREPARED':
    case 'PONG':
    case 'RESUMED':
    case 'ARRIVED':
    case 'AUDITED':
    case 'VERIFIED':
    case 'SAMPLES':
      return outOfTurn(limits, state, message.name);
    default:
      return unreachable(message);
  }
}

/** What became of the guest at the source is told as that. */
function codeOfCancel(code: CancelCode): RefusalCode {
  return code === 'GUEST_FAILED' || code === 'GUEST_ENDED' || code === 'GUEST_VETOED' ? code : 'CANCELLED';
}

function onTimer(limits: IncomingLimits, state: IncomingState, timer: TimerName): IncomingStep {
  switch (timer) {
    case 'control':
      return onControlGone(limits, state);
    case 'pages':
      return refuseLost(state);
    case 'retry':
      return { state, effects: state.name === 'ended' ? [] : [{ kind: 'reconnect-pages' }] };
    case 'unreachable':
      return refuseUnreachable(state);
    case 'greeted':
      return onSilentSource(state);
    case 'placement':
      return refuse(state, 'TIMEOUT', 'the last pages of the hand-over did not come in time');
    case 'audit':
      return onAuditDue(state);
    case 'farewell':
      return onSourceGone(limits, state);
    case 'phase':
      return onPhaseTimeout(limits.phases, state);
    default:
      return unreachable(timer);
  }
}
