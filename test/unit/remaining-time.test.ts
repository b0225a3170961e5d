// How long the rest will take: a band that holds what comes, and never goes up.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { RemainingTime, renderBand } from '../../src/report/comparison/remaining-time.js';

describe('the time that is left', () => {
  it('is unknown until a turn has ended', () => {
    expect(new RemainingTime(2, 3).band(0)).toBeUndefined();
  });

  it('is what the turns that are left will take at the pace of those before', () => {
    const left = new RemainingTime(2, 3);
    left.ended(0, 1000);
    left.ended(1, 3000);
    expect(left.band(0)).toEqual({ lowMs: 2 * 1000 + 2 * 3000, highMs: 1.5 * (2 * 1000 + 2 * 3000) });
  });

  it('is nothing when every turn has ended', () => {
    const left = new RemainingTime(1, 2);
    left.ended(0, 1000);
    left.ended(0, 1000);
    expect(left.band(0)).toEqual({ lowMs: 0, highMs: 0 });
  });

  it('never goes up, and its ends never cross', () => {
    fc.assert(
      fc.property(
        fc.array(fc.tuple(fc.integer({ min: 1, max: 10_000 }), fc.integer({ min: 0, max: 20_000 })), {
          minLength: 1,
          maxLength: 30,
        }),
        fc.integer({ min: 1, max: 5 }),
        (turns, settings) => {
          const left = new RemainingTime(settings, Math.ceil(turns.length / settings));
          let before = { lowMs: Infinity, highMs: Infinity };
          for (const [turn, [tookMs, elapsedMs]] of turns.entries()) {
            left.ended(turn % settings, tookMs);
            for (const band of [left.band(0)!, left.band(elapsedMs)!]) {
              expect(band.lowMs).toBeLessThanOrEqual(band.highMs);
              expect(band.lowMs).toBeLessThanOrEqual(before.lowMs);
              expect(band.highMs).toBeLessThanOrEqual(before.highMs);
              expect(band.lowMs).toBeGreaterThanOrEqual(0);
              before = band;
            }
          }
        },
      ),
    );
  });
});

describe('a band', () => {
  it.each([
    [41_200, 54_100, '41 to 55 s left'],
    [1000, 1000, '1 s left'],
    [100_000, 130_000, '1 to 3 min left'],
    [1_000_000, 7_300_000, '0 to 3 h left'],
  ])('from %i to %i ms reads as %s', (lowMs, highMs, text) => {
    expect(renderBand({ lowMs, highMs })).toBe(text);
  });
});
