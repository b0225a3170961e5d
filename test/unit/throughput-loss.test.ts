import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { GuestTimeline } from '../../src/shared/guest/samples.js';
import { lossOf, lossText, measurableLoss } from '../../src/report/throughput-loss.js';
import { fixtureReport } from '../support/report-fixture.js';

const before = { fromMs: -1000, toMs: 0 };
const during = { fromMs: 0, toMs: 500 };

/** A sample every 5 ms from -1000 to 500, of one vCPU. */
function timeline(rateAt: (ms: number, row: number) => number): GuestTimeline {
  const atMs = Array.from({ length: 301 }, (_, row) => -1000 + 5 * row);
  return { atMs, pagesPerSecond: [atMs.map(rateAt)], longestStallMs: [atMs.map(() => 0)] };
}

const cost = (loss: ReturnType<typeof lossOf>) => ({ ...fixtureReport.guestCost, ...loss });

describe('the throughput that a guest lost', () => {
  it('is the share by which it wrote less, and how sure that is', () => {
    const loss = lossOf(
      timeline((ms, row) => (ms > 0 ? 80_000 : 100_000) + 1000 * (row % 2)),
      before,
      during,
    );
    expect(loss.lostShare).toBeCloseTo(0.2, 1);
    expect(loss.lostShareError).toBeLessThan(0.01);
    expect(measurableLoss(cost(loss))).toBe(loss.lostShare);
    expect(lossText(cost(loss))).toMatch(/^(19\.\d|20\.\d) ± 0\.\d % lost$/);
  });

  it('is none where the throughput changes as much by itself', () => {
    // Slower for a while now and then, also while it is moved.
    const wobbling = timeline((ms) => (Math.floor((ms + 1000) / 50) % 3 === 0 ? 90_000 : 100_000));
    const loss = lossOf(wobbling, before, during);
    expect(loss.lostShare).not.toBe(0);
    expect(measurableLoss(cost(loss))).toBe(0);
    expect(lossText(cost(loss))).toMatch(/^no loss measurable, ± \d\.\d %$/);
  });

  it('is never negative: a guest that wrote more lost nothing', () => {
    const loss = lossOf(
      timeline((ms) => (ms > 0 ? 120_000 : 100_000)),
      before,
      during,
    );
    expect(measurableLoss(cost(loss))).toBe(0);
    expect(lossText(cost(loss))).toBe('none lost: 20.0 ± 0.0 % more');
  });

  it('is not told of a stretch that is too short for it', () => {
    const loss = lossOf(
      timeline((ms) => (ms > 0 ? 80_000 : 100_000)),
      before,
      { fromMs: 0, toMs: 12 },
    );
    expect(loss.lostShareError).toBeNull();
    expect(measurableLoss(cost(loss))).toBeNull();
    expect(lossText(cost(loss))).toBe('too short to tell what was lost');
  });

  it('is not known where nothing was sampled, nothing was copied, or nothing was written', () => {
    const idle = timeline(() => 0);
    for (const loss of [
      lossOf({ atMs: [], pagesPerSecond: [[]], longestStallMs: [[]] }, before, during),
      lossOf(idle, before, during),
      lossOf(idle, before, undefined),
    ]) {
      expect(loss).toMatchObject({ lostShare: null, lostShareError: null });
      expect(measurableLoss(cost(loss))).toBeNull();
      expect(lossText(cost(loss))).toBe('');
    }
  });

  it('is a number or none, whatever was sampled', () => {
    fc.assert(
      fc.property(fc.array(fc.nat(1e9), { minLength: 301, maxLength: 301 }), (rates) => {
        const loss = lossOf(
          timeline((_, row) => rates[row]!),
          before,
          during,
        );
        for (const value of Object.values(loss)) expect(value === null || Number.isFinite(value)).toBe(true);
      }),
      { numRuns: 50 },
    );
  });
});
