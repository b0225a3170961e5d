// After the stun: the destination runs the guest, and what it lacks is pushed, or asked for, until it has all.
// No I/O. A source that has its pages still is needed still, whoever is silent.
import { MicrostunError } from '../../shared/errors.js';
import { enter, stay, withEffects, type OutgoingEffect, type OutgoingStep } from './effects.js';
import { complete, end } from './ending.js';
import type { MigrationPlan } from './plan.js';
import type { HandedOver, OutgoingState, PhaseOf } from './states.js';
import { onWhole } from './verifying.js';

/** Nothing is pushed yet. */
export function pushBegins({ vcpus, round }: HandedOver, isResumed: boolean): PhaseOf<'pushing'> {
  return {
    name: 'pushing',
    isResumed,
    vcpus,
    round,
    isPushed: false,
    arrived: undefined,
    audited: undefined,
    stills: 0,
  };
}

/** Looks after a while whether pages have moved. */
export function watchPush(plan: MigrationPlan): OutgoingEffect {
  return { kind: 'arm', timer: 'push', ms: plan.phases.pushStillMs };
}

/**
 * The push has ended here, and every page has arrived there, in either order. The acknowledgement of the push is only
 * for the report: it may be lost for good once the destination needs the source no more.
 */
export function onPushed(plan: MigrationPlan, state: OutgoingState, phase: PhaseOf<'pushing'>): OutgoingStep {
  const { isPushed, arrived, audited } = phase;
  if (arrived === undefined) return enter(state, phase, []);
  // Who has the pages compared needs the page connections, and so knows what the push came to.
  const ms = plan.verifies ? plan.verifyMs : plan.answerMs;
  if (!isPushed) return enter(state, phase, [{ kind: 'arm', timer: 'phase', ms }]);
  const noted: OutgoingEffect[] = [
    { kind: 'disarm', timer: 'phase' },
    { kind: 'disarm', timer: 'push' },
    { kind: 'note-arrived', message: arrived },
  ];
  if (audited !== undefined && !plan.verifies)
    return complete(state, [...noted, { kind: 'note-audit', message: audited }]);
  return onWhole(plan, state, phase.round, noted);
}

/** Pages were pushed, or asked for, since somebody last looked. */
export function onMoved(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  if (state.phase.name !== 'pushing') return stay(state);
  return enter(state, { ...state.phase, stills: 0 }, [watchPush(plan)]);
}

/**
 * The control connection has stayed away. That alone ends no push: pages have connections of their own. Where these are lost
 * as well, and its host says that nobody listens any more, the destination's process has ended, and no page will move.
 */
export function onAway(plan: MigrationPlan, state: OutgoingState, why?: MicrostunError): OutgoingStep {
  const { phase } = state;
  if (phase.name !== 'pushing' || phase.arrived !== undefined) return stay(state);
  if (state.arePagesLost !== true || why === undefined || !isRefusedDial(why)) return stay(state);
  const what =
    'every connection to the destination, which owns the guest, was lost, and for ' +
    `${plan.control.reconnectMs / 1000} s nobody has listened there any more`;
  const error = new MicrostunError('CONNECTION_LOST', what, { cause: why });
  return plan.endsStillPush ? end(state, error, 'destination') : keep(state, phase, what, 1);
}

// What another end of a lost connection looks like, a network that is down or a host that is, may come back.
function isRefusedDial({ cause }: MicrostunError): boolean {
  return cause instanceof Error && 'code' in cause && cause.code === 'ECONNREFUSED';
}

/** No page has moved for long. */
export function onStill(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  if (state.phase.name !== 'pushing' || state.phase.arrived !== undefined) return stay(state);
  const stills = state.phase.stills + 1;
  const seconds = (stills * plan.phases.pushStillMs) / 1000;
  const what =
    `no page has left for ${seconds} s, and the destination, which owns the guest, ` +
    (state.control.name === 'up' ? 'takes none' : 'does not answer');
  const isPatient = state.control.name === 'up' && stills < plan.phases.stillsMax;
  if (plan.endsStillPush && !isPatient) return end(state, new MicrostunError('TIMEOUT', what), 'destination');
  const kept = keep(state, state.phase, what, stills);
  return withEffects(kept.effects, { ...kept, effects: [watchPush(plan)] });
}

// It is said once, until a page moves.
function keep(state: OutgoingState, phase: PhaseOf<'pushing'>, what: string, stills: number): OutgoingStep {
  const says: OutgoingEffect[] =
    phase.stills === 0
      ? [{ kind: 'warn', text: `${what}; its pages are kept here, and it is asked on: end neither side` }]
      : [];
  return enter(state, { ...phase, stills: Math.max(phase.stills, stills) }, says);
}
