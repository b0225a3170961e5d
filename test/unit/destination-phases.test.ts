// Every phase of the destination ends: by itself, or by its limit, and then with a clear word to the source.
import { describe, expect, it } from 'vitest';
import type { IncomingEvent, IncomingStep } from '../../src/destination/states/events.js';
import { PHASE_LIMITS } from '../../src/destination/states/limits.js';
import type { IncomingState } from '../../src/destination/states/states.js';
import { beginIncoming, stepIncoming } from '../../src/destination/states/step.js';
import { MicrostunError } from '../../src/shared/errors.js';
import { incomingLimits as limits } from '../support/incoming-limits.js';
import { examples } from './message-examples.js';

const [prepare] = examples.PREPARE;
const answers = [examples.RESUMED[0]];
const common = { prepare, arePagesLost: false };

const states = {
  greeted: beginIncoming(),
  preparing: { name: 'preparing', ...common },
  receiving: { name: 'receiving', ...common },
  placing: { name: 'placing', ...common },
  resuming: {
    name: 'resuming',
    prepare,
    resumedAt: 0,
    pages: { name: 'lacking', lackedPages: 7, wait: 'patient' },
  },
  running: {
    name: 'running',
    prepare,
    answers,
    resumedAt: 0,
    pages: { name: 'lacking', lackedPages: 7, wait: 'patient' },
  },
  whole: {
    name: 'running',
    prepare: { ...prepare, audits: false },
    answers,
    resumedAt: 0,
    pages: { name: 'whole' },
  },
  auditing: { name: 'auditing', answers },
  told: { name: 'told', answers },
} as const satisfies Record<string, IncomingState>;

const step = (state: IncomingState, event: IncomingEvent): IncomingStep => stepIncoming(limits, state, event);
const timeout = (state: IncomingState): IncomingStep => step(state, { kind: 'timer', timer: 'phase' });
const refused = { name: 'ended', outcome: { kind: 'refused' } };
const failed = { name: 'ended', outcome: { kind: 'failed' } };

describe('a phase that lasts too long', () => {
  it.each(['preparing', 'receiving'] as const)('is refused while %s', (name) => {
    const { state, effects } = timeout(states[name]);
    expect(state).toMatchObject(refused);
    expect(effects[0]).toMatchObject({ message: { name: 'REFUSAL', code: 'TIMEOUT' } });
  });

  it('ends with a report when the guest does not resume: it cannot be refused any more', () => {
    const { state, effects } = timeout(states.resuming);
    expect(state).toMatchObject(failed);
    expect(effects[0]).toMatchObject({ message: { name: 'CANCEL', code: 'TIMEOUT' } });
  });

  it('is told as a failed audit, and the guest runs on', () => {
    const { state, effects } = timeout(states.auditing);
    expect(state.name).toBe('told');
    expect(effects).toMatchObject([
      { kind: 'stop-audit' },
      { message: { name: 'AUDITED', passed: false } },
      { kind: 'arm', timer: 'phase', ms: PHASE_LIMITS.leaveMs },
    ]);
  });

  it.each(['told', 'whole'] as const)('waits no more for a farewell (%s)', (name) => {
    expect(timeout(states[name]).state).toMatchObject({ outcome: { kind: 'running', isSourceGone: true } });
  });

  it('is none while a guest runs that waits for its pages', () => {
    expect(timeout(states.running)).toEqual({ state: states.running, effects: [] });
  });
});

describe('page connections that were lost', () => {
  const retry = { kind: 'timer', timer: 'retry' } as const;

  it.each(['preparing', 'receiving', 'placing', 'running'] as const)('are dialled again while %s', (name) => {
    const lost = new MicrostunError('CONNECTION_LOST', 'cut');
    const { state, effects } = step(states[name], { kind: 'pages-lost', error: lost });
    expect(effects).toContainEqual({ kind: 'arm', timer: 'retry', ms: limits.retryMs });
    expect(step(state, retry).effects).toContainEqual({ kind: 'reconnect-pages' });
  });

  it('are not dialled any more after the end', () => {
    const { state } = timeout(states.receiving);
    expect(step(state, retry).effects).toEqual([]);
  });
});

describe('the time of a phase', () => {
  const kinds = (effects: IncomingStep['effects']): readonly unknown[] =>
    effects.filter((effect) => 'timer' in effect && effect.timer === 'phase');

  it('begins where the phase begins, and ends with it', () => {
    const begun = step(states.greeted, { kind: 'received', message: prepare, receivedAt: 0 });
    expect(kinds(begun.effects)).toEqual([{ kind: 'arm', timer: 'phase', ms: PHASE_LIMITS.prepareMs }]);
    const receiving = step(begun.state, { kind: 'prepared' });
    expect(kinds(receiving.effects)).toEqual([{ kind: 'arm', timer: 'phase', ms: PHASE_LIMITS.idleMs }]);
    const handedOver = step(receiving.state, { kind: 'placing' });
    expect(kinds(handedOver.effects)).toEqual([{ kind: 'disarm', timer: 'phase' }]);
  });

  it('begins anew while pages come, and pings are no pages', () => {
    const again = [{ kind: 'arm', timer: 'phase', ms: PHASE_LIMITS.idleMs }];
    for (const event of [
      { kind: 'pages-moved' },
      { kind: 'round-placed', round: 1, pages: 3 },
      { kind: 'attached' },
    ] as const)
      expect(kinds(step(states.receiving, event).effects)).toEqual(again);
    const ping = { name: 'PING', sentAt: 1 } as const;
    expect(kinds(step(states.receiving, { kind: 'received', message: ping, receivedAt: 0 }).effects)).toEqual(
      [],
    );
  });
});

describe('a source that keeps its place and brings nothing', () => {
  const armed = (state: IncomingState, event: IncomingEvent): boolean =>
    step(state, event).effects.some((effect) => effect.kind === 'arm' && effect.timer === 'phase');

  it('does not keep it by rounds without a page', () => {
    expect(armed(states.receiving, { kind: 'round-placed', round: 1, pages: 0 })).toBe(false);
    expect(armed(states.receiving, { kind: 'round-placed', round: 1, pages: 1 })).toBe(true);
  });

  it('may come back so often, and is refused then', () => {
    let state: IncomingState = states.receiving;
    const comeBack = (): IncomingStep => {
      const lost = step(state, {
        kind: 'control-lost',
        error: new MicrostunError('CONNECTION_LOST', 'gone'),
      });
      return step(lost.state, { kind: 'attached' });
    };
    for (let time = 0; time < PHASE_LIMITS.comebacksMax; time++) ({ state } = comeBack());
    expect(state.name).toBe('receiving');
    expect(comeBack().state).toMatchObject({ name: 'ended', outcome: { error: { code: 'TIMEOUT' } } });
    // A page in between is a sign that it means to move a guest.
    ({ state } = step(state, { kind: 'pages-moved' }));
    ({ state } = comeBack());
    expect(state.name).toBe('receiving');
  });
});

describe('a guest that throws', () => {
  const error = new MicrostunError('GUEST_FAILED', 'thrown');
  const thrown: IncomingEvent = { kind: 'failed', error };

  it.each(['greeted', 'preparing', 'receiving', 'placing'] as const)('is refused while %s', (name) => {
    const { state, effects } = step(states[name], thrown);
    expect(state).toMatchObject(refused);
    expect(effects[0]).toMatchObject({ message: { name: 'REFUSAL', code: 'GUEST_FAILED' } });
  });

  it.each(['resuming', 'running', 'whole', 'auditing', 'told'] as const)(
    'ends the migration while %s, and the source hears why',
    (name) => {
      const { state, effects } = step(states[name], thrown);
      expect(state).toMatchObject(failed);
      expect(effects[0]).toMatchObject({ message: { name: 'CANCEL', code: 'GUEST_FAILED' } });
    },
  );
});

describe('a cancel', () => {
  it.each(['greeted', 'preparing', 'receiving', 'placing'] as const)('is heard while %s', (name) => {
    expect(step(states[name], { kind: 'cancel', reason: 'SIGINT' }).state).toMatchObject(refused);
    expect(
      step(states[name], { kind: 'received', message: examples.CANCEL[0], receivedAt: 0 }).state,
    ).toMatchObject(refused);
  });
});

describe('a worker that brings pages and fails', () => {
  const failure: IncomingEvent = {
    kind: 'helper-failed',
    error: new MicrostunError('WORKER_FAILED', 'the receiver 0 worker failed'),
  };

  it.each(['whole', 'auditing', 'told'] as const)('ends no guest that lacks nothing (%s)', (name) => {
    expect(step(states[name], failure)).toEqual({ state: states[name], effects: [] });
  });

  it('ends no guest that is being resumed with all of its pages', () => {
    const resuming = { ...states.resuming, pages: { name: 'whole' } } as const;
    expect(step(resuming, failure)).toEqual({ state: resuming, effects: [] });
  });

  it.each(['preparing', 'receiving', 'placing'] as const)(
    'refuses a guest that has not come (%s)',
    (name) => {
      expect(step(states[name], failure).state).toMatchObject(refused);
    },
  );

  it.each(['resuming', 'running'] as const)('ends a guest that lacks pages (%s)', (name) => {
    expect(step(states[name], failure).state).toMatchObject(failed);
  });
});
