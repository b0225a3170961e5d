// A source at the destination's door: one that says nothing, and one that cannot be dialled.
import { describe, expect, it } from 'vitest';
import {
  beginReception,
  GREETED_MS,
  stageLimits,
  stepReception,
  type ReceptionEvent,
  type ReceptionLimits,
  type ReceptionStep,
  type Stage,
} from '../../src/destination/states/step.js';
import { MicrostunError } from '../../src/shared/errors.js';
import { examples } from './message-examples.js';

const [prepare] = examples.PREPARE;
const limits: ReceptionLimits = {
  controlLostMs: 1000,
  pagesLostMs: 500,
  retryMs: 10,
  placementMs: 1000,
  farewellMs: 2000,
  endsWithoutPages: false,
  stages: stageLimits,
};
const step = (stage: Stage, event: ReceptionEvent): ReceptionStep => stepReception(limits, stage, event);
const greeted = beginReception();
const preparing = step(greeted, { kind: 'received', message: prepare, receivedAt: 0 }).stage;
const receiving = step(preparing, { kind: 'prepared', preparedMs: 1 }).stage;
const stages = { greeted, preparing, receiving };
const refused = { name: 'ended', ending: { kind: 'refused' } };

describe('a source that greeted', () => {
  const arm = { kind: 'arm', timer: 'greeted', ms: GREETED_MS };

  it('has so long to say what it brings, however often it comes again and whatever it pings', () => {
    const attached = step(stages.greeted, { kind: 'attached' });
    expect(attached.effects).toContainEqual(arm);
    const ping: ReceptionEvent = {
      kind: 'received',
      message: { name: 'PING', sentAt: 1 },
      receivedAt: 0,
    };
    for (const event of [{ kind: 'attached' }, ping] as const)
      expect(step(attached.stage, event).effects).not.toContainEqual(arm);
    const prepares = step(attached.stage, { kind: 'received', message: prepare, receivedAt: 0 });
    expect(prepares.effects).toContainEqual({ kind: 'disarm', timer: 'greeted' });
    const { stage, effects } = step(attached.stage, { kind: 'timer', timer: 'greeted' });
    expect(stage).toMatchObject(refused);
    expect(effects[0]).toMatchObject({ message: { name: 'REFUSAL', code: 'TIMEOUT' } });
  });
});

describe('a source that cannot be dialled', () => {
  const never: ReceptionEvent = {
    kind: 'pages-lost',
    error: new MicrostunError(
      'CONNECT_FAILED',
      'cannot connect to 192.0.2.5:40001: no answer within 2500 ms',
    ),
  };
  const lost: ReceptionEvent = {
    kind: 'pages-lost',
    error: new MicrostunError('CONNECTION_LOST', 'cannot connect to 192.0.2.5:40001: nobody listens there'),
  };
  const armed = (effects: ReceptionStep['effects']): readonly unknown[] =>
    effects.flatMap((effect) => (effect.kind === 'arm' ? [effect.timer] : []));
  const elapsed: ReceptionEvent = { kind: 'timer', timer: 'unreachable' };

  it.each(['preparing', 'receiving'] as const)('and never could be is told so soon (%s)', (name) => {
    const first = step(stages[name], never);
    expect(armed(first.effects)).toEqual(['retry', 'unreachable', 'pages']);
    const second = step(first.stage, never);
    expect(armed(second.effects)).toEqual(['retry']);
    const { stage, effects } = step(second.stage, elapsed);
    expect(stage).toMatchObject({ name: 'ended', ending: { error: { code: 'CONNECT_FAILED' } } });
    const [refusal] = effects;
    expect(refusal).toMatchObject({ message: { name: 'REFUSAL', code: 'CONNECT_FAILED' } });
    const reason = (refusal as { message: { reason: string } }).message.reason;
    for (const word of ['192.0.2.5:40001: no answer', '--listen', 'firewall', '40001, 40002, 40003'])
      expect(reason).toContain(word);
  });

  it('but was connected meanwhile is not refused', () => {
    const { stage, effects } = step(step(stages.preparing, never).stage, { kind: 'pages-connected' });
    expect(effects).toContainEqual({ kind: 'disarm', timer: 'unreachable' });
    expect(step(stage, elapsed)).toEqual({ stage, effects: [] });
  });

  it('any more, once it was, has the time of lost connections, and is told another word', () => {
    const later = step(stages.receiving, lost);
    expect(armed(later.effects)).toEqual(['retry', 'pages']);
    expect(step(later.stage, { kind: 'timer', timer: 'pages' }).effects[0]).toMatchObject({
      message: { name: 'REFUSAL', code: 'CONNECTION_LOST' },
    });
  });
});
