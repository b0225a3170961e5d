// How a push yields to remote page faults: when it holds back, and that nothing holds it up for ever.
import { describe, expect, it } from 'vitest';
import { FaultCounter, FaultWatch } from '../../src/shared/memory/fault-words.js';
import { guestOf } from './page-fixtures.js';

function watched() {
  const views = guestOf(1);
  return { views, counter: new FaultCounter(views), watch: new FaultWatch(views) };
}

describe('a push beside remote page faults', () => {
  it('holds back while one is outstanding, and not when none is', () => {
    const { counter, watch } = watched();
    expect(watch.holdBack()).toBe(1);
    counter.noteAsked(7, 1);
    expect(watch.holdBack()).toBeGreaterThan(100);
    counter.noteAnswered(0);
    expect(watch.holdBack()).toBe(1);
  });

  it('holds back once for a peer that takes no answers, and again when it has taken one', () => {
    const { counter, watch } = watched();
    counter.noteAsked(7, 1);
    const looks = [1, 2, 3].map(() => watch.holdBack());
    expect(looks.map((count) => count > 0)).toEqual([true, false, false]);
    counter.noteAsked(8, 2);
    expect(watch.holdBack()).toBe(0);
    counter.noteAnswered(1);
    expect(watch.holdBack()).toBeGreaterThan(100);
  });

  it('does not wait for what was outstanding on a connection before', () => {
    const { views, counter, watch } = watched();
    counter.noteAsked(7, 1);
    new FaultCounter(views);
    expect([watch.holdBack(), watch.takeAsked()]).toEqual([1, undefined]);
  });

  it('is told of the page that was asked for last, once', () => {
    const { counter, watch } = watched();
    expect(watch.takeAsked()).toBeUndefined();
    counter.noteAsked(0, 1);
    counter.noteAsked(9, 2);
    expect([watch.takeAsked(), watch.takeAsked()]).toEqual([9, undefined]);
  });
});
