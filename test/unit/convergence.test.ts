import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { forecastCourse, forecastStun, judge, type RoundFacts } from '../../src/source/states/convergence.js';
import { throttleShare, THROTTLE_SHARE_MAX } from '../../src/source/states/throttle.js';

/** Bytes of a page with its share of the region's head. */
const PAGE_WIRE_BYTES = 4104;
const FIXED_STUN_MS = 1;

/** A round of `dirtyPages` pages at `mibPerSecond`. */
function round(dirtyPages: number, bytesPerSecond: number): RoundFacts {
  const sentBytes = dirtyPages * PAGE_WIRE_BYTES;
  return { dirtyPages, sentBytes, durationMs: (sentBytes / bytesPerSecond) * 1000 };
}

const limits = { roundsMax: 30, stunBudgetMs: 10 };
const MILLION = 1_000_000;

describe('a forecast of the stun', () => {
  it('is the fixed costs and the network when nothing remains', () => {
    expect(forecastStun([round(1000, 100 * MILLION)], 0, 0.25)).toEqual({
      stunMs: FIXED_STUN_MS + 0.25,
      stunWithoutCopyMs: FIXED_STUN_MS + 0.25,
      copyMs: 0,
      bandwidthBytesPerSecond: expect.closeTo(100 * MILLION, 3) as number,
      remainingPages: 0,
    });
  });

  it('adds the remaining pages at the measured bandwidth', () => {
    const { stunMs } = forecastStun([round(1000, 4.104 * MILLION)], 50, 2);
    expect(stunMs).toBeCloseTo(FIXED_STUN_MS + 2 + 50, 6);
  });

  it('leaves out the remaining pages where they follow after the stun, and still says what they cost', () => {
    const { stunMs, copyMs } = forecastStun([round(1000, 4.104 * MILLION)], 50, 2, true);
    expect(stunMs).toBeCloseTo(FIXED_STUN_MS + 2, 6);
    expect(copyMs).toBeCloseTo(50, 6);
  });

  it('knows what the stun would be if the pages followed after all, however long they take to copy', () => {
    const follows = forecastStun([round(1000, 4.104 * MILLION)], 5000, 2, true).stunMs;
    expect(forecastStun([round(1000, 4.104 * MILLION)], 5000, 2).stunWithoutCopyMs).toBe(follows);
    expect(forecastStun([], 5000, 2).stunWithoutCopyMs).toBe(follows);
  });

  it("counts a raw bitmap, which crosses within the stun at the rounds' bandwidth", () => {
    const rounds = [round(1000, 100 * MILLION)];
    const without = forecastStun(rounds, 0, 0.25, true);
    const raw = forecastStun(rounds, 0, 0.25, true, 200 * MILLION);
    expect(raw.stunMs).toBeCloseTo(without.stunMs + 2000, 6);
    expect(raw.stunWithoutCopyMs).toBe(raw.stunMs);
    // No round makes it shorter, so none is begun for it.
    const limits = { roundsMax: 30, stunBudgetMs: 10, pagesFollow: true, bitmapBytes: 200 * MILLION };
    expect(judge(rounds, 1000, 0.25, limits)).toMatchObject({ why: 'network beyond budget' });
  });

  it('counts on the best of the last three rounds', () => {
    const rounds = [round(900, 9 * MILLION), round(800, MILLION), round(700, 2 * MILLION)];
    expect(forecastStun(rounds, 1, 0).bandwidthBytesPerSecond).toBeCloseTo(9 * MILLION, 3);
    const later = [
      round(900, MILLION),
      round(800, 9 * MILLION),
      ...[5, 3, 4].map((speed) => round(500, speed * MILLION)),
    ];
    expect(forecastStun(later, 1, 0).bandwidthBytesPerSecond).toBeCloseTo(5 * MILLION, 3);
  });

  it('counts on the first round, the long one, however many followed', () => {
    const rounds = [round(9000, 9 * MILLION), ...Array.from({ length: 6 }, () => round(10, MILLION))];
    expect(forecastStun(rounds, 1, 0).bandwidthBytesPerSecond).toBeCloseTo(9 * MILLION, 3);
  });

  it('is endless when pages remain and no bandwidth was measured', () => {
    expect(forecastStun([], 1, 0).stunMs).toBe(Infinity);
    expect(forecastStun([{ dirtyPages: 1, sentBytes: 4104, durationMs: 0 }], 1, 0).stunMs).toBe(Infinity);
    expect(forecastStun([], 0, 0).stunMs).toBe(FIXED_STUN_MS);
  });

  it('never shrinks with more pages or a longer way, whatever the rounds were', () => {
    const facts = fc.record({
      dirtyPages: fc.nat({ max: MILLION }),
      sentBytes: fc.nat(),
      durationMs: fc.double({ min: 0, max: 1e6, noNaN: true }),
    });
    fc.assert(
      fc.property(
        fc.array(facts, { maxLength: 6 }),
        fc.nat({ max: MILLION }),
        fc.nat({ max: MILLION }),
        fc.nat({ max: 1000 }),
        (rounds, remaining, more, roundTripMs) => {
          const { stunMs } = forecastStun(rounds, remaining, roundTripMs);
          expect(stunMs).toBeGreaterThanOrEqual(FIXED_STUN_MS + roundTripMs);
          expect(forecastStun(rounds, remaining + more, roundTripMs).stunMs).toBeGreaterThanOrEqual(stunMs);
          expect(forecastStun(rounds, remaining, roundTripMs + 1).stunMs).toBeGreaterThanOrEqual(stunMs);
        },
      ),
    );
  });
});

describe('the judgement after a harvest', () => {
  const fast = 4104 * 1000 * 1000; // A page a microsecond.

  it('is to switch over when the forecast fits the budget exactly (rule 1)', () => {
    const rounds = [round(100_000, 4.104 * MILLION)]; // A page a millisecond.
    const atBudget = judge(rounds, 0, 9, limits);
    expect(atBudget).toMatchObject({ kind: 'switch-over', why: 'stun within budget' });
    expect(judge(rounds, 0, 9.001, limits)).toMatchObject({ why: 'network beyond budget' });
    expect(judge(rounds, 10, 0, limits).kind).toBe('go-on');
    expect(judge(rounds, 9, 0, limits).kind).toBe('switch-over');
  });

  it('is to switch over at the round limit (rule 2)', () => {
    const two = { ...limits, roundsMax: 2 };
    const rounds = [round(100_000, fast), round(50_000, fast)];
    expect(judge(rounds.slice(0, 1), 50_000, 0, two).kind).toBe('go-on');
    expect(judge(rounds, 25_000, 0, two)).toMatchObject({ kind: 'switch-over', why: 'round limit' });
  });

  it('is to switch over when the next round would leave nearly as much as is dirty now (rule 3)', () => {
    const rounds = [round(100_000, fast), round(95_000, fast)];
    expect(judge(rounds, 91_000, 0, limits)).toMatchObject({ kind: 'switch-over', why: 'no progress' });
    expect(judge(rounds, 200_000, 0, limits)).toMatchObject({ kind: 'switch-over', why: 'no progress' });
    // What was dirtied in the last round is dirtied in the next, which is as long, however the last one shrank.
    const shrunk = [round(100_000, fast), round(80_000, fast)];
    expect(judge(shrunk, 79_000, 0, limits)).toMatchObject({ kind: 'switch-over', why: 'no progress' });
  });

  it('is to go on when the next round would leave notably less (rule 4)', () => {
    expect(judge([round(100_000, fast), round(95_000, fast)], 80_000, 0, limits).kind).toBe('go-on');
    expect(judge([round(100_000, fast), round(50_000, fast)], 25_000, 0, limits).kind).toBe('go-on');
  });

  it('is to go on after a single round of a pre-copy, whatever it left', () => {
    expect(judge([round(100_000, fast)], 100_000, 0, limits).kind).toBe('go-on');
  });

  describe('where the rest follows', () => {
    const hybrid = { ...limits, pagesFollow: true };

    it('is to switch over at the local minimum, for which more has to be saved than in a pre-copy', () => {
      const rounds = [round(100_000, fast), round(60_000, fast)];
      // A guest that dirties 36,000 in 60 ms and 60,000 in 100 dirties some 22,000 in 36.
      expect(judge(rounds, 36_000, 0, hybrid).kind).toBe('go-on');
      // And one that dirtied 50,000 in 60 ms would dirty 46,800 in the 50 of the next: in a pre-copy that is enough.
      expect(judge(rounds, 50_000, 0, hybrid)).toMatchObject({ kind: 'switch-over', why: 'local minimum' });
      expect(judge(rounds, 44_000, 0, hybrid)).toMatchObject({ kind: 'switch-over', why: 'local minimum' });
      expect(judge(rounds, 44_000, 0, limits).kind).toBe('go-on');
    });

    it('is to switch over after a single round that left nearly all', () => {
      expect(judge([round(100_000, fast)], 80_000, 0, hybrid)).toMatchObject({ why: 'local minimum' });
      expect(judge([round(100_000, fast)], 20_000, 0, hybrid).kind).toBe('go-on');
    });

    it('is to go on after a single round of zero pages, which say nothing of the link', () => {
      const zeros = { dirtyPages: 100_000, sentBytes: 20_000, durationMs: 100 };
      expect(judge([zeros], 20_000, 0, hybrid).kind).toBe('go-on');
      expect(judge([zeros, round(20_000, fast)], 19_500, 0, hybrid).kind).toBe('switch-over');
    });
  });

  it('names the first rule that holds', () => {
    const stalled = [round(100_000, fast), round(100_000, fast)];
    const atLimit = { ...limits, roundsMax: 2 };
    expect(judge(stalled, 0, 0, atLimit)).toMatchObject({ why: 'stun within budget' });
    expect(judge(stalled, 100_000, 0, atLimit)).toMatchObject({ why: 'round limit' });
    expect(judge(stalled, 100_000, 0, limits)).toMatchObject({ why: 'no progress' });
  });

  it('carries the forecast that it rests on', () => {
    const rounds = [round(100_000, fast)];
    for (const remainingPages of [0, 100_000]) {
      expect(judge(rounds, remainingPages, 0.5, limits).forecast).toEqual(
        forecastStun(rounds, remainingPages, 0.5),
      );
    }
  });
});

describe('the course that is forecast', () => {
  const preCopy = { roundsMax: 30, stunBudgetMs: 10 };
  const rate = 41.04 * MILLION; // 10,000 pages a second

  it('is the stun alone when the rest fits the budget', () => {
    const course = forecastCourse([round(1000, rate)], 20, 0.5, preCopy);
    expect(course.rounds).toBe(1);
    expect(course.remainingMs).toBeCloseTo(course.stunMs, 9);
  });

  it('plays the rounds to come: each leaves what is dirtied while it is copied', () => {
    // 2000 pages took 200 ms and left 1000, those 100 ms and 500: then 500 leave 250 and so on, down to 62 that fit.
    const course = forecastCourse([round(2000, rate), round(1000, rate)], 500, 0, preCopy);
    expect(course.rounds).toBe(5);
    expect(course.stunMs).toBeCloseTo(FIXED_STUN_MS + 6.25, 6);
    expect(course.remainingMs).toBeCloseTo(50 + 25 + 12.5 + course.stunMs, 6);
  });

  it('knows a guest that writes few pages again and again: a shorter round leaves nearly as much', () => {
    const again = forecastCourse([round(2000, rate), round(1000, rate)], 950, 0, preCopy);
    expect(again.stunMs).toBeGreaterThan(FIXED_STUN_MS + 85);
  });

  it('adds what a short round takes beyond its bytes', () => {
    const slow = { ...round(1000, rate), durationMs: 120 };
    const { stunMs } = forecastStun([round(10_000, rate), slow, slow], 100, 5);
    expect(stunMs).toBeCloseTo(FIXED_STUN_MS + 5 + 10 + (20 - 5), 6);
  });

  it('is to end where the judgement ends the rounds', () => {
    for (const pagesFollow of [false, true]) {
      const by = { ...preCopy, pagesFollow };
      const rounds = [round(2000, rate)];
      let left = 1400;
      const expected = forecastCourse(rounds, left, 0, by).rounds;
      // The guest does as it is forecast to.
      while (judge(rounds, left, 0, by).kind === 'go-on') {
        rounds.push(round(left, rate));
        left = 1400 * (rounds.at(-1)!.durationMs / rounds[0]!.durationMs) ** 0.7;
      }
      expect(Math.abs(rounds.length - expected)).toBeLessThanOrEqual(1);
    }
  });

  it('ends where the rounds stop to shrink, and where they are limited', () => {
    expect(forecastCourse([round(1000, rate)], 990, 0, preCopy).rounds).toBeLessThanOrEqual(4);
    expect(forecastCourse([round(1000, rate)], 800, 0, { ...preCopy, roundsMax: 3 }).rounds).toBe(3);
  });

  it('ends whatever the numbers are', () => {
    fc.assert(
      fc.property(fc.nat(100_000), fc.nat(100_000), fc.nat(1000), (given, left, roundTripMs) => {
        const course = forecastCourse([round(given + 1, rate)], left, roundTripMs, preCopy);
        expect(course.rounds).toBeLessThanOrEqual(30);
        expect(course.remainingMs).toBeGreaterThanOrEqual(course.stunMs);
      }),
    );
  });
});

describe('a network that takes the budget alone', () => {
  it('is no reason to go on for ever: the pages need only add little to it', () => {
    const rounds = [round(1000, 4.104 * MILLION)]; // 1000 pages a second
    expect(judge(rounds, 17, 150, limits)).toMatchObject({ kind: 'go-on' });
    expect(judge(rounds, 15, 150, limits)).toMatchObject({
      kind: 'switch-over',
      why: 'network beyond budget',
    });
  });
});

describe('the throttle', () => {
  /** So many pages that none is likely to be written twice. */
  const MANY = 1e12;

  it('lets a guest run that leaves what a round is to leave', () => {
    expect(throttleShare(0, 1000, 600, MANY)).toBeCloseTo(0, 6);
    expect(throttleShare(0.5, 1000, 600, MANY)).toBeCloseTo(0.5, 6);
  });

  it('takes as much of its time as brings the rounds to shrink', () => {
    expect(throttleShare(0, 1000, 1200, MANY)).toBeCloseTo(0.5, 6);
    expect(throttleShare(0.5, 1000, 1200, MANY)).toBeCloseTo(0.75, 6);
  });

  it('knows that a guest that dirtied everything wrote more than that', () => {
    expect(throttleShare(0, 1000, 1000, 1000)).toBeGreaterThan(throttleShare(0, 1000, 1000, MANY));
    expect(throttleShare(0, 1000, 1000, 1000)).toBeGreaterThan(0.85);
  });

  it('eases when the rounds shrink faster than they must, down to nothing', () => {
    expect(throttleShare(0.5, 1000, 400, MANY)).toBeCloseTo(0.25, 6);
    expect(throttleShare(0.5, 1000, 10, MANY)).toBe(0);
    expect(throttleShare(0.9, 1000, 0, MANY)).toBe(0);
  });

  it('changes step by step and stays within its limit', () => {
    expect(throttleShare(0, 10, 100_000, MANY)).toBeCloseTo(1 - 1 / 16, 6);
    fc.assert(
      fc.property(
        fc.double({ min: 0, max: THROTTLE_SHARE_MAX, noNaN: true }),
        fc.nat(1_000_000),
        fc.nat(1_000_000),
        (current, given, left) => {
          const share = throttleShare(current, given, left, 1_000_000);
          expect(share).toBeGreaterThanOrEqual(0);
          expect(share).toBeLessThanOrEqual(THROTTLE_SHARE_MAX);
        },
      ),
    );
  });
});
