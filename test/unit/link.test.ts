// The control link one step at a time: how it is lost, and how it comes back.
import { describe, expect, it } from 'vitest';
import { MicrostunError } from '../../src/shared/errors.js';
import { lostLink, stepLink, type Link, type LinkLimits } from '../../src/source/states/link.js';

const limits: LinkLimits = { connectMs: 1000, reconnectMs: 700, retryMs: 10, retryMsMax: 100 };
const error = new MicrostunError('CONNECTION_LOST', 'lost');
const up: Link = { name: 'up', instanceId: 'first' };

describe('a link that was up', () => {
  it('waits a little, has a limit of its own, and remembers who welcomed it', () => {
    const { link, effects } = lostLink(limits, up, error);
    expect(link).toEqual({ name: 'waiting', attempts: 0, error, instanceId: 'first' });
    expect(effects).toEqual([
      { kind: 'arm', timer: 'link-limit', ms: 700 },
      { kind: 'arm', timer: 'link-retry', ms: 10 },
    ]);
  });

  it('greets whom it knew when it is up again', () => {
    const waiting = lostLink(limits, up, error).link;
    const dialling = stepLink(limits, waiting, { kind: 'retry' });
    expect(dialling.effects).toEqual([{ kind: 'dial' }]);
    const greeting = stepLink(limits, dialling.link, { kind: 'dialled' });
    expect(greeting.effects).toEqual([{ kind: 'greet', welcomedBy: 'first' }]);
  });
});

describe('a link that is lost', () => {
  it('is not lost again while it waits: neither its pause nor its limit begins anew', () => {
    const waiting = lostLink(limits, up, error).link;
    expect(lostLink(limits, waiting, error)).toEqual({ link: waiting, effects: [] });
  });

  it('is dialled with pauses that double, up to a limit, and no new limit of the whole', () => {
    const pauses: unknown[] = [];
    let link: Link = { name: 'dialling', attempts: 1 };
    for (let attempt = 0; attempt < 5; attempt++) {
      const lost = stepLink(limits, link, { kind: 'dial-failed', error });
      pauses.push(...lost.effects);
      link = stepLink(limits, lost.link, { kind: 'retry' }).link;
    }
    expect(pauses).toEqual([20, 40, 80, 100, 100].map((ms) => ({ kind: 'arm', timer: 'link-retry', ms })));
  });
});
