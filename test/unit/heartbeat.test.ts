// Signs of life and the clocks: when the source asks for a PONG, and what it makes of one.
import { describe, expect, it } from 'vitest';
import type { MessageOf } from '../../src/shared/wire/messages.js';
import { CLOCK_SAMPLES_AFTER } from '../../src/source/states/hand-over.js';
import { wantsHeartbeat } from '../../src/source/states/heartbeat.js';
import type { MigrationPlan } from '../../src/source/states/plan.js';
import type { OutgoingState, Phase } from '../../src/source/states/states.js';
import { beginOutgoing, stepOutgoing } from '../../src/source/states/step.js';
import { phaseLimits } from '../../src/source/states/phase-limits.js';
import { HEARTBEAT_MS, SILENCE_MS_MAX, STUN_QUIET_MS } from '../../src/shared/limits.js';

const plan: MigrationPlan = {
  mode: 'hybrid',
  roundsMax: 3,
  timeLimitMs: 1000,
  onTimeout: 'abort',
  stunBudgetMs: 1,
  audits: true,
  control: { connectMs: 1000, reconnectMs: 1000, retryMs: 10, retryMsMax: 100 },
  prepareMs: 1000,
  answerMs: 100,
  doubtMs: 300,
  endsInDoubt: true,
  endsStillPush: true,
  phases: phaseLimits(1000),
  pagesLostMs: 500,
  auditMs: 1000,
};

const handOver: MessageOf<'HAND_OVER'> = {
  name: 'HAND_OVER',
  registers: [],
  guestClockUs: 0,
  pagesFollow: true,
  finalRound: 2,
  finalPages: 0,
  bitmap: new Uint8Array(0),
};

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
const stopping = inPhase({ name: 'stopping' });
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

  it('is asked for again as soon as the guest has been resumed, before the push fills the link', () => {
    const step = stepOutgoing(plan, handingOver, { kind: 'received', message: resumed, receivedAt: 3 });
    const kinds = step.effects.map(({ kind }) => kind);
    expect(kinds.filter((kind) => kind === 'ping')).toHaveLength(CLOCK_SAMPLES_AFTER);
    expect(kinds.lastIndexOf('ping')).toBeLessThan(kinds.indexOf('push'));
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
