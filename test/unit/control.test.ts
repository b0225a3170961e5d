// The control connection one step at a time: how it is lost, and how it comes back.
import { describe, expect, it } from 'vitest';
import { MicrostunError } from '../../src/shared/errors.js';
import {
  lostControl,
  stepControl,
  type Control,
  type ControlLimits,
} from '../../src/source/states/control.js';

const limits: ControlLimits = { connectMs: 1000, reconnectMs: 700, retryMs: 10, retryMsMax: 100 };
const error = new MicrostunError('CONNECTION_LOST', 'lost');
const up: Control = { name: 'up', instanceId: 'first' };

describe('a control connection that was up', () => {
  it('waits a little, has a limit of its own, and remembers who welcomed it', () => {
    const { control, effects } = lostControl(limits, up, error);
    expect(control).toEqual({ name: 'waiting', attempts: 0, error, instanceId: 'first' });
    expect(effects).toEqual([
      { kind: 'arm', timer: 'control-limit', ms: 700 },
      { kind: 'arm', timer: 'control-retry', ms: 10 },
    ]);
  });

  it('greets whom it knew when it is up again', () => {
    const waiting = lostControl(limits, up, error).control;
    const dialling = stepControl(limits, waiting, { kind: 'retry' });
    expect(dialling.effects).toEqual([{ kind: 'dial' }]);
    const greeting = stepControl(limits, dialling.control, { kind: 'dialled' });
    expect(greeting.effects).toEqual([{ kind: 'greet', welcomedBy: 'first' }]);
  });
});

describe('a control connection that is lost', () => {
  it('is not lost again while it waits: neither its pause nor its limit begins anew', () => {
    const waiting = lostControl(limits, up, error).control;
    expect(lostControl(limits, waiting, error)).toEqual({ control: waiting, effects: [] });
  });

  it('is dialled with pauses that double, up to a limit, and no new limit of the whole', () => {
    const pauses: unknown[] = [];
    let control: Control = { name: 'dialling', attempts: 1 };
    for (let attempt = 0; attempt < 5; attempt++) {
      const lost = stepControl(limits, control, { kind: 'dial-failed', error });
      pauses.push(...lost.effects);
      control = stepControl(limits, lost.control, { kind: 'retry' }).control;
    }
    expect(pauses).toEqual([20, 40, 80, 100, 100].map((ms) => ({ kind: 'arm', timer: 'control-retry', ms })));
  });
});
