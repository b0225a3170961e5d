// Both sides' state machines around the hand-over, one step at a time: what the simulation found, or cannot reach.
import { describe, expect, it } from 'vitest';
import type { FaultSummary, IncomingEvent } from '../../src/destination/states/events.js';
import type { IncomingLimits } from '../../src/destination/states/limits.js';
import type { IncomingState } from '../../src/destination/states/states.js';
import { stepIncoming } from '../../src/destination/states/step.js';
import { MicrostunError } from '../../src/shared/errors.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import { cancelCodes, type MessageOf } from '../../src/shared/wire/messages.js';
import { phaseLimits } from '../../src/source/states/phase-limits.js';
import type { OutgoingStep } from '../../src/source/states/effects.js';
import type { OutgoingEvent } from '../../src/source/states/events.js';
import type { MigrationPlan } from '../../src/source/states/plan.js';
import type { OutgoingState, Phase } from '../../src/source/states/states.js';
import { stepOutgoing } from '../../src/source/states/step.js';
import { incomingLimits } from '../support/incoming-limits.js';

const error = new MicrostunError('CONNECTION_LOST', 'lost');
const handOver: MessageOf<'HAND_OVER'> = {
  name: 'HAND_OVER',
  registers: [],
  guestClockUs: 0,
  pagesFollow: true,
  finalRound: 2,
  finalPages: 0,
  bitmap: new Uint8Array(0),
};

const FAULTS: FaultSummary = {
  remotePageFaults: 5,
  latencyP50Us: 1,
  latencyP99Us: 2,
  latencyMaxUs: 3,
  latencyBuckets: [],
};
const ARRIVED: MessageOf<'ARRIVED'> = {
  name: 'ARRIVED',
  pushedPages: 0,
  fetchedPages: 0,
  ...FAULTS,
  durationMs: 0,
};

const RESUMED: MessageOf<'RESUMED'> = {
  name: 'RESUMED',
  receivedAt: 0,
  validationMs: 0,
  placementMs: 0,
  resumeMs: 0,
  answeredAt: 0,
  firstSliceAt: [],
};

describe('the source', () => {
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
  const handingOver = {
    name: 'handing-over',
    handOver,
    isInDoubt: false,
    doubts: 0,
    failure: undefined,
  } as const satisfies Phase;
  const pushing = {
    name: 'pushing',
    isPushed: false,
    arrived: undefined,
    audited: undefined,
    stills: 0,
  } as const satisfies Phase;

  function stepFrom(phase: Phase, control: OutgoingState['control'], event: OutgoingEvent): OutgoingStep {
    return stepOutgoing(plan, { phase, control }, event);
  }
  const up: OutgoingState['control'] = { name: 'up', instanceId: 'first' };
  const received = (message: Extract<OutgoingEvent, { kind: 'received' }>['message']): OutgoingEvent => ({
    kind: 'received',
    message,
    receivedAt: 0,
  });
  const kindsOf = ({ effects }: OutgoingStep): string[] => effects.map(({ kind }) => kind);

  it('does not take the guest back on a refusal that no welcome came before', () => {
    const refusal = received({ name: 'REFUSAL', version: PROTOCOL_VERSION, code: 'TIMEOUT', reason: 'late' });
    const greeting: OutgoingState['control'] = { name: 'greeting', attempts: 1, instanceId: 'first' };
    const step = stepFrom(handingOver, greeting, refusal);
    expect(step.state.phase.name).toBe('handing-over');
    expect(kindsOf(step)).toEqual(['hang-up', 'arm']);
    expect(kindsOf(stepFrom(handingOver, up, refusal))).toContain('release-guest');
  });

  it.each(['UNKNOWN_MIGRATION', 'BUSY'] as const)(
    'does not take the guest back from a destination that does not know its hand-over (%s)',
    (code) => {
      const unknown = received({ name: 'REFUSAL', version: PROTOCOL_VERSION, code, reason: 'who?' });
      const step = stepFrom(handingOver, up, unknown);
      expect(kindsOf(step)).not.toContain('release-guest');
      expect(step.state.phase).toMatchObject({ outcome: { owner: 'in doubt' } });
      // Before the hand-over it is a failure like any other.
      expect(kindsOf(stepFrom({ name: 'connecting' }, up, unknown))).toContain('release-guest');
    },
  );

  it('says who welcomed it before when it greets again', () => {
    const dialled: OutgoingEvent = { kind: 'dialled' };
    const first = stepFrom({ name: 'connecting' }, { name: 'dialling', attempts: 1 }, dialled);
    expect(first.effects).toEqual([{ kind: 'greet', welcomedBy: '' }]);
    const again = stepFrom(handingOver, { name: 'dialling', attempts: 1, instanceId: 'first' }, dialled);
    expect(again.effects).toEqual([{ kind: 'greet', welcomedBy: 'first' }]);
  });

  it('is in doubt when the destination speaks of other vCPUs than it was given', () => {
    const registers = [new Float64Array(32), new Float64Array(32)];
    const phase: Phase = { ...handingOver, handOver: { ...handOver, registers } };
    for (const firstSliceAt of [[], [1], [1, 2, 3]]) {
      const step = stepFrom(phase, up, received({ ...RESUMED, firstSliceAt }));
      expect(step.state.phase).toMatchObject({ outcome: { owner: 'in doubt' } });
      expect(kindsOf(step)).not.toContain('note-resumed');
    }
    expect(kindsOf(stepFrom(phase, up, received({ ...RESUMED, firstSliceAt: [1, 2] })))).toContain(
      'note-resumed',
    );
  });

  it('measures nothing by an answer to what it did not ask yet', () => {
    const early = received({ name: 'PONG', sentAt: 1e9, answeredAt: 1e9 });
    expect(stepFrom(pushing, up, early)).toMatchObject({ state: { phase: pushing }, effects: [] });
  });

  it.each([handingOver, pushing])('lets lost page connections end nothing while $name', (phase) => {
    expect(stepFrom(phase, up, { kind: 'timer', timer: 'pages' })).toMatchObject({
      state: { phase },
      effects: [],
    });
  });

  it('asks for the answer again and again, and dials one connection at a time for it', () => {
    const timeout: OutgoingEvent = { kind: 'timer', timer: 'phase' };
    const again = { kind: 'arm', timer: 'phase', ms: plan.answerMs };
    const dialling = stepFrom(handingOver, { name: 'dialling', attempts: 1, instanceId: 'first' }, timeout);
    expect(dialling.effects).toEqual([again]);
    expect(dialling.state.control.name).toBe('dialling');
    const asked = stepFrom(handingOver, up, timeout);
    expect(asked.effects).toContainEqual(again);
    expect(asked.state.control.name).toBe('waiting');
  });

  it('goes on asking a destination that is there, however long it takes', () => {
    const inDoubt: Phase = { ...handingOver, isInDoubt: true };
    const timeout: OutgoingEvent = { kind: 'timer', timer: 'doubt' };
    expect(stepFrom(inDoubt, up, timeout).state.phase.name).toBe('handing-over');
    expect(stepFrom(inDoubt, { name: 'waiting', attempts: 3, error }, timeout).state.phase.name).toBe(
      'ended',
    );
  });

  it('keeps an audit that comes before its push is acknowledged', () => {
    const audited = received({
      name: 'AUDITED',
      passed: true,
      checked: 1,
      failed: 0,
      findings: [],
      samples: new Float64Array(0),
      gaps: new Float64Array(0),
      longestStallUs: 0,
    });
    const arrived: Phase = { ...pushing, arrived: ARRIVED };
    const kept = stepFrom(arrived, up, audited);
    expect(kept.state.phase.name).toBe('pushing');
    const facts = { dirtyPages: 1, sentBytes: 1, durationMs: 1 };
    const done = stepFrom(kept.state.phase, up, { kind: 'round-placed', facts });
    expect(done.state.phase).toMatchObject({ name: 'ended', outcome: { kind: 'completed' } });
    expect(kindsOf(done)).toContain('note-audit');
  });

  it('does not wait for ever for the acknowledgement of a push whose pages have all arrived', () => {
    const told = stepFrom(pushing, up, received(ARRIVED));
    expect(told.effects).toEqual([{ kind: 'arm', timer: 'phase', ms: plan.answerMs }]);
    const step = stepFrom(told.state.phase, up, { kind: 'timer', timer: 'phase' });
    expect(step.state.phase.name).toBe('awaiting-audit');
  });

  it('tells a destination that waits for its pages when it ends with them', () => {
    const failed: OutgoingEvent = { kind: 'failed', error };
    const step = stepFrom(pushing, up, failed);
    expect(kindsOf(step)).toEqual(['send', 'hang-up', 'end']);
    expect(step.effects[0]).toMatchObject({ message: { name: 'CANCEL', code: 'CONNECTION_LOST' } });
    expect(kindsOf(stepFrom({ ...pushing, arrived: ARRIVED }, up, failed))).not.toContain('send');
  });

  it('calls a guest lost that the destination took over and cannot go on with', () => {
    const step = stepFrom(
      pushing,
      up,
      received({ name: 'CANCEL', code: 'PAGES_LOST', reason: 'pages were lost' }),
    );
    expect(step.state.phase).toMatchObject({ outcome: { kind: 'failed', owner: 'lost' } });
    expect(kindsOf(step)).not.toContain('release-guest');
  });

  it('reports what the destination says went wrong as what it was', () => {
    for (const code of cancelCodes) {
      const step = stepFrom(pushing, up, received({ name: 'CANCEL', code, reason: 'why' }));
      expect(step.state.phase).toMatchObject({ outcome: { error: { code } } });
    }
  });
});

describe('the destination', () => {
  const limits: IncomingLimits = {
    ...incomingLimits,
    phases: { prepareMs: 55, idleMs: 120, resumeMs: 60, auditMs: 540, leaveMs: 61 },
  };
  const prepare: MessageOf<'PREPARE'> = {
    name: 'PREPARE',
    guest: { program: 'any', memoryBytes: 4096, vcpus: 1, seed: 0, writeRate: 0, hotSetBytes: 0 },
    pagePorts: [1],
    faultPort: 1,
    audits: false,
    auditAfterMs: 0,
  };
  const preparing: IncomingState = { name: 'preparing', prepare, arePagesLost: false };
  const lacking = { name: 'lacking', lackedPages: 7, wait: 'patient' } as const;
  const resuming: IncomingState = {
    name: 'resuming',
    prepare,
    pages: lacking,
  };
  const running: IncomingState = {
    name: 'running',
    prepare,
    answers: [RESUMED],
    resumedAt: 1000,
    pages: lacking,
  };
  const farewell = { kind: 'arm', timer: 'farewell', ms: limits.farewellMs };
  const step = (state: IncomingState, event: IncomingEvent): ReturnType<typeof stepIncoming> =>
    stepIncoming(limits, state, event);
  const missed: IncomingEvent = { kind: 'timer', timer: 'farewell' };
  const impatient = (state: IncomingState, event: IncomingEvent): ReturnType<typeof stepIncoming> =>
    stepIncoming({ ...limits, endsWithoutPages: true }, state, event);

  const receiving = (round: number, pages: number): IncomingState => ({
    name: 'receiving',
    prepare,
    arePagesLost: false,
    placed: { round, pages },
  });
  const validated = {
    kind: 'validated',
    validated: { lacking: new PageBitmap(7), lackingPages: 7, receivedAt: 0, validatedAt: 0 },
  } as const;
  const handedOver = (
    state: IncomingState,
    message: MessageOf<'HAND_OVER'>,
  ): ReturnType<typeof stepIncoming> => {
    const received = step(state, { kind: 'received', message, receivedAt: 0 });
    return step(received.state, validated);
  };

  it.each([
    ['the pages follow', handOver, { round: 1, pages: 50 }],
    ['the last round brought them', { ...handOver, pagesFollow: false }, { round: 2, pages: 7 }],
  ])('resumes once every connection is quiet and what came is confirmed: %s', (_, message, placed) => {
    const early = handedOver(receiving(placed.round - 1, 9), message);
    expect(early.state.name).toBe('placing');
    expect(early.effects.map(({ kind }) => kind)).toEqual(['arm']);
    const quiet = step(early.state, { kind: 'round-placed', ...placed });
    expect(quiet.effects.map(({ kind }) => kind)).toEqual(['disarm', 'confirm']);
    expect(step(quiet.state, { kind: 'round-placed', ...placed }).effects).toEqual([]);
    expect(step(quiet.state, { kind: 'confirmed' }).effects[0]).toEqual({
      kind: 'resume',
      handOver: message,
      validated: validated.validated,
      lackingPages: message.pagesFollow ? 7 : 0,
    });
    expect(handedOver(receiving(placed.round, placed.pages), message).effects).toEqual(quiet.effects);
  });

  it('refuses a guest whose pages were still on their way, or not those that were promised', () => {
    const quiet = handedOver(receiving(1, 50), handOver);
    const declined = step(quiet.state, { kind: 'declined', code: 'PROTOCOL', error });
    expect(declined.state).toMatchObject({ outcome: { kind: 'refused', answer: { code: 'PROTOCOL' } } });
    for (const placed of [2, 3])
      expect(handedOver(receiving(placed, 7), handOver).state).toMatchObject({
        outcome: { kind: 'refused' },
      });
  });

  it.each([6, 8])('refuses a pre-copy whose last round brought %i pages and not the 7 promised', (pages) => {
    const { state } = handedOver(receiving(2, pages), { ...handOver, pagesFollow: false });
    expect(state).toMatchObject({ outcome: { kind: 'refused', answer: { code: 'PROTOCOL' } } });
  });

  it('refuses a guest whose rounds come out of turn, but not one that runs', () => {
    expect(step(receiving(0, 1), { kind: 'out-of-turn', error }).state).toMatchObject({
      outcome: { kind: 'refused', answer: { code: 'PROTOCOL' } },
    });
    expect(step(running, { kind: 'out-of-turn', error })).toEqual({ state: running, effects: [] });
  });

  it('settles pages that had all arrived before it knew that the guest runs', () => {
    const early = step(resuming, { kind: 'all-arrived' });
    expect(step(early.state, { kind: 'resumed', resumedAt: 1000, answer: RESUMED }).effects).toContainEqual({
      kind: 'settle',
    });
  });

  it('waits no more for a source that came back while the guest was being resumed', () => {
    const lost = step(resuming, { kind: 'control-lost', error });
    expect(lost.effects).toEqual([farewell]);
    expect(step(lost.state, { kind: 'attached' }).effects).toContainEqual({
      kind: 'disarm',
      timer: 'farewell',
    });
  });

  it('waits on for a source whose pages come while its control connection is silent', () => {
    expect(step(running, { kind: 'source-heard' })).toEqual({ state: running, effects: [farewell] });
  });

  it('misses a source that it lost before the hand-over was checked, once the guest runs', () => {
    expect(step(running, { kind: 'timer', timer: 'control' }).effects).toEqual([farewell]);
  });

  it('names no ending while it resumes or settles', () => {
    const settling: IncomingState = { ...running, pages: { name: 'settling', lackedPages: 7 } };
    for (const state of [resuming, settling])
      expect(step(state, { kind: 'timer', timer: 'farewell' })).toEqual({ state, effects: [farewell] });
    expect(impatient(running, missed).state).toMatchObject({ outcome: { kind: 'pages-lost' } });
  });

  it('waits on for a source that is away with pages of its guest, and says so once an absence', () => {
    const away = { kind: 'report-source', isAway: true };
    const first = step(running, missed);
    expect(first.state).toMatchObject({ name: 'running', pages: { name: 'lacking' } });
    expect(first.effects).toEqual([farewell, away]);
    expect(step(first.state, missed)).toEqual({ state: first.state, effects: [farewell] });
    const lost: IncomingEvent = { kind: 'pages-lost', error };
    expect(step(first.state, lost).effects).toEqual([{ kind: 'arm', timer: 'retry', ms: limits.retryMs }]);
    const back = step(first.state, { kind: 'attached' });
    expect(back.state).toEqual(running);
    expect(back.effects).toContainEqual({ kind: 'report-source', isAway: false });
    expect(step(step(first.state, { kind: 'source-heard' }).state, missed).effects).toContainEqual(away);
  });

  it('takes the last pages from a source that is back, or from nobody in particular, and waits for none then', () => {
    const { state } = step(running, missed);
    const arrived = step(state, { kind: 'all-arrived' });
    expect(arrived.effects).toEqual([{ kind: 'settle' }]);
    const settled = step(arrived.state, {
      kind: 'settled',
      settledAt: 5000,
      fetchedPages: 3,
      faults: FAULTS,
    });
    expect(settled.effects).toEqual([
      {
        kind: 'send',
        message: { name: 'ARRIVED', pushedPages: 4, fetchedPages: 3, ...FAULTS, durationMs: 4 },
      },
      { kind: 'arm', timer: 'phase', ms: limits.phases.leaveMs },
    ]);
    expect(step(settled.state, missed).state).toMatchObject({ outcome: { kind: 'running' } });
    expect(step(arrived.state, { kind: 'cancel', reason: 'SIGINT' }).state.name).toBe('running');
  });

  it('gives up the pages of a source that is away when its user says so, at once or once it is', () => {
    const cancel: IncomingEvent = { kind: 'cancel', reason: 'SIGINT' };
    const lost = { name: 'ended', outcome: { kind: 'pages-lost' } };
    expect(step(step(running, missed).state, cancel).state).toMatchObject(lost);
    const told = step(running, cancel);
    expect(told).toMatchObject({ state: { name: 'running' }, effects: [] });
    expect(step(step(told.state, { kind: 'attached' }).state, missed).state).toMatchObject(lost);
    const early = step(step(resuming, cancel).state, { kind: 'resumed', resumedAt: 1000, answer: RESUMED });
    expect(step(early.state, missed).state).toMatchObject(lost);
  });

  it.each([{ name: 'CANCEL', code: 'CANCELLED', reason: 'it ends' }, { name: 'FAREWELL' }] as const)(
    'gives up the pages of a source that leaves with them and says $name',
    (message) => {
      const told = step(running, { kind: 'received', message, receivedAt: 0 });
      expect(told.state.name).toBe('running');
      expect(step(told.state, missed).state).toMatchObject({ outcome: { kind: 'pages-lost' } });
    },
  );

  it('says so when a guest that it took over cannot be resumed', () => {
    const { state, effects } = step(resuming, { kind: 'declined', code: 'GUEST_FAILED', error });
    expect(state).toMatchObject({ name: 'ended', outcome: { kind: 'failed' } });
    expect(effects[0]).toMatchObject({ kind: 'send', message: { name: 'CANCEL' } });
  });

  it('counts the limit of lost page connections from the first loss, not from the last dial that failed', () => {
    const lost: IncomingEvent = { kind: 'pages-lost', error };
    const first = step(preparing, lost);
    expect(first.effects).toContainEqual({ kind: 'arm', timer: 'pages', ms: limits.pagesLostMs });
    const second = step(first.state, lost);
    expect(second.effects).toEqual([{ kind: 'arm', timer: 'retry', ms: limits.retryMs }]);
    const connected = step(second.state, { kind: 'pages-connected' });
    expect(step(connected.state, lost).effects).toEqual(first.effects);
  });

  it('waits for the farewell of a source that it hung up on', () => {
    const message = { name: 'FAREWELL' } as const;
    const { effects } = step(running, { kind: 'received', message, receivedAt: 0 });
    expect(effects).toEqual([{ kind: 'hang-up' }, farewell]);
  });

  it('tells a source that comes back after the end what it missed', () => {
    const { state } = impatient(running, missed);
    const { effects } = step(state, { kind: 'attached' });
    expect(effects).toMatchObject([
      { kind: 'send', message: { name: 'RESUMED' } },
      { kind: 'send', message: { name: 'CANCEL' } },
      { kind: 'hang-up' },
    ]);
  });
});
