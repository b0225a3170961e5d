// Signs of life and the clocks: when the source asks for a PONG, and what it makes of one.
import { planOf } from '../support/plan.js';
import { describe, expect, it } from 'vitest';
import type { MessageOf } from '../../src/shared/wire/messages.js';
import { CLOCK_SAMPLES_AFTER } from '../../src/source/states/hand-over.js';
import { wantsHeartbeat } from '../../src/source/states/heartbeat.js';
import type { OutgoingEvent } from '../../src/source/states/events.js';
import type { HandedOver, OutgoingState, Phase } from '../../src/source/states/states.js';
import { beginOutgoing, stepOutgoing } from '../../src/source/states/step.js';
import { HEARTBEAT_MS, SILENCE_MS_MAX, STUN_QUIET_MS } from '../../src/shared/limits.js';

const plan = planOf({
  roundsMax: 3,
  onTimeout: 'abort',
  audits: true,
  endsInDoubt: true,
  endsStillPush: true,
});

const handOver: HandedOver = { vcpus: 0, round: 2, pagesFollow: true };

const resumed: MessageOf<'RESUMED'> = {
  name: 'RESUMED',
  receivedAt: 0,
  validationMs: 0,
  placementMs: 0,
  resumeMs: 0,
  answeredAt: 0,
  firstSliceAt: [],
};

function inPhase(phase: Phase): OutgoingState {
  return { ...beginOutgoing(plan).state, phase, control: { name: 'up', instanceId: 'first' } };
}

const copying = inPhase({
  name: 'copying',
  soFar: { rounds: [], roundTripMs: 1, isOvertime: false, throttledShare: 0 },
});
const stopping = inPhase({ name: 'stopping', asks: 0 });
const handingOver = inPhase({
  name: 'handing-over',
  handOver,
  isInDoubt: false,
  doubts: 0,
  failure: undefined,
});

describe('a heartbeat', () => {
  it('is sent while rounds are copied and while pages are pushed', () => {
    const pushing = inPhase({
      name: 'pushing',
      isResumed: true,
      vcpus: 0,
      round: 1,
      isPushed: false,
      arrived: undefined,
      audited: undefined,
      stills: 0,
    });
    expect(wantsHeartbeat(copying, Infinity)).toBe(true);
    expect(wantsHeartbeat(pushing, 1)).toBe(true);
  });

  it.each([stopping, handingOver])('is not sent within a stun, while $phase.name', (state) => {
    expect(wantsHeartbeat(state, 0)).toBe(false);
    expect(wantsHeartbeat(state, STUN_QUIET_MS)).toBe(false);
  });

  it('is sent in a stun that lasts so long that the peer would take the source for dead', () => {
    expect(wantsHeartbeat(handingOver, STUN_QUIET_MS + 1)).toBe(true);
    expect(STUN_QUIET_MS + 2 * HEARTBEAT_MS).toBeLessThan(SILENCE_MS_MAX);
  });

  it('is not sent without a link', () => {
    expect(wantsHeartbeat({ ...copying, control: { name: 'dialling', attempts: 1 } }, Infinity)).toBe(false);
  });
});

describe('a PONG', () => {
  const pong = { name: 'PONG', sentAt: 1, answeredAt: 2 } as const;

  it.each([copying, stopping, handingOver])('is a sample of the clocks while $phase.name', (state) => {
    expect(stepOutgoing(plan, state, { kind: 'received', message: pong, receivedAt: 3 })).toEqual({
      state,
      effects: [{ kind: 'note-clock', sample: { sentAt: 1, answeredAt: 2, receivedAt: 3 } }],
    });
  });

  it.each<OutgoingEvent>([
    { kind: 'taken-over', receivedAt: 3 },
    { kind: 'received', message: resumed, receivedAt: 3 },
  ])('is asked for again with the beginning of the push, before that fills the link: $kind', (event) => {
    const { effects } = stepOutgoing(plan, handingOver, event);
    const kinds = effects.map(({ kind }) => kind);
    const pings = Array.from({ length: CLOCK_SAMPLES_AFTER }, () => 'ping');
    // There vCPUs may wait for what is pushed: the thread that does it is told first.
    expect(kinds.slice(0, pings.length + 1)).toEqual(['push', ...pings]);
    expect(kinds.filter((kind) => kind === 'ping')).toEqual(pings);
  });

  it('is not asked for by a migration that has nothing more to do', () => {
    const last = inPhase({
      name: 'handing-over',
      handOver: { ...handOver, pagesFollow: false },
      isInDoubt: false,
      doubts: 0,
      failure: undefined,
    });
    const step = stepOutgoing({ ...plan, audits: false }, last, {
      kind: 'received',
      message: resumed,
      receivedAt: 3,
    });
    expect(step.effects).not.toContainEqual({ kind: 'ping' });
    expect(step.state.phase.name).toBe('ended');
  });
});
