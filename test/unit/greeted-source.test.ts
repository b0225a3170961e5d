// A source at the destination's door: one that says nothing, and one that cannot be dialled.
import { describe, expect, it } from 'vitest';
import type { IncomingEvent, IncomingStep } from '../../src/destination/states/events.js';
import type { IncomingState } from '../../src/destination/states/states.js';
import { beginIncoming, stepIncoming } from '../../src/destination/states/step.js';
import { MicrostunError } from '../../src/shared/errors.js';
import { examples } from './message-examples.js';
import { incomingLimits as limits } from '../support/incoming-limits.js';
import { GREETED_MS_MAX } from '../../src/shared/limits.js';

const [prepare] = examples.PREPARE;
const step = (state: IncomingState, event: IncomingEvent): IncomingStep => stepIncoming(limits, state, event);
const greeted = beginIncoming();
const preparing = step(greeted, { kind: 'received', message: prepare, receivedAt: 0 }).state;
const receiving = step(preparing, { kind: 'prepared' }).state;
const states = { greeted, preparing, receiving };
const refused = { name: 'ended', outcome: { kind: 'refused' } };

describe('a source that greeted', () => {
  const arm = { kind: 'arm', timer: 'greeted', ms: GREETED_MS_MAX };

  it('has so long to say what it brings, however often it comes again and whatever it pings', () => {
    const attached = step(states.greeted, { kind: 'attached' });
    expect(attached.effects).toContainEqual(arm);
    const ping: IncomingEvent = {
      kind: 'received',
      message: { name: 'PING', sentAt: 1 },
      receivedAt: 0,
    };
    for (const event of [{ kind: 'attached' }, ping] as const)
      expect(step(attached.state, event).effects).not.toContainEqual(arm);
    const prepares = step(attached.state, { kind: 'received', message: prepare, receivedAt: 0 });
    expect(prepares.effects).toContainEqual({ kind: 'disarm', timer: 'greeted' });
    const { state, effects } = step(attached.state, { kind: 'timer', timer: 'greeted' });
    expect(state).toMatchObject(refused);
    expect(effects[0]).toMatchObject({ message: { name: 'REFUSAL', code: 'TIMEOUT' } });
  });
});

describe('a source that cannot be dialled', () => {
  const never: IncomingEvent = {
    kind: 'pages-lost',
    error: new MicrostunError(
      'CONNECT_FAILED',
      'cannot connect to 192.0.2.5:40001: no answer within 2500 ms',
    ),
  };
  const lost: IncomingEvent = {
    kind: 'pages-lost',
    error: new MicrostunError('CONNECTION_LOST', 'cannot connect to 192.0.2.5:40001: nobody listens there'),
  };
  const armed = (effects: IncomingStep['effects']): readonly unknown[] =>
    effects.flatMap((effect) => (effect.kind === 'arm' ? [effect.timer] : []));
  const elapsed: IncomingEvent = { kind: 'timer', timer: 'unreachable' };

  it.each(['preparing', 'receiving'] as const)('and never could be is told so soon (%s)', (name) => {
    const first = step(states[name], never);
    expect(armed(first.effects)).toEqual(['retry', 'unreachable', 'pages']);
    const second = step(first.state, never);
    expect(armed(second.effects)).toEqual(['retry']);
    const { state, effects } = step(second.state, elapsed);
    expect(state).toMatchObject({ name: 'ended', outcome: { error: { code: 'CONNECT_FAILED' } } });
    const [refusal] = effects;
    expect(refusal).toMatchObject({ message: { name: 'REFUSAL', code: 'CONNECT_FAILED' } });
    const reason = (refusal as { message: { reason: string } }).message.reason;
    for (const word of ['192.0.2.5:40001: no answer', '--listen', 'firewall', '40001, 40002, 40003'])
      expect(reason).toContain(word);
  });

  it('but was connected meanwhile is not refused', () => {
    const { state, effects } = step(step(states.preparing, never).state, { kind: 'pages-connected' });
    expect(effects).toContainEqual({ kind: 'disarm', timer: 'unreachable' });
    expect(step(state, elapsed)).toEqual({ state, effects: [] });
  });

  it('any more, once it was, has the time of lost connections, and is told another word', () => {
    const later = step(states.receiving, lost);
    expect(armed(later.effects)).toEqual(['retry', 'pages']);
    expect(step(later.state, { kind: 'timer', timer: 'pages' }).effects[0]).toMatchObject({
      message: { name: 'REFUSAL', code: 'CONNECTION_LOST' },
    });
  });
});
