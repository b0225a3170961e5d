// Every stage of the destination ends: by itself, or by its limit, and then with a clear word to the source.
import { describe, expect, it } from 'vitest';
import {
  beginReception,
  stageLimits,
  stepReception,
  type ReceptionEvent,
  type ReceptionLimits,
  type ReceptionStep,
  type Stage,
} from '../../src/destination/states/step.js';
import { MicrostunError } from '../../src/shared/errors.js';
import { examples } from './message-examples.js';

const limits: ReceptionLimits = {
  controlLostMs: 1000,
  pagesLostMs: 500,
  retryMs: 10,
  placementMs: 1000,
  farewellMs: 2000,
  endsWithoutPages: false,
  stages: stageLimits,
};
const [prepare] = examples.PREPARE;
const [handOver] = examples.HAND_OVER;
const [prepared] = examples.PREPARED;
const answers = [examples.RESUMED[0]];
const common = { prepare, arePagesLost: false };
const placed = { round: 0, pages: 0 };

const stages = {
  greeted: beginReception(),
  preparing: { name: 'preparing', ...common },
  receiving: { name: 'receiving', ...common, prepared, placed },
  validating: { name: 'validating', ...common, handOver, placed },
  placing: {
    name: 'placing',
    ...common,
    handOver,
    validated: { validationMs: 0, lackingPages: 7 },
    isConfirming: false,
  },
  resuming: { name: 'resuming', prepare, pagesFollow: true, haveAllArrived: false, wait: 'patient' },
  running: { name: 'running', prepare, answers, haveAllArrived: false, isWhole: false, wait: 'patient' },
  whole: {
    name: 'running',
    prepare: { ...prepare, audits: false },
    answers,
    haveAllArrived: true,
    isWhole: true,
    wait: 'patient',
  },
  auditing: { name: 'auditing', answers },
  told: { name: 'told', answers },
} as const satisfies Record<string, Stage>;

const step = (stage: Stage, event: ReceptionEvent): ReceptionStep => stepReception(limits, stage, event);
const timeout = (stage: Stage): ReceptionStep => step(stage, { kind: 'timer', timer: 'stage' });
const refused = { name: 'ended', ending: { kind: 'refused' } };
const failed = { name: 'ended', ending: { kind: 'failed' } };

describe('a stage that lasts too long', () => {
  it.each(['preparing', 'receiving'] as const)('is refused while %s', (name) => {
    const { stage, effects } = timeout(stages[name]);
    expect(stage).toMatchObject(refused);
    expect(effects[0]).toMatchObject({ message: { name: 'REFUSAL', code: 'TIMEOUT' } });
  });

  it('ends with a report when the guest does not resume: it cannot be refused any more', () => {
    const { stage, effects } = timeout(stages.resuming);
    expect(stage).toMatchObject(failed);
    expect(effects[0]).toMatchObject({ message: { name: 'CANCEL', code: 'TIMEOUT' } });
  });

  it('is told as a failed audit, and the guest runs on', () => {
    const { stage, effects } = timeout(stages.auditing);
    expect(stage.name).toBe('told');
    expect(effects).toMatchObject([
      { kind: 'stop-audit' },
      { message: { name: 'AUDITED', passed: false } },
      { kind: 'arm', timer: 'stage', ms: stageLimits.leaveMs },
    ]);
  });

  it.each(['told', 'whole'] as const)('waits no more for a farewell (%s)', (name) => {
    expect(timeout(stages[name]).stage).toMatchObject({ ending: { kind: 'running', isSourceGone: true } });
  });

  it('is none while a guest runs that waits for its pages', () => {
    expect(timeout(stages.running)).toEqual({ stage: stages.running, effects: [] });
  });
});

describe('the time of a stage', () => {
  const kinds = (effects: ReceptionStep['effects']): readonly unknown[] =>
    effects.filter((effect) => 'timer' in effect && effect.timer === 'stage');

  it('begins where the stage begins, and ends with it', () => {
    const begun = step(stages.greeted, { kind: 'received', message: prepare, receivedAt: 0 });
    expect(kinds(begun.effects)).toEqual([{ kind: 'arm', timer: 'stage', ms: stageLimits.prepareMs }]);
    const receiving = step(begun.stage, { kind: 'prepared', preparedMs: 1 });
    expect(kinds(receiving.effects)).toEqual([{ kind: 'arm', timer: 'stage', ms: stageLimits.idleMs }]);
    const handedOver = step(receiving.stage, { kind: 'received', message: handOver, receivedAt: 0 });
    expect(kinds(handedOver.effects)).toEqual([{ kind: 'disarm', timer: 'stage' }]);
  });

  it('begins anew while pages come, and pings are no pages', () => {
    const again = [{ kind: 'arm', timer: 'stage', ms: stageLimits.idleMs }];
    for (const event of [
      { kind: 'pages-moved' },
      { kind: 'round-placed', round: 1, pages: 3 },
      { kind: 'attached' },
    ] as const)
      expect(kinds(step(stages.receiving, event).effects)).toEqual(again);
    const ping = { name: 'PING', sentAt: 1 } as const;
    expect(kinds(step(stages.receiving, { kind: 'received', message: ping, receivedAt: 0 }).effects)).toEqual(
      [],
    );
  });
});

describe('a guest that throws', () => {
  const error = new MicrostunError('GUEST_FAILED', 'thrown');
  const thrown: ReceptionEvent = { kind: 'failed', error };

  it.each(['greeted', 'preparing', 'receiving', 'validating', 'placing'] as const)(
    'is refused while %s',
    (name) => {
      const { stage, effects } = step(stages[name], thrown);
      expect(stage).toMatchObject(refused);
      expect(effects[0]).toMatchObject({ message: { name: 'REFUSAL', code: 'GUEST_FAILED' } });
    },
  );

  it.each(['resuming', 'running', 'whole', 'auditing', 'told'] as const)(
    'ends the reception while %s, and the source hears why',
    (name) => {
      const { stage, effects } = step(stages[name], thrown);
      expect(stage).toMatchObject(failed);
      expect(effects[0]).toMatchObject({ message: { name: 'CANCEL', code: 'GUEST_FAILED' } });
    },
  );
});

describe('a cancel', () => {
  it.each(['greeted', 'preparing', 'receiving', 'validating', 'placing'] as const)(
    'is heard while %s',
    (name) => {
      expect(step(stages[name], { kind: 'cancel', reason: 'SIGINT' }).stage).toMatchObject(refused);
      expect(
        step(stages[name], { kind: 'received', message: examples.CANCEL[0], receivedAt: 0 }).stage,
      ).toMatchObject(refused);
    },
  );
});

describe('a worker that brings pages and fails', () => {
  const failure: ReceptionEvent = {
    kind: 'helper-failed',
    error: new MicrostunError('WORKER_FAILED', 'the receiver 0 worker failed'),
  };

  it.each(['whole', 'auditing', 'told'] as const)('ends no guest that lacks nothing (%s)', (name) => {
    expect(step(stages[name], failure)).toEqual({ stage: stages[name], effects: [] });
  });

  it('ends no guest that is being resumed with all of its pages', () => {
    const resuming = { ...stages.resuming, pagesFollow: false };
    expect(step(resuming, failure)).toEqual({ stage: resuming, effects: [] });
  });

  it.each(['preparing', 'receiving', 'placing'] as const)(
    'refuses a guest that has not come (%s)',
    (name) => {
      expect(step(stages[name], failure).stage).toMatchObject(refused);
    },
  );

  it.each(['resuming', 'running'] as const)('ends a guest that lacks pages (%s)', (name) => {
    expect(step(stages[name], failure).stage).toMatchObject(failed);
  });
});
