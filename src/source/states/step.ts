// The source's state machine: data, one exhaustive step, no I/O. docs/protocol.md shows it as a table.
// Clock, sockets, workers and the guest are the driver's (outgoing.ts); what each event means is in the files beside.
import { MicrostunError, unreachable } from '../../shared/errors.js';
import type { Message } from '../../shared/wire/messages.js';
import { onHarvested, onRoundPlaced, onRoundsPaused, onTimeLimit, onTracesInstalled } from './copying.js';
import { askAnew, onDoubt, onNoAnswer } from './doubt.js';
import { enter, limitPhase, stay, withEffects, type OutgoingStep } from './effects.js';
import { complete } from './ending.js';
import type { OutgoingEvent, TimerName } from './events.js';
import { fail, onCancel, onCancelled, onFailed, outOfTurn } from './failure.js';
import { onHandedOver, onRefusal, onResumed, onTakenOver } from './hand-over.js';
import { onGuestAnswered, onNoticeDelayOver, onNoticeLimit } from './notice.js';
import { phaseTimeoutError } from './phase-limits.js';
import type { MigrationPlan } from './plan.js';
import {
  failUnreachable,
  onFaultsLost,
  onListening,
  onPagesConnected,
  onPagesLost,
  onPagesRetry,
} from './page-connections.js';
import { onPong, onPrepared } from './preparing.js';
import { onMoved, onPushed, onStill } from './pushing.js';
import { isBeforeHandOver, type OutgoingState, type PhaseOf } from './states.js';
import { onHashesPlaced, onVerified } from './verifying.js';
import { onControl, onControlLimit, onWelcome } from './welcome.js';

/** How a migration begins. */
export function beginOutgoing(plan: MigrationPlan): OutgoingStep {
  return {
    state: { control: { name: 'dialling', attempts: 1 }, phase: { name: 'connecting' } },
    effects: [{ kind: 'arm', timer: 'control-limit', ms: plan.control.connectMs }, { kind: 'dial' }],
  };
}

/** The next state and what to do; an event that means nothing in a state changes nothing. */
export function stepOutgoing(plan: MigrationPlan, state: OutgoingState, event: OutgoingEvent): OutgoingStep {
  if (state.phase.name === 'ended') return stay(state);
  switch (event.kind) {
    case 'dialled':
    case 'dial-failed':
    case 'control-lost':
      return onControl(plan, state, event);
    case 'ask-now':
      return onControl(plan, state, { kind: 'retry' });
    case 'timer':
      return onTimer(plan, state, event.timer);
    case 'received':
      return onMessage(plan, state, event.message, event.receivedAt);
    case 'cancel':
      return onCancel(plan, state, event.reason);
    case 'failed':
      return onFailed(plan, state, event.error, event.who);
    case 'pages-connected':
      return onPagesConnected(plan, state);
    case 'pages-lost':
      return onPagesLost(plan, state, event.error);
    case 'faults-lost':
      return onFaultsLost(plan, state, event.error);
    case 'pages-moved':
      return onMoved(plan, state);
    case 'traces-installed':
      return onTracesInstalled(plan, state);
    case 'round-placed':
      return onRoundPlaced(plan, state, event);
    case 'hashes-placed':
      return onHashesPlaced(plan, state);
    case 'harvested':
      return onHarvested(plan, state, event.dirtyPages);
    case 'guest-answered':
      return onGuestAnswered(plan, state, event);
    case 'handed-over':
      return onHandedOver(plan, state, event.handOver);
    case 'taken-over':
      return onTakenOver(plan, state, event.receivedAt);
    default:
      return unreachable(event);
  }
}

function onMessage(
  plan: MigrationPlan,
  state: OutgoingState,
  message: Message,
  receivedAt: number,
): OutgoingStep {
  const { phase } = state;
  switch (message.name) {
    case 'WELCOME':
      return onWelcome(plan, state, message);
    case 'REFUSAL':
      return onRefusal(plan, state, message);
    case 'CANCEL':
      return onCancelled(plan, state, message);
    case 'LISTENING':
      return onListening(plan, state, message);
    case 'PREPARED':
      // So the fault connection is up.
      return phase.name === 'preparing'
        ? onPrepared(plan, state, { ...phase, isPrepared: true, unreachable: undefined })
        : stay(state);
    case 'PONG':
      return onPong(plan, state, { sentAt: message.sentAt, answeredAt: message.answeredAt, receivedAt });
    case 'RESUMED':
      return onResumed(plan, state, message, receivedAt);
    case 'ARRIVED':
      if (phase.name !== 'pushing') return stay(state);
      return phase.isResumed
        ? onPushed(plan, state, { ...phase, arrived: message })
        : outOfTurn(plan, state, message.name);
    case 'AUDITED':
      if (phase.name === 'pushing' && !phase.isResumed) return outOfTurn(plan, state, message.name);
      // A guest is audited once it has been compared.
      if (phase.name === 'verifying' || (phase.name === 'pushing' && plan.verifies))
        return outOfTurn(plan, state, message.name);
      if (phase.name === 'pushing') return onPushed(plan, state, { ...phase, audited: message });
      return phase.name === 'awaiting-audit'
        ? complete(state, [{ kind: 'note-audit', message }])
        : stay(state);
    case 'VERIFIED':
      return onVerified(plan, state, message);
    case 'SAMPLES':
      // It may come before a RESUMED that was lost and is said again.
      if (isBeforeHandOver(phase)) return outOfTurn(plan, state, message.name);
      return { state, effects: [{ kind: 'note-samples', samples: message.samples }] };
    case 'HELLO':
    case 'PREPARE':
    case 'PING':
    case 'FAREWELL':
      return outOfTurn(plan, state, message.name);
    default:
      return unreachable(message);
  }
}

function onTimer(plan: MigrationPlan, state: OutgoingState, timer: TimerName): OutgoingStep {
  switch (timer) {
    case 'control-retry':
      return onControl(plan, state, { kind: 'retry' });
    case 'control-limit':
      return onControlLimit(plan, state);
    case 'pages': {
      // Armed before the hand-over; after it only the destination can say that pages are lost.
      if (!isBeforeHandOver(state.phase)) return stay(state);
      const error = 'the page connections were lost and did not come back';
      return fail(plan, state, new MicrostunError('CONNECTION_LOST', error));
    }
    case 'pages-retry':
      return onPagesRetry(plan, state);
    case 'unreachable':
      return failUnreachable(plan, state);
    case 'time-limit':
      return onTimeLimit(plan, state);
    case 'notice':
      return onNoticeDelayOver(state);
    case 'notice-limit':
      return onNoticeLimit(plan, state);
    case 'phase':
      return onPhaseLimit(plan, state);
    case 'doubt':
      return onDoubt(plan, state);
    case 'push':
      return onStill(plan, state);
    default:
      return unreachable(timer);
  }
}

function onPhaseLimit(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  const { phase } = state;
  const timeout = (what: string): OutgoingStep => fail(plan, state, new MicrostunError('TIMEOUT', what));
  switch (phase.name) {
    case 'preparing':
      return timeout(`the destination was not ready within ${plan.prepareMs / 1000} s`);
    case 'measuring-clock':
    case 'installing-traces':
    case 'copying':
    case 'harvesting':
      return fail(plan, state, phaseTimeoutError(phase.name, plan.phases));
    case 'notifying':
      return phase.rounds === undefined ? stay(state) : onRoundsPaused(plan, state, phase.rounds);
    case 'stopping':
      return onNotHandedOver(plan, state, phase);
    case 'handing-over':
      return onNoAnswer(plan, state);
    case 'pushing':
      return plan.verifies
        ? timeout(`the push was not acknowledged within ${plan.verifyMs / 1000} s`)
        : onPushed(plan, state, { ...phase, isPushed: true });
    case 'verifying':
      return timeout(`the guest was not compared within ${plan.verifyMs / 1000} s (--verify)`);
    case 'awaiting-audit':
      return timeout(`the destination sent no audit within ${plan.auditMs / 1000} s`);
    case 'connecting':
    case 'ended':
      return stay(state);
    default:
      return unreachable(phase);
  }
}

// The announcement, or its answer, may be lost with a fault connection that seems up. A destination that is asked anew on a
// new control connection dials a new one.
function onNotHandedOver(
  plan: MigrationPlan,
  state: OutgoingState,
  phase: PhaseOf<'stopping'>,
): OutgoingStep {
  const asks = phase.asks + 1;
  if (asks * plan.answerMs >= plan.phases.stopMs + plan.pagesLostMs)
    return fail(plan, state, phaseTimeoutError(phase.name, plan.phases));
  const asking = enter(state, { ...phase, asks }, [limitPhase(plan.answerMs)]);
  if (state.control.name === 'dialling' || state.control.name === 'waiting') return asking;
  const why = new MicrostunError('TIMEOUT', 'no answer to the announcement of the hand-over');
  return withEffects(asking.effects, askAnew(plan, asking.state, why));
}
