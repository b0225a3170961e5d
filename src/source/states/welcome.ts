// The control connection within the migration: what is said once it is up, and who it is that answers.
// No I/O; how it is made and made again is control.ts.
import { MicrostunError } from '../../shared/errors.js';
import { PROTOCOL_VERSION } from '../../shared/wire/frames.js';
import { cancelOf, type MessageOf } from '../../shared/wire/messages.js';
import { versionComplaint } from '../../shared/wire/refusal.js';
import { unreachable } from '../../shared/errors.js';
import { stepControl, type ControlEvent } from './control.js';
import { doubt, doubtError } from './doubt.js';
import { enter, limitPhase, stay, type OutgoingEffect, type OutgoingStep } from './effects.js';
import { end } from './ending.js';
import { fail, outOfTurn } from './failure.js';
import { redialFaults } from './page-connections.js';
import type { MigrationPlan } from './plan.js';
import { onAway } from './pushing.js';
import type { OutgoingState } from './states.js';

/** The connection was made, could not be made, was lost, or is to be made again now. */
export function onControl(
  plan: MigrationPlan,
  state: OutgoingState,
  event: ControlEvent | { readonly kind: 'retry' },
): OutgoingStep {
  // Waiting will not make it trusted, nor clear text allowed. Once it was up, it may be an impostor that answers.
  if (event.kind === 'dial-failed' && state.phase.name === 'connecting' && isFinal(event.error))
    return fail(plan, state, event.error);
  const { control, effects } = stepControl(plan.control, state.control, event);
  return { state: { ...state, control }, effects };
}

function isFinal({ code }: MicrostunError): boolean {
  return code === 'UNAUTHORIZED' || code === 'USAGE';
}

/** The destination greets back, and says which process it is. */
export function onWelcome(
  plan: MigrationPlan,
  state: OutgoingState,
  { name, version, instanceId }: MessageOf<'WELCOME'>,
): OutgoingStep {
  if (state.control.name !== 'greeting') return outOfTurn(plan, state, name);
  if (version !== PROTOCOL_VERSION)
    return fail(plan, state, new MicrostunError('VERSION_MISMATCH', versionComplaint(version)));
  const known = state.control.instanceId;
  const up: OutgoingState = { ...state, control: { name: 'up', instanceId } };
  if (known !== undefined && known !== instanceId) return onRestart(plan, up, state);
  return onUp(plan, up);
}

// Says again whatever the phase waits for an answer to. The destination remembers what it answered.
function onUp(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  const { phase } = state;
  const up: readonly OutgoingEffect[] = [
    { kind: 'disarm', timer: 'control-limit' },
    ...redialFaults(plan, state),
  ];
  switch (phase.name) {
    case 'connecting':
      return enter(state, { name: 'preparing', isPrepared: false, arePagesUp: false }, [
        ...up,
        { kind: 'send-prepare' },
        limitPhase(plan.prepareMs),
      ]);
    case 'preparing':
      return { state, effects: phase.isPrepared ? up : [...up, { kind: 'send-prepare' }] };
    case 'measuring-clock':
      return { state, effects: [...up, { kind: 'ping' }, limitPhase(plan.phases.pongMs)] };
    case 'handing-over':
      return {
        state,
        effects: [
          ...up,
          // Whoever dials dials a new fault connection now, on which HAND_OVER is said again, or it says what it has answered. What has
          // failed here may be who says it.
          ...(phase.failure === undefined
            ? []
            : [{ kind: 'send', message: cancelOf(phase.failure) } as const]),
          limitPhase(plan.answerMs),
          // It is there, and asked: the doubt may last, but only its silence ends the asking.
          ...(phase.isInDoubt ? [{ kind: 'arm', timer: 'doubt', ms: plan.doubtMs } as const] : []),
        ],
      };
    case 'installing-traces':
    case 'copying':
    case 'harvesting':
    case 'notifying':
    case 'stopping':
    case 'pushing':
    case 'verifying':
    case 'awaiting-audit':
    case 'ended':
      return { state, effects: up };
    default:
      return unreachable(phase);
  }
}

// A destination that was restarted does not know what became of the guest, and never will: no word of it counts, and the
// source goes on looking for the one that the guest was handed to.
function onRestart(plan: MigrationPlan, state: OutgoingState, before: OutgoingState): OutgoingStep {
  switch (state.phase.name) {
    case 'handing-over': {
      const why =
        'another destination process answers than the one that the guest was handed to, and does not know what became of it';
      return doubt(plan, before, doubtError(why));
    }
    case 'pushing':
    case 'verifying':
    case 'awaiting-audit': {
      const why = 'the destination was restarted after it had taken the guest over';
      return end(state, new MicrostunError('CONNECTION_LOST', why), 'lost');
    }
    default: {
      const why = 'the destination was restarted; start the migration again';
      return fail(plan, state, new MicrostunError('CONNECTION_LOST', why));
    }
  }
}

/** The connection was not made, or not made again, in its time. */
export function onControlLimit(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  const { control, phase } = state;
  // Only the answer ends a hand-over.
  if (phase.name === 'handing-over') return stay(state);
  const cause = control.name === 'waiting' ? control.error : undefined;
  if (phase.name === 'pushing') return onAway(plan, state, cause);
  if (phase.name === 'connecting') {
    const reason = cause?.message ?? 'the destination did not answer';
    const error = `${reason} (tried for ${plan.control.connectMs / 1000} s); start "microstun destination" there first, or check --to`;
    return fail(plan, state, new MicrostunError('CONNECT_FAILED', error, { cause }));
  }
  const error = `the control connection was lost and did not come back: ${cause?.message ?? 'no answer'}`;
  return fail(plan, state, new MicrostunError('CONNECTION_LOST', error, { cause }));
}
