// Timers of any length, on a clock of their own.
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { after, hostTime, sleep, sleepUnless, Timers } from '../../src/shared/timers.js';

const HOUR_MS = 3_600_000;

beforeEach(() => {
  vi.useFakeTimers();
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a timer', () => {
  it.each([0, 1, 250.5, 2 ** 31 - 1, 2 ** 31, 1000 * HOUR_MS, 8760 * HOUR_MS])(
    'of %d ms elapses once, then and not before',
    (ms) => {
      const elapsed = vi.fn();
      after(ms, elapsed);
      vi.advanceTimersByTime(Math.max(0, ms - 2));
      if (ms > 2) expect(elapsed).not.toHaveBeenCalled();
      vi.advanceTimersByTime(4);
      expect(elapsed).toHaveBeenCalledTimes(1);
      vi.advanceTimersByTime(100 * HOUR_MS);
      expect(elapsed).toHaveBeenCalledTimes(1);
    },
  );

  it('of no end never elapses', () => {
    const elapsed = vi.fn();
    after(Infinity, elapsed);
    vi.advanceTimersByTime(10_000 * HOUR_MS);
    expect(elapsed).not.toHaveBeenCalled();
  });

  it('that was cancelled in a later step never elapses, and holds nothing', () => {
    const elapsed = vi.fn();
    const timer = after(2000 * HOUR_MS, elapsed);
    vi.advanceTimersByTime(1000 * HOUR_MS);
    timer.cancel();
    expect(vi.getTimerCount()).toBe(0);
    vi.advanceTimersByTime(2000 * HOUR_MS);
    expect(elapsed).not.toHaveBeenCalled();
  });
});

describe('a sleep', () => {
  it('of more than 2^31 ms is slept to its end', async () => {
    const woke = vi.fn();
    void sleep(1000 * HOUR_MS).then(woke);
    await vi.advanceTimersByTimeAsync(999 * HOUR_MS);
    expect(woke).not.toHaveBeenCalled();
    await vi.advanceTimersByTimeAsync(HOUR_MS);
    expect(woke).toHaveBeenCalledTimes(1);
  });

  it('ends with the reason of its signal, and leaves no timer behind', async () => {
    const controller = new AbortController();
    const slept = sleep(1000 * HOUR_MS, controller.signal);
    controller.abort(new Error('enough'));
    await expect(slept).rejects.toThrow('enough');
    expect(vi.getTimerCount()).toBe(0);
    await expect(sleep(1, controller.signal)).rejects.toThrow('enough');
  });

  it('that may be cut short ends quietly', async () => {
    const controller = new AbortController();
    const slept = sleepUnless(controller.signal, Infinity);
    controller.abort();
    await slept;
    expect(vi.getTimerCount()).toBe(0);
  });
});

describe("a driver's timers", () => {
  it('fire by name, however long they are, and only as they were armed last', () => {
    const fired: string[] = [];
    const timers = new Timers<'short' | 'long' | 'never'>(hostTime, (name) => {
      fired.push(name);
    });
    timers.arm('long', 1000 * HOUR_MS);
    timers.arm('short', 10);
    timers.arm('short', 20);
    timers.arm('never', 5);
    timers.disarm('never');
    vi.advanceTimersByTime(15);
    expect(fired).toEqual([]);
    vi.advanceTimersByTime(5);
    expect(fired).toEqual(['short']);
    vi.advanceTimersByTime(1000 * HOUR_MS);
    expect(fired).toEqual(['short', 'long']);
    timers.arm('long', 1000 * HOUR_MS);
    timers.disarmAll();
    expect(vi.getTimerCount()).toBe(0);
  });
});
