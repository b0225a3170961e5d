// The order in which a state machine hears of things, also of those that had to wait for another.
import { describe, expect, it } from 'vitest';
import { EventQueue } from '../../src/shared/event-queue.js';

describe('a queue of events', () => {
  it('has what was put back come again before what came later', async () => {
    const queue = new EventQueue<string>();
    for (const event of ['attached', 'pages-lost', 'taken-over', 'control-lost']) queue.push(event);
    const deferred = [await queue.next(), await queue.next()];
    expect(await queue.next()).toBe('taken-over');
    queue.putBack(deferred);
    expect(queue.length).toBe(3);
    expect([await queue.next(), await queue.next(), await queue.next()]).toEqual([
      'attached',
      'pages-lost',
      'control-lost',
    ]);
  });

  it('wakes whoever waits for one that is put back, and not for none', async () => {
    const queue = new EventQueue<string>();
    const waiting = queue.next();
    queue.putBack([]);
    queue.putBack(['again']);
    expect(await waiting).toBe('again');
  });
});
