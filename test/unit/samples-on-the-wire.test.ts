// SAMPLES between the two state machines: when they are said, and what is made of them.
import { planOf } from '../support/plan.js';
import { describe, expect, it } from 'vitest';
import { PHASE_LIMITS, type IncomingLimits } from '../../src/destination/states/limits.js';
import type { IncomingState } from '../../src/destination/states/states.js';
import { stepIncoming } from '../../src/destination/states/step.js';
import type { MessageOf } from '../../src/shared/wire/messages.js';
import type { OutgoingState, Phase } from '../../src/source/states/states.js';
import { beginOutgoing, stepOutgoing } from '../../src/source/states/step.js';
import { examples } from './message-examples.js';

const samples = Float64Array.of(1, 2, 3);
const prepare = examples.PREPARE[0];
const handOver = { vcpus: 1, round: 1, pagesFollow: true };

describe('the destination', () => {
  const limits: IncomingLimits = {
    controlLostMs: 1000,
    pagesLostMs: 1000,
    retryMs: 100,
    placementMs: 1000,
    farewellMs: 1000,
    endsWithoutPages: false,
    phases: PHASE_LIMITS,
  };
  const others: readonly IncomingState[] = [
    { name: 'resuming', prepare, resumedAt: 0, pages: { name: 'settling', lackedPages: 0 } },
    { name: 'auditing', answers: [] },
    { name: 'told', answers: [] },
  ];

  it('says samples of the guest while it runs', () => {
    const running: IncomingState = {
      name: 'running',
      prepare,
      answers: [],
      resumedAt: 0,
      pages: { name: 'whole' },
    };
    expect(stepIncoming(limits, running, { kind: 'sampled', samples })).toEqual({
      state: running,
      effects: [{ kind: 'send', message: { name: 'SAMPLES', samples } }],
    });
  });

  it.each(others)('says none while $name: nothing in the stun, nothing of the audit', (state) => {
    expect(stepIncoming(limits, state, { kind: 'sampled', samples }).effects).toEqual([]);
  });
});

describe('the source', () => {
  const plan = planOf({
    roundsMax: 3,
    onTimeout: 'abort',
    audits: true,
    endsInDoubt: true,
    endsStillPush: true,
  });
  const message: MessageOf<'SAMPLES'> = { name: 'SAMPLES', samples };
  const stepFrom = (phase: Phase) => {
    const state: OutgoingState = {
      ...beginOutgoing(plan).state,
      phase,
      control: { name: 'up', instanceId: 'first' },
    };
    return stepOutgoing(plan, state, { kind: 'received', message, receivedAt: 0 });
  };

  it.each<Phase>([
    { name: 'handing-over', handOver, isInDoubt: false, doubts: 0, failure: undefined },
    {
      name: 'pushing',
      isResumed: false,
      vcpus: 1,
      round: 1,
      isPushed: false,
      arrived: undefined,
      audited: undefined,
      stills: 0,
    },
    { name: 'awaiting-audit' },
  ])('notes samples while $name', (phase) => {
    expect(stepFrom(phase)).toMatchObject({
      state: { phase },
      effects: [{ kind: 'note-samples', samples }],
    });
  });

  it('refuses samples of a guest that has not gone', () => {
    const { state } = stepFrom({
      name: 'copying',
      soFar: { rounds: [], roundTripMs: 1, isOvertime: false, throttledShare: 0 },
    });
    expect(state.phase).toMatchObject({ name: 'ended', outcome: { owner: 'source' } });
  });
});
