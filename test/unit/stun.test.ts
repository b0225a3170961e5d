import { describe, expect, it } from 'vitest';
import { stunOf, type StunInstants } from '../../src/source/measurement/stun.js';

/** The destination's clock is so far ahead. */
const AHEAD_US = 7_000_000;

/** A stun of 2000 µs: stop at 1000, hand-over sent at 1400, 300 µs of network each way, the answer at 3000. */
function instants(changes: { firstSliceAt?: number[]; lastSliceEndAt?: number[] } = {}): StunInstants {
  return {
    stopAt: 1000,
    last: {
      parkedAt: 1100,
      harvestedAt: 1200,
      compactedAt: 1300,
      dirtyPages: 3,
      bitmap: new Uint8Array(0),
      chunks: [],
    },
    lastSliceEndAt: changes.lastSliceEndAt ?? [1040, 1080],
    sentAt: 1400,
    answer: {
      name: 'RESUMED',
      receivedAt: AHEAD_US + 1700,
      validationMs: 0.2,
      placementMs: 0.1,
      resumeMs: 0.7,
      answeredAt: AHEAD_US + 2700,
      firstSliceAt: changes.firstSliceAt ?? [AHEAD_US + 2400, AHEAD_US + 2500],
    },
    answerReceivedAt: 3000,
    clock: { offsetUs: AHEAD_US, errorUs: 50 },
  };
}

describe('the report of a stun', () => {
  it('has parts that add up to it', () => {
    const { stunMs, parts } = stunOf(instants());
    expect(stunMs).toBe(2);
    expect(Object.values(parts).reduce((sum: number, ms: number) => sum + ms, 0)).toBeCloseTo(stunMs, 9);
    expect(parts.networkMs).toBeCloseTo(0.6, 9);
  });

  it("has the longest vCPU's own gap, from its last slice or from the stop if it slept then", () => {
    expect(stunOf(instants()).guestGapMs).toBeCloseTo(1.42, 9);
    expect(stunOf(instants({ lastSliceEndAt: [20, 1080] })).guestGapMs).toBeCloseTo(1.42, 9);
    expect(stunOf(instants({ lastSliceEndAt: [1080, 20] })).guestGapMs).toBeCloseTo(1.5, 9);
  });
});

describe('two views of a stun', () => {
  // The answer's way back may have been none or all of the network's 600 µs, not 300 as here; the clocks' error of 50 µs
  // and a slice of 100 µs come on top.
  it.each([-440, -300, 0, 300, 440])('agree when the clocks are off by %i µs', (us) => {
    expect(() => stunOf({ ...instants(), clock: { offsetUs: AHEAD_US + us, errorUs: 50 } })).not.toThrow();
  });

  it.each([-100_000, -460, 460, 100_000])('contradict each other when they are off by %i µs', (us) => {
    expect(() => stunOf({ ...instants(), clock: { offsetUs: AHEAD_US + us, errorUs: 50 } })).toThrow(
      expect.objectContaining({ code: 'MEASUREMENT' }) as Error,
    );
  });
});
