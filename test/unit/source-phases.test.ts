// The source's phases one step at a time: their limits, what a cancel and a failure do in each, and what lasts.
import { planOf } from '../support/plan.js';
import { describe, expect, it } from 'vitest';
import { MicrostunError } from '../../src/shared/errors.js';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import type { MessageOf } from '../../src/shared/wire/messages.js';
import type { OutgoingStep } from '../../src/source/states/effects.js';
import type { OutgoingEvent } from '../../src/source/states/events.js';
import type { MigrationPlan } from '../../src/source/states/plan.js';
import type { HandedOver, OutgoingState, Phase } from '../../src/source/states/states.js';
import { stepOutgoing } from '../../src/source/states/step.js';

const plan = planOf({});
const handOver: HandedOver = { vcpus: 0, round: 2, pagesFollow: true };
const arrived: MessageOf<'ARRIVED'> = {
  name: 'ARRIVED',
  pushedPages: 0,
  fetchedPages: 0,
  remotePageFaults: 0,
  latencyP50Us: 0,
  latencyP99Us: 0,
  latencyMaxUs: 0,
  latencyBuckets: [],
  durationMs: 0,
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

const rounds = [{ dirtyPages: 100_000, sentBytes: 410_400_000, durationMs: 4000 }];
const connecting: Phase = { name: 'connecting' };
const preparing: Phase = { name: 'preparing', isPrepared: false, arePagesUp: false };
const measuring: Phase = { name: 'measuring-clock', samples: [] };
const installing: Phase = { name: 'installing-traces', roundTripMs: 1 };
const soFar = { rounds, roundTripMs: 1, isOvertime: false, throttledShare: 0 };
const copying: Phase = { name: 'copying', soFar };
const harvesting: Phase = { name: 'harvesting', soFar, keptPages: 0 };
const stopping: Phase = { name: 'stopping', asks: 0 };
const handingOver = {
  name: 'handing-over',
  handOver,
  isInDoubt: false,
  doubts: 0,
  failure: undefined,
} as const satisfies Phase;
const pushing = {
  name: 'pushing',
  isResumed: true,
  vcpus: 0,
  round: 1,
  isPushed: false,
  arrived: undefined,
  audited: undefined,
  stills: 0,
} as const satisfies Phase;
const beforeHandOver = [connecting, preparing, measuring, installing, copying, harvesting, stopping];

const up: OutgoingState['control'] = { name: 'up', instanceId: 'first' };
const lost: OutgoingState['control'] = {
  name: 'waiting',
  attempts: 3,
  instanceId: 'first',
  error: new MicrostunError('CONNECTION_LOST', 'lost'),
};
const error = new MicrostunError('WORKER_FAILED', 'a worker failed');

function stateOf(phase: Phase, control: OutgoingState['control'] = up): OutgoingState {
  return { phase, control };
}
const step = (from: OutgoingState, event: OutgoingEvent, by: MigrationPlan = plan): OutgoingStep =>
  stepOutgoing(by, from, event);
const timer = (name: Extract<OutgoingEvent, { kind: 'timer' }>['timer']): OutgoingEvent => ({
  kind: 'timer',
  timer: name,
});
const received = (message: Extract<OutgoingEvent, { kind: 'received' }>['message']): OutgoingEvent => ({
  kind: 'received',
  message,
  receivedAt: 0,
});
const kindsOf = ({ effects }: OutgoingStep): string[] => effects.map(({ kind }) => kind);
const cancel: OutgoingEvent = { kind: 'cancel', reason: 'SIGINT' };

describe('before the hand-over', () => {
  it.each(beforeHandOver)('a cancel leaves the guest running at the source while $name', (phase) => {
    const cancelled = step(stateOf(phase), cancel);
    expect(cancelled.state.phase).toMatchObject({
      outcome: { owner: 'source', error: { code: 'CANCELLED' } },
    });
    expect(kindsOf(cancelled)).toEqual(['send', 'release-guest', 'hang-up', 'end']);
  });

  // The destination is asked to dial anew as often as that fits into the time.
  const asks = (plan.phases.stopMs + plan.pagesLostMs) / plan.answerMs - 1;
  it.each<Phase>([preparing, measuring, installing, harvesting, { name: 'stopping', asks }])(
    'the time for $name is limited, and the guest runs on at the source after it',
    (phase) => {
      const late = step(stateOf(phase), timer('phase'));
      expect(late.state.phase).toMatchObject({ outcome: { owner: 'source', error: { code: 'TIMEOUT' } } });
      expect(kindsOf(late)).toContain('release-guest');
    },
  );

  it('the limit of a phase is armed when it begins', () => {
    const armed = (from: Phase, event: OutgoingEvent): unknown =>
      step(stateOf(from), event).effects.find((effect) => effect.kind === 'arm' && effect.timer === 'phase');
    const { pongMs, installMs, harvestMs } = plan.phases;
    const isPrepared: Phase = { name: 'preparing', isPrepared: true, arePagesUp: false };
    expect(armed(isPrepared, { kind: 'pages-connected' })).toMatchObject({ ms: pongMs });
    const pong = received({ name: 'PONG', sentAt: 0, answeredAt: 0 });
    expect(armed(measuring, pong)).toMatchObject({ ms: pongMs });
    const samples = Array.from({ length: 11 }, () => ({ sentAt: 0, answeredAt: 0, receivedAt: 0 }));
    expect(armed({ name: 'measuring-clock', samples }, pong)).toMatchObject({ ms: installMs });
    expect(armed(copying, { kind: 'round-placed', facts: rounds[0]! })).toMatchObject({ ms: harvestMs });
    expect(armed(harvesting, { kind: 'harvested', dirtyPages: 0 })).toMatchObject({ ms: plan.answerMs });
  });

  it('a round under way at the time limit is stopped where it is, and what it did not send is harvested again', () => {
    const stopped = step(stateOf(copying), timer('time-limit'));
    expect(stopped.effects).toContainEqual({ kind: 'stop-round', round: 1 });
    expect(kindsOf(stopped)).toEqual(['stop-round', 'arm']);
    const placed = step(stopped.state, { kind: 'round-placed', facts: rounds[0]!, keptPages: 9000 });
    expect(placed.effects).toContainEqual({ kind: 'harvest', keepsRest: true });
    const judged = step(placed.state, { kind: 'harvested', dirtyPages: 100_000 });
    expect(judged.effects).toContainEqual(
      expect.objectContaining({ kind: 'switch-over', pagesFollow: true, why: 'time limit' }),
    );
  });

  it('the time limit aborts in the middle of a round', () => {
    const aborted = step(stateOf(copying), timer('time-limit'), { ...plan, onTimeout: 'abort' });
    expect(aborted.state.phase).toMatchObject({ outcome: { owner: 'source', error: { code: 'TIMEOUT' } } });
  });
});

describe('a throttled pre-copy', () => {
  const throttled: MigrationPlan = { ...plan, mode: 'pre-copy', onTimeout: 'throttle', roundsMax: 1 };
  const stopOf = (by: MigrationPlan, dirtyPages: number): unknown =>
    step(stateOf(harvesting), { kind: 'harvested', dirtyPages }, by).effects.find(
      ({ kind }) => kind === 'switch-over',
    );

  it('has its last pages follow, and says so, where copying them would stun the guest for more than a second', () => {
    expect(stopOf(throttled, 50_000)).toMatchObject({ pagesFollow: true, why: 'throttle not enough' });
    expect(stopOf(throttled, 10_000)).toMatchObject({ pagesFollow: false, why: 'round limit' });
  });

  it('knows with how many last pages that would be, whatever was forecast', () => {
    // 102.6 MB a second for 998 ms.
    expect(stopOf(throttled, 10_000)).toMatchObject({ pagesMax: 24_950 });
    expect(stopOf({ ...throttled, onTimeout: 'abort' }, 10_000)).toMatchObject({ pagesMax: Infinity });
  });
});

describe('a source in doubt', () => {
  const inDoubt: OutgoingState = stateOf({ ...handingOver, isInDoubt: true, doubts: 1 }, lost);

  it('keeps the paused guest and asks for as long as it is let', () => {
    let state = stateOf(handingOver, lost);
    for (let time = 0; time < 100; time++) state = step(state, timer('doubt')).state;
    expect(state.phase.name).toBe('handing-over');
    expect(kindsOf(step(state, timer('control-retry')))).toContain('dial');
  });

  it('says that it is in doubt once', () => {
    const first = step(stateOf(handingOver, lost), timer('doubt'));
    expect(kindsOf(first)).toEqual(['report-doubt', 'arm']);
    expect(kindsOf(step(first.state, timer('doubt')))).toEqual(['arm']);
  });

  it('ends so when it was told to, before and after', () => {
    expect(step(inDoubt, timer('doubt'), { ...plan, endsInDoubt: true }).state.phase).toMatchObject({
      outcome: { owner: 'in doubt' },
    });
    expect(step(inDoubt, cancel).state.phase).toMatchObject({
      outcome: { owner: 'in doubt', error: { code: 'IN_DOUBT' } },
    });
  });

  it('declines a cancel until it knows that it is in doubt', () => {
    expect(kindsOf(step(stateOf(handingOver), cancel))).toEqual(['decline-cancel']);
  });

  it('asks at once when it is told to', () => {
    expect(kindsOf(step(inDoubt, { kind: 'ask-now' }))).toEqual(['dial']);
    expect(kindsOf(step({ ...inDoubt, control: up }, { kind: 'ask-now' }))).toEqual([]);
  });

  it('takes a destination that does not know the migration for no refusal', () => {
    const refusal = received({
      name: 'REFUSAL',
      version: PROTOCOL_VERSION,
      code: 'UNKNOWN_MIGRATION',
      reason: 'unknown',
    });
    const asked = step({ ...inDoubt, control: up }, refusal);
    expect(asked.state.phase).toEqual(inDoubt.phase);
    // It is sent all of the hand-over each time: not at once, and not for ever at once.
    const pause = { kind: 'arm', timer: 'control-retry', ms: plan.phases.noAnswerMs };
    expect(asked.effects).toEqual([{ kind: 'hang-up' }, pause]);
  });

  it('believes no other process than the one that it handed the guest to', () => {
    const greeting: OutgoingState['control'] = { name: 'greeting', attempts: 1, instanceId: 'first' };
    const welcome = received({
      name: 'WELCOME',
      version: PROTOCOL_VERSION,
      instanceId: 'second',
      pid: 2,
      host: 'beta',
      round: 0,
      regions: 0,
    });
    const { state, effects } = step(stateOf(handingOver, greeting), welcome);
    expect(state.phase).toMatchObject({ name: 'handing-over', isInDoubt: true });
    expect(state.control).toMatchObject({ name: 'waiting', instanceId: 'first' });
    expect(effects.map(({ kind }) => kind)).toEqual(['report-doubt', 'hang-up', 'arm']);
  });

  it('is released by the refusal of that one, however late', () => {
    const refusal = received({ name: 'REFUSAL', version: PROTOCOL_VERSION, code: 'TIMEOUT', reason: 'late' });
    const refused = step({ ...inDoubt, control: up }, refusal);
    expect(refused.state.phase).toMatchObject({ outcome: { owner: 'source' } });
    expect(kindsOf(refused)).toContain('release-guest');
  });

  it('learns that a worker of its own failed only when that matters', () => {
    const failed = step(stateOf(handingOver), { kind: 'failed', error, who: 'copiers' });
    expect(failed.state.phase.name).toBe('handing-over');
    expect(step(failed.state, received(resumed)).state.phase).toMatchObject({
      outcome: { owner: 'destination', phase: 'pushing' },
    });
    const refusal = received({ name: 'REFUSAL', version: PROTOCOL_VERSION, code: 'TIMEOUT', reason: 'late' });
    expect(kindsOf(step(failed.state, refusal))).toContain('release-guest');
  });
});

describe('a push', () => {
  it('does not end for want of a control connection', () => {
    expect(step(stateOf(pushing, lost), timer('control-limit'))).toEqual({
      state: stateOf(pushing, lost),
      effects: [],
    });
  });

  const refused: OutgoingState['control'] = {
    ...lost,
    error: new MicrostunError('CONNECT_FAILED', 'nobody listens there', {
      cause: Object.assign(new Error('refused'), { code: 'ECONNREFUSED' }),
    }),
  };
  const abandoned = step(stateOf(pushing, refused), { kind: 'pages-lost', error }).state;

  it('ends in the time of a lost connection where all are lost and nobody listens any more', () => {
    const ends: MigrationPlan = { ...plan, endsStillPush: true };
    expect(step(abandoned, timer('control-limit'), ends).state.phase).toMatchObject({
      outcome: { owner: 'destination', phase: 'pushing', error: { code: 'CONNECTION_LOST' } },
    });
    // Pages may move, or the network be away.
    const back = step(abandoned, { kind: 'pages-connected' }).state;
    for (const state of [back, { ...abandoned, control: lost }, stateOf({ ...pushing, arrived }, refused)])
      expect(step(state, timer('control-limit'), ends)).toEqual({ state, effects: [] });
  });

  it('of which every connection is lost keeps its pages, says so once, and may be cancelled', () => {
    const kept = step(abandoned, timer('control-limit'));
    expect(kindsOf(kept)).toEqual(['warn']);
    expect(kindsOf(step(kept.state, timer('push')))).toEqual(['arm']);
    expect(step(kept.state, cancel).state.phase).toMatchObject({ outcome: { error: { code: 'CANCELLED' } } });
  });

  it('is watched for pages that move', () => {
    const watch = { kind: 'arm', timer: 'push', ms: plan.phases.pushStillMs };
    expect(step(stateOf(handingOver), received(resumed)).effects).toContainEqual(watch);
    const moved = step(stateOf({ ...pushing, stills: 3 }, lost), { kind: 'pages-moved' });
    expect(moved).toEqual({ state: stateOf(pushing, lost), effects: [watch] });
  });

  it('in which nothing moves is said once, and its pages are kept for as long as the source is let', () => {
    const first = step(stateOf(pushing, lost), timer('push'));
    expect(kindsOf(first)).toEqual(['warn', 'arm']);
    const second = step(first.state, timer('push'));
    expect(kindsOf(second)).toEqual(['arm']);
    expect(step(second.state, cancel).state.phase).toMatchObject({
      outcome: { owner: 'destination', phase: 'pushing', error: { code: 'CANCELLED' } },
    });
  });

  it('in which nothing moves ends where that was asked for; later if the destination answers', () => {
    const ends: MigrationPlan = { ...plan, endsStillPush: true };
    expect(step(stateOf(pushing, lost), timer('push'), ends).state.phase).toMatchObject({
      outcome: { owner: 'destination', phase: 'pushing', error: { code: 'TIMEOUT' } },
    });
    expect(step(stateOf(pushing, up), timer('push'), ends).state.phase.name).toBe('pushing');
    const last: Phase = { ...pushing, stills: plan.phases.stillsMax };
    expect(step(stateOf(last, up), timer('push'), ends).state.phase.name).toBe('ended');
  });

  it('is not hurt by the failure of a worker that it does not need', () => {
    const guest = step(stateOf(pushing), { kind: 'failed', error, who: 'guest' });
    expect(guest.state.phase).toEqual(pushing);
    // The tracer's thread sends the pages that are asked for.
    for (const who of ['tracer', 'copiers'] as const) {
      const whole: Phase = { ...pushing, arrived };
      const late = step(stateOf(whole), { kind: 'failed', error, who });
      expect(late.state.phase).toMatchObject({ outcome: { kind: 'completed' } });
      const needed = step(stateOf(pushing), { kind: 'failed', error, who });
      expect(needed.state.phase).toMatchObject({ outcome: { kind: 'failed', owner: 'destination' } });
    }
  });
});

describe('after its end', () => {
  it.each([
    ['a cancel', cancel],
    ['a failure', { kind: 'failed', error }],
    ['a refusal', received({ name: 'REFUSAL', version: PROTOCOL_VERSION, code: 'TIMEOUT', reason: 'late' })],
    ['a lost connection', { kind: 'control-lost', error }],
    ['a timer', timer('control-retry')],
  ] satisfies [string, OutgoingEvent][])('a migration is not moved by %s', (_, event) => {
    for (const control of [up, lost]) {
      const ended = step(stateOf(copying, control), cancel).state;
      expect(step(ended, event)).toEqual({ state: ended, effects: [] });
    }
  });
});

describe('what the last harvest left', () => {
  it.each([
    ['hybrid', true],
    ['pre-copy', false],
  ] as const)('crosses after the stun or within it, as the mode has it (%s)', (mode, pagesFollow) => {
    const few: OutgoingEvent = { kind: 'harvested', dirtyPages: 3 };
    const { state, effects } = step(stateOf(harvesting), few, { ...plan, mode, stunBudgetMs: 100 });
    expect(state.phase).toEqual(stopping);
    expect(effects.find(({ kind }) => kind === 'switch-over')).toMatchObject({ pagesFollow });
  });
});
