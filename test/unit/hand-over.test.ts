// Both sides' state machines around the hand-over, one step at a time: what the simulation found, or cannot reach.
import { planOf } from '../support/plan.js';
import { describe, expect, it } from 'vitest';
import type { FaultSummary, IncomingEvent } from '../../src/destination/states/events.js';
import type { IncomingLimits } from '../../src/destination/states/limits.js';
import type { GuestPages, IncomingState } from '../../src/destination/states/states.js';
import { stepIncoming } from '../../src/destination/states/step.js';
import type { TakenOver } from '../../src/destination/take-over.js';
import { MicrostunError } from '../../src/shared/errors.js';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import { cancelCodes, type MessageOf } from '../../src/shared/wire/messages.js';
import type { OutgoingStep } from '../../src/source/states/effects.js';
import type { OutgoingEvent } from '../../src/source/states/events.js';
import type { HandedOver, OutgoingState, Phase } from '../../src/source/states/states.js';
import { stepOutgoing } from '../../src/source/states/step.js';
import { incomingLimits } from '../support/incoming-limits.js';

const error = new MicrostunError('CONNECTION_LOST', 'lost');
const handOver: HandedOver = { vcpus: 0, round: 2, pagesFollow: true };

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

const AUDITED: MessageOf<'AUDITED'> = {
  name: 'AUDITED',
  passed: true,
  checked: 1,
  failed: 0,
  findings: [],
  samples: new Float64Array(0),
  gaps: new Float64Array(0),
  longestStallUs: 0,
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
  const plan = planOf({
    roundsMax: 3,
    onTimeout: 'abort',
    audits: true,
    endsInDoubt: true,
    endsStillPush: true,
  });
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

  it('does not take the guest back from a destination that has said that it runs it', () => {
    const refusal = received({ name: 'REFUSAL', version: PROTOCOL_VERSION, code: 'TIMEOUT', reason: 'late' });
    const alone = { ...handingOver, handOver: { ...handOver, pagesFollow: false } } as const;
    const taken = stepFrom(alone, up, { kind: 'taken-over', receivedAt: 0 });
    const step = stepFrom(taken.state.phase, up, refusal);
    expect(kindsOf(step)).not.toContain('release-guest');
    expect(step.state.phase).toMatchObject({ outcome: { owner: 'destination' } });
  });

  it('still knows in doubt that page connections were lost', () => {
    const state = { phase: handingOver, control: up, arePagesLost: true };
    const asking = { ...plan, endsInDoubt: false };
    const error = received({ name: 'REFUSAL', version: PROTOCOL_VERSION, code: 'BUSY', reason: 'later' });
    const step = stepOutgoing(asking, state, error);
    expect(step.state).toMatchObject({
      phase: { name: 'handing-over', isInDoubt: true },
      arePagesLost: true,
    });
  });

  it('says who welcomed it before when it greets again', () => {
    const dialled: OutgoingEvent = { kind: 'dialled' };
    const first = stepFrom({ name: 'connecting' }, { name: 'dialling', attempts: 1 }, dialled);
    expect(first.effects).toEqual([{ kind: 'greet', welcomedBy: '' }]);
    const again = stepFrom(handingOver, { name: 'dialling', attempts: 1, instanceId: 'first' }, dialled);
    expect(again.effects).toEqual([{ kind: 'greet', welcomedBy: 'first' }]);
  });

  it('is in doubt when the destination speaks of other vCPUs than it was given', () => {
    const phase: Phase = { ...handingOver, handOver: { ...handOver, vcpus: 2 } };
    for (const firstSliceAt of [[], [1], [1, 2, 3]]) {
      const step = stepFrom(phase, up, received({ ...RESUMED, firstSliceAt }));
      expect(step.state.phase).toMatchObject({ outcome: { owner: 'in doubt' } });
      expect(kindsOf(step)).not.toContain('note-resumed');
    }
    expect(kindsOf(stepFrom(phase, up, received({ ...RESUMED, firstSliceAt: [1, 2] })))).toContain(
      'note-resumed',
    );
  });

  it('begins the push with the word that the guest is taken over, and hears later how it began to run there', () => {
    const begun = stepFrom({ ...handingOver, handOver: { ...handOver, vcpus: 2 } }, up, {
      kind: 'taken-over',
      receivedAt: 7,
    });
    expect(begun.effects[0]).toEqual({ kind: 'push', round: 2 });
    expect(begun.effects).toContainEqual({ kind: 'note-taken-over', receivedAt: 7 });
    expect(kindsOf(begun)).not.toContain('release-guest');
    const { phase } = begun.state;
    expect(phase).toMatchObject({ name: 'pushing', isResumed: false });
    const resumed = stepFrom(phase, up, received({ ...RESUMED, firstSliceAt: [1, 2] }));
    expect(resumed.state.phase).toEqual({ ...phase, isResumed: true });
    expect(kindsOf(resumed)).toEqual(['note-resumed']);
    // Said again.
    expect(stepFrom(resumed.state.phase, up, received({ ...RESUMED, firstSliceAt: [1, 2] })).effects).toEqual(
      [],
    );
    // Other vCPUs than it was given: it is there all the same, and not this side's any more.
    expect(stepFrom(phase, up, received({ ...RESUMED, firstSliceAt: [1] })).state.phase).toMatchObject({
      outcome: { owner: 'destination', error: { code: 'PROTOCOL' } },
    });
    for (const early of [ARRIVED, AUDITED])
      expect(stepFrom(phase, up, received(early)).state.phase).toMatchObject({
        outcome: { owner: 'destination', error: { code: 'PROTOCOL' } },
      });
  });

  it('whose last pages go within the stun has nothing to do until RESUMED', () => {
    const last: Phase = { ...handingOver, handOver: { ...handOver, pagesFollow: false } };
    const told = stepFrom(last, up, { kind: 'taken-over', receivedAt: 7 });
    expect(told).toMatchObject({
      state: { phase: last },
      effects: [{ kind: 'note-taken-over', receivedAt: 7 }],
    });
    expect(stepFrom(told.state.phase, up, received(RESUMED)).state.phase.name).toBe('awaiting-audit');
  });

  it('whose guest is not handed over in time has the destination dial anew, and gives up in the end', () => {
    const timeout: OutgoingEvent = { kind: 'timer', timer: 'phase' };
    const asked = stepFrom({ name: 'stopping', asks: 0 }, up, timeout);
    expect(asked.state.phase).toEqual({ name: 'stopping', asks: 1 });
    expect(asked.state.control.name).toBe('waiting');
    expect(kindsOf(asked)).toEqual(['arm', 'hang-up', 'arm', 'arm']);
    const waiting: OutgoingState['control'] = { name: 'waiting', attempts: 3, error };
    expect(stepFrom({ name: 'stopping', asks: 1 }, waiting, timeout)).toMatchObject({
      state: { phase: { name: 'stopping', asks: 2 } },
      effects: [{ kind: 'arm', timer: 'phase', ms: plan.answerMs }],
    });
    const asks = (plan.phases.stopMs + plan.pagesLostMs) / plan.answerMs - 1;
    expect(kindsOf(stepFrom({ name: 'stopping', asks }, up, timeout))).toContain('release-guest');
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

  it('asks the destination to refuse what it can neither take back nor say again, now and on each new connection', () => {
    const failed = stepFrom(handingOver, up, { kind: 'failed', error, who: 'tracer' });
    const cancel = { kind: 'send', message: { name: 'CANCEL', code: 'CONNECTION_LOST' } };
    expect(failed.state.phase.name).toBe('handing-over');
    expect(failed.effects).toContainEqual(expect.objectContaining({ kind: 'warn' }));
    expect(failed.effects[1]).toMatchObject(cancel);
    const greeting: OutgoingState['control'] = { name: 'greeting', attempts: 1, instanceId: 'first' };
    const welcome = received({
      name: 'WELCOME',
      version: PROTOCOL_VERSION,
      instanceId: 'first',
      pid: 1,
      host: 'beta',
      round: 0,
      regions: 0,
    });
    const again = stepFrom(failed.state.phase, greeting, welcome);
    expect(again.effects.find(({ kind }) => kind === 'send')).toMatchObject(cancel);
    expect(kindsOf(stepFrom(handingOver, greeting, welcome))).not.toContain('send');
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
    const audited = received(AUDITED);
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
    phases: { prepareMs: 55, idleMs: 120, comebacksMax: 3, resumeMs: 60, auditMs: 540, leaveMs: 61 },
  };
  const prepare: MessageOf<'PREPARE'> = {
    name: 'PREPARE',
    guest: {
      program: 'any',
      memoryBytes: 4096,
      vcpus: 1,
      seed: 0,
      writeRate: 0,
      hotSetBytes: 0,
      residentBytes: 0,
      devices: [],
    },
    codeHash: '0'.repeat(64),
    touchedBytes: 65536,
    connections: 1,
    dials: 'destination',
    pagePorts: [1],
    faultPort: 1,
    pageChecks: true,
    verifies: false,
    audits: false,
    auditAfterMs: 0,
  };
  const preparing: IncomingState = { name: 'preparing', prepare, arePagesLost: false };
  const lacking = { name: 'lacking', lackedPages: 7, wait: 'patient' } as const;
  const resuming: IncomingState = { name: 'resuming', prepare, resumedAt: 1000, pages: lacking };
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

  const receiving: IncomingState = { name: 'receiving', prepare, arePagesLost: false };
  const placing: IncomingState = { name: 'placing', prepare, arePagesLost: false };
  const facts: TakenOver = {
    pagesFollow: true,
    lackingPages: 7,
    receivedAt: 900,
    validatedAt: 950,
    markedAt: 1000,
    answeredAt: 1001,
  };
  const resumed: IncomingEvent = { kind: 'resumed', answer: RESUMED };

  it('waits for the last pages of a hand-over, and no longer than that may take', () => {
    const late: IncomingEvent = { kind: 'timer', timer: 'placement' };
    const waiting = step(receiving, { kind: 'placing' });
    expect(waiting.state).toEqual(placing);
    expect(waiting.effects).toContainEqual({ kind: 'arm', timer: 'placement', ms: limits.placementMs });
    expect(step(placing, late).state).toMatchObject({
      outcome: { kind: 'refused', answer: { code: 'TIMEOUT' } },
    });
    expect(step(placing, { kind: 'taken-over', facts }).effects).toContainEqual({
      kind: 'disarm',
      timer: 'placement',
    });
  });

  it.each<[string, Partial<TakenOver>, GuestPages]>([
    ['the pages follow', {}, lacking],
    ['none are left', { lackingPages: 0 }, { name: 'settling', lackedPages: 0 }],
    ['the last round brought them', { pagesFollow: false, lackingPages: 0 }, { name: 'whole' }],
  ])(
    'hears that the guest is taken over, from whichever state it was ready in: %s',
    (_, differing, pages) => {
      const own = { ...facts, ...differing };
      for (const state of [receiving, placing]) {
        const taken = step(state, { kind: 'taken-over', facts: own });
        expect(taken.state).toEqual({ name: 'resuming', prepare, resumedAt: 1000, pages });
        expect(taken.effects).toContainEqual({ kind: 'await-slices', facts: own });
      }
      // Nothing that comes after the first time says anything new.
      expect(step(running, { kind: 'taken-over', facts: own })).toEqual({ state: running, effects: [] });
      expect(step(resuming, { kind: 'placing' })).toEqual({ state: resuming, effects: [] });
    },
  );

  it.each([
    ['before its last pages are waited for', receiving],
    ['while they are', placing],
  ])('refuses a guest whose hand-over is wrong, %s', (_, state) => {
    const declined = step(state, { kind: 'declined', code: 'PROTOCOL', error });
    expect(declined.state).toMatchObject({ outcome: { kind: 'refused', answer: { code: 'PROTOCOL' } } });
  });

  it('dials its faults anew for a source that is back: what it waits for may be lost on a connection that seems up', () => {
    for (const state of [receiving, resuming, running])
      expect(step(state, { kind: 'attached' }).effects).toContainEqual({ kind: 'redial-faults' });
    const whole: IncomingState = { ...running, pages: { name: 'whole' } };
    for (const state of [preparing, placing, whole])
      expect(step(state, { kind: 'attached' }).effects).not.toContainEqual({ kind: 'redial-faults' });
  });

  it('makes way for another migration until its guest has come, and does not end it then', () => {
    expect(step(receiving, { kind: 'make-way' }).state).toMatchObject({
      outcome: { kind: 'refused', answer: { code: 'CANCELLED' } },
    });
    for (const state of [resuming, running])
      expect(step(state, { kind: 'make-way' })).toEqual({ state, effects: [] });
  });

  it('refuses a guest whose rounds come out of turn, but not one that runs', () => {
    expect(step(receiving, { kind: 'out-of-turn', error }).state).toMatchObject({
      outcome: { kind: 'refused', answer: { code: 'PROTOCOL' } },
    });
    expect(step(running, { kind: 'out-of-turn', error })).toEqual({ state: running, effects: [] });
  });

  it('settles pages that had all arrived before it knew that the guest runs', () => {
    const early = step(resuming, { kind: 'all-arrived' });
    expect(step(early.state, resumed).effects).toContainEqual({
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
    const early = step(step(resuming, cancel).state, resumed);
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
