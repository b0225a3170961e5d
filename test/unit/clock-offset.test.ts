import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  CLOCK_DRIFT_MAX,
  CLOCK_SAMPLES_KEPT,
  ClockSamples,
  offsetWithin,
  type ClockSample,
} from '../../src/source/measurement/clock-offset.js';

/** Two clocks: the destination's is ahead by `offsetUs` at the instant 0 of the source's and runs faster by `drift`. */
interface Clocks {
  readonly offsetUs: number;
  readonly drift: number;
}

interface Exchange {
  readonly sentAt: number;
  readonly thereUs: number;
  readonly backUs: number;
}

function offsetAt({ offsetUs, drift }: Clocks, us: number): number {
  return offsetUs + drift * us;
}

function sampleOf(clocks: Clocks, { sentAt, thereUs, backUs }: Exchange): ClockSample {
  const answered = sentAt + thereUs;
  return { sentAt, answeredAt: answered + offsetAt(clocks, answered), receivedAt: answered + backUs };
}

/** Doubles of this size are not exact. */
const ROUNDING_US = 0.01;
const minute = 60e6;

const clocks = fc.record({
  offsetUs: fc.double({ min: -1e9, max: 1e9, noNaN: true }),
  drift: fc.double({ min: -100e-6, max: 100e-6, noNaN: true }),
});
const exchanges = fc.array(
  fc.record({
    sentAt: fc.double({ min: -10 * minute, max: minute, noNaN: true }),
    thereUs: fc.double({ min: 1, max: 200_000, noNaN: true }),
    backUs: fc.double({ min: 1, max: 200_000, noNaN: true }),
  }),
  { minLength: 1, maxLength: 40 },
);

describe("the clocks' offset around a stun", () => {
  it('is within its error of the true one, whatever offset, drift, jitter and asymmetry', () => {
    fc.assert(
      fc.property(clocks, exchanges, fc.nat(5e6), (simulated, list, spanUs) => {
        const { offsetUs, errorUs } = offsetWithin(
          list.map((exchange) => sampleOf(simulated, exchange)),
          0,
          spanUs,
        );
        for (const us of [0, spanUs / 3, spanUs])
          expect(Math.abs(offsetUs - offsetAt(simulated, us))).toBeLessThanOrEqual(errorUs + ROUNDING_US);
      }),
    );
  });

  it('follows clocks that run apart for as long as a migration takes', () => {
    const drifting = { offsetUs: 0, drift: 10e-6 };
    const heartbeats = Array.from({ length: 60 }, (_, second) =>
      sampleOf(drifting, { sentAt: (second - 60) * 1e6, thereUs: 100, backUs: 100 }),
    );
    const justBefore = sampleOf(drifting, { sentAt: -3000, thereUs: 100, backUs: 150 });
    const once = offsetWithin(heartbeats.slice(0, 1), 0, 2000);
    const refreshed = offsetWithin([...heartbeats, justBefore], 0, 2000);
    expect(once.errorUs).toBeGreaterThan(10_000);
    expect(refreshed.errorUs).toBeLessThan(150);
    expect(Math.abs(refreshed.offsetUs)).toBeLessThanOrEqual(refreshed.errorUs);
  });

  it('is half the round trip wrong at the most, and what the clocks may have run apart since', () => {
    const sample: ClockSample = { sentAt: -1000, answeredAt: 4050, receivedAt: -900 };
    const { offsetUs, errorUs } = offsetWithin([sample], 0, 0);
    expect(offsetUs).toBeCloseTo(5000, 6);
    expect(errorUs).toBeCloseTo(50 + 1000 * CLOCK_DRIFT_MAX, 6);
  });

  it('is narrower with a sample on each side than with the better one alone', () => {
    // One is quick on its way there, the other on its way back.
    const before: ClockSample = { sentAt: -500, answeredAt: -499, receivedAt: -300 };
    const after: ClockSample = { sentAt: 300, answeredAt: 499, receivedAt: 500 };
    const alone = Math.min(offsetWithin([before], 0, 0).errorUs, offsetWithin([after], 0, 0).errorUs);
    const { offsetUs, errorUs } = offsetWithin([before, after], 0, 0);
    expect(errorUs).toBeLessThan(alone / 10);
    expect(Math.abs(offsetUs)).toBeLessThanOrEqual(errorUs);
  });

  it('keeps to the better sample when a clock jumped between both', () => {
    const good: ClockSample = { sentAt: -110, answeredAt: -105, receivedAt: -100 };
    const jumped: ClockSample = { sentAt: 1000, answeredAt: 9_001_100, receivedAt: 1200 };
    const { offsetUs, errorUs } = offsetWithin([good, jumped], 0, 0);
    expect(offsetUs).toBeCloseTo(0, 3);
    expect(errorUs).toBeLessThan(10);
  });

  it('is not known without a sample', () => {
    expect(offsetWithin([], 0, 0).errorUs).toBe(Infinity);
  });
});

describe('samples of the clocks', () => {
  const at = (sentAt: number): ClockSample => ({ sentAt, answeredAt: sentAt, receivedAt: sentAt });

  it('are the last before a stun and the first after it, however long the migration takes', () => {
    const samples = new ClockSamples();
    for (let second = 0; second < 1000; second++) samples.note(at(second));
    samples.noteResumed();
    for (let second = 1000; second < 2000; second++) samples.note(at(second));
    const kept = samples.all.map(({ sentAt }) => sentAt);
    expect(kept).toHaveLength(2 * CLOCK_SAMPLES_KEPT);
    expect(Math.min(...kept)).toBe(1000 - CLOCK_SAMPLES_KEPT);
    expect(Math.max(...kept)).toBe(1000 + CLOCK_SAMPLES_KEPT - 1);
  });
});
