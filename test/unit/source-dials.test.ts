// Where the source dials the page and fault connections: what each side's state machine says, does and waits for.
import { planOf } from '../support/plan.js';
import { describe, expect, it } from 'vitest';
import { pageWays } from '../../src/destination/page-ways.js';
import { checkPrepare } from '../../src/destination/prepare-check.js';
import type { IncomingState } from '../../src/destination/states/states.js';
import { stepIncoming } from '../../src/destination/states/step.js';
import { MicrostunError, ProtocolError } from '../../src/shared/errors.js';
import { PAGES_RETRY_MS, UNREACHABLE_MS } from '../../src/shared/limits.js';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import type { OutgoingEvent } from '../../src/source/states/events.js';
import type { MigrationPlan } from '../../src/source/states/plan.js';
import type { OutgoingState, Phase } from '../../src/source/states/states.js';
import { stepOutgoing } from '../../src/source/states/step.js';
import { incomingLimits } from '../support/incoming-limits.js';
import { examples } from './message-examples.js';

const plan = planOf({ dials: 'source', audits: true });
const [listening] = examples.LISTENING;
const up: OutgoingState['control'] = { name: 'up', instanceId: 'first' };
const preparing: Phase = { name: 'preparing', isPrepared: false, arePagesUp: false };
const handOver = { vcpus: 1, round: 1, pagesFollow: true };
const handingOver: Phase = {
  name: 'handing-over',
  handOver,
  isInDoubt: false,
  doubts: 0,
  failure: undefined,
};
const pushing: Phase = {
  name: 'pushing',
  isResumed: true,
  vcpus: 1,
  round: 1,
  isPushed: false,
  arrived: undefined,
  audited: undefined,
  stills: 0,
};
const lost = new MicrostunError('CONNECTION_LOST', 'a page connection was closed by the destination');
const never = new MicrostunError(
  'CONNECT_FAILED',
  'cannot connect to 192.0.2.7:40001: no answer within 2500 ms',
);
const again = { kind: 'arm', timer: 'pages-retry', ms: PAGES_RETRY_MS };
const retry: OutgoingEvent = { kind: 'timer', timer: 'pages-retry' };
const limit = { kind: 'arm', timer: 'pages', ms: plan.pagesLostMs };

const at = (phase: Phase): OutgoingState => ({ control: up, phase });
const step = (state: OutgoingState, event: OutgoingEvent, by = plan) => stepOutgoing(by, state, event);
const said = (message: typeof listening): OutgoingEvent => ({ kind: 'received', message, receivedAt: 0 });

describe('a source that dials', () => {
  it('does so once it hears where, and once only', () => {
    const first = step(at(preparing), said(listening));
    const { pagePorts, faultPort } = listening;
    expect(first.effects).toEqual([{ kind: 'dial-pages', pagePorts, faultPort }]);
    expect(step(first.state, said(listening))).toEqual({ state: first.state, effects: [] });
  });

  it.each([handingOver, pushing, { name: 'stopping', asks: 0 } as const])(
    'dials all of them anew when it hears that again while it is $name: nothing comes there',
    (phase) => {
      expect(step(at(phase), said(listening)).effects).toEqual([{ kind: 'redial-pages' }]);
    },
  );

  it('is the only one that is to hear it', () => {
    const { state } = step(at(preparing), said(listening), { ...plan, dials: 'destination' });
    expect(state.phase).toMatchObject({
      name: 'ended',
      outcome: { owner: 'source', error: { code: 'PROTOCOL' } },
    });
  });

  it.each([handingOver, pushing, { name: 'stopping', asks: 0 } as const])(
    'dials again what is lost while it is $name, which another leaves to the destination',
    (phase) => {
      for (const event of [
        { kind: 'pages-lost', error: lost },
        { kind: 'faults-lost', error: lost },
      ] as const) {
        const { state, effects } = step(at(phase), event);
        expect(effects).toContainEqual(again);
        expect(step(state, retry).effects).toEqual([{ kind: 'reconnect-pages' }]);
        const other = step(at(phase), event, { ...plan, dials: 'destination' });
        expect(other.effects).not.toContainEqual(again);
      }
    },
  );

  it('dials no more once every page has arrived', () => {
    const done = at({ ...pushing, arrived: examples.ARRIVED[0] });
    expect(step(done, { kind: 'faults-lost', error: lost }).effects).toEqual([]);
    expect(step(done, retry).effects).toEqual([]);
    expect(step(done, said(listening)).effects).toEqual([]);
    const over = at({ name: 'awaiting-audit' });
    expect(step(over, { kind: 'pages-lost', error: lost }).effects).toEqual([]);
  });

  it('counts the time that its pages are lost from the first loss: each dial that fails is one more', () => {
    const first = step(at({ name: 'stopping', asks: 0 }), { kind: 'pages-lost', error: lost });
    expect(first.effects).toEqual([limit, again]);
    const second = step(first.state, { kind: 'pages-lost', error: lost });
    expect(second.effects).toEqual([again]);
    const back = step(second.state, { kind: 'pages-connected' });
    expect(back.effects).toEqual([{ kind: 'disarm', timer: 'pages' }]);
    expect(step(back.state, { kind: 'pages-lost', error: lost }).effects).toContainEqual(limit);
  });

  it.each([handingOver, pushing, { name: 'stopping', asks: 0 } as const])(
    'dials faults anew when its control connection is new while it is $name',
    (phase) => {
      const control: OutgoingState['control'] = { name: 'greeting', attempts: 1, instanceId: 'first' };
      const welcome = { ...examples.WELCOME[0], version: PROTOCOL_VERSION, instanceId: 'first' };
      const heard: OutgoingEvent = { kind: 'received', message: welcome, receivedAt: 0 };
      const redial = { kind: 'redial-faults' };
      expect(step({ control, phase }, heard).effects).toContainEqual(redial);
      const other: MigrationPlan = { ...plan, dials: 'destination' };
      expect(step({ control, phase }, heard, other).effects).not.toContainEqual(redial);
    },
  );

  it.each(['pages-lost', 'faults-lost'] as const)(
    'and never gets through says so soon, and what to do (%s)',
    (kind) => {
      const told = step(at(preparing), said(listening)).state;
      const first = step(told, { kind, error: never });
      const unreachable = { kind: 'arm', timer: 'unreachable', ms: UNREACHABLE_MS };
      expect(first.effects).toContainEqual(unreachable);
      const second = step(first.state, { kind, error: never });
      expect(second.effects).not.toContainEqual(unreachable);
      const { state } = step(second.state, { kind: 'timer', timer: 'unreachable' });
      expect(state.phase).toMatchObject({
        name: 'ended',
        outcome: { owner: 'source', error: { code: 'CONNECT_FAILED' } },
      });
      const { message } = (state.phase as { outcome: { error: MicrostunError } }).outcome.error;
      for (const word of [
        '192.0.2.7:40001: no answer',
        '--page-listen',
        'firewall',
        '40001, 40002, 40003',
        '--dial destination',
      ])
        expect(message).toContain(word);
    },
  );

  it('gets through late, and goes on', () => {
    const told = step(at(preparing), said(listening)).state;
    const failed = step(told, { kind: 'pages-lost', error: never }).state;
    const { state, effects } = step(failed, { kind: 'pages-connected' });
    expect(effects).toContainEqual({ kind: 'disarm', timer: 'unreachable' });
    expect(step(state, { kind: 'timer', timer: 'unreachable' })).toEqual({ state, effects: [] });
  });
});

const [told] = examples.PREPARE;
const prepare = { ...told, connections: 2, dials: 'source', pagePorts: [], faultPort: 0 } as const;
const awaiting: IncomingState = {
  name: 'preparing',
  prepare: { ...prepare, pagePorts: [] },
  arePagesLost: false,
};
const control = { host: '192.0.2.5', localHost: '192.0.2.7' };

describe('a destination whose source dials', () => {
  it('says where once everybody listens, and again to a source that asks', () => {
    const { pagePorts, faultPort } = listening;
    const { state, effects } = stepIncoming(incomingLimits, awaiting, {
      kind: 'listening',
      pagePorts,
      faultPort,
    });
    expect(effects).toEqual([{ kind: 'send', message: listening }]);
    const asked = { kind: 'received', message: awaiting.prepare, receivedAt: 0 } as const;
    expect(stepIncoming(incomingLimits, state, asked).effects).toEqual(effects);
    expect(stepIncoming(incomingLimits, awaiting, asked).effects).toEqual([]);
  });

  it('leaves a new fault connection to it, however often it comes again', () => {
    const { prepare: asked } = awaiting;
    const lacking: IncomingState = {
      name: 'running',
      prepare: asked,
      answers: [],
      resumedAt: 0,
      pages: { name: 'lacking', lackedPages: 1, wait: 'patient' },
    };
    for (const state of [{ ...awaiting, name: 'receiving' } as const, lacking]) {
      const { effects } = stepIncoming(incomingLimits, state, { kind: 'attached' });
      expect(effects).not.toContainEqual({ kind: 'redial-faults' });
    }
  });

  it('that has nowhere to listen refuses it in words', () => {
    const error = new MicrostunError('LISTEN_FAILED', '192.0.2.7:7100 is in use by another program');
    const { effects } = stepIncoming(incomingLimits, awaiting, { kind: 'helper-failed', error });
    expect(effects[0]).toMatchObject({ message: { name: 'REFUSAL', code: 'CONNECT_FAILED' } });
    expect((effects[0] as { message: { reason: string } }).message.reason).toContain('7100 is in use');
  });

  it('listens where the source came in, or where it is told, on a row of ports', () => {
    const asked = awaiting.prepare;
    const any = { host: '192.0.2.7', port: 0 };
    expect(pageWays(asked, control)).toEqual({ end: 'awaited', pages: [any, any], faults: any });
    const { pages, faults } = pageWays(asked, control, { host: '::', port: 7100 });
    expect([...pages, faults]).toEqual([7100, 7101, 7102].map((port) => ({ host: '::', port })));
  });

  it('that dials itself dials no other address than the one that the source came from', () => {
    const { end, pages, faults } = pageWays(told, control, { host: '::', port: 7100 });
    expect(end).toBe('dialled');
    expect([...pages, faults]).toEqual([40_001, 40_002, 40_003].map((port) => ({ host: '192.0.2.5', port })));
  });

  it.each([
    ['dialled', told],
    ['listened at', awaiting.prepare],
  ])('takes no address that is not known for its own: nothing is %s there', (_, asked) => {
    for (const unknown of [
      { ...control, host: '' },
      { ...control, localHost: '' },
    ])
      expect(() => pageWays(asked, unknown)).toThrow(/before it was known from where it came/);
  });

  it.each([
    { ...told, pagePorts: [40_001] },
    { ...told, faultPort: 0 },
    { ...told, dials: 'source' as const },
    { ...told, dials: 'source' as const, pagePorts: [] },
  ])('refuses ports that are not those of its connections', (asked) => {
    expect(() =>
      checkPrepare(asked, { guestBytesMax: undefined, availableBytes: 2 ** 40, promisedBytes: 0 }),
    ).toThrow(ProtocolError);
  });
});
