import { describe, expect, it } from 'vitest';
import { renderLive, timeLeft, trendOf, type CourseFacts } from '../../src/report/progress-lines.js';

const facts: CourseFacts = {
  phase: 'copying',
  round: 2,
  roundPages: 400,
  roundPagesSent: 100,
  sentBytes: 3 << 20,
  dirtyPages: 400,
  previousRoundPages: 1000,
  roundElapsedMs: 1000,
  expectedMs: 5000,
};

describe('the trend of the rounds', () => {
  it.each([
    [1000, 400, 'shrinking to 40 % a round'],
    [1000, 1000, 'steady'],
    [1000, 1500, 'growing'],
  ])('from %i pages to %i is %s', (previousRoundPages, roundPages, words) => {
    expect(trendOf({ ...facts, previousRoundPages, roundPages })).toBe(words);
  });

  it('is not told in round 0', () => {
    expect(trendOf({ ...facts, round: 0 })).toBe('');
  });
});

describe('the time that is left', () => {
  it('is a band around the forecast, from which the round so far is taken', () => {
    expect(timeLeft(facts)).toEqual({ lowMs: 2000, highMs: 8000 });
    expect(timeLeft({ ...facts, roundElapsedMs: 9000 })).toEqual({ lowMs: 0, highMs: 0 });
  });

  it('goes by the pace of round 0 before there is a forecast, once that says something', () => {
    const first = { ...facts, round: 0, expectedMs: null };
    expect(timeLeft(first)).toEqual({ lowMs: 3000, highMs: 7000 });
    expect(timeLeft({ ...first, roundPagesSent: 1 })).toBeUndefined();
  });

  it('is not told where nothing is known, nor once the guest has stopped', () => {
    expect(timeLeft({ ...facts, expectedMs: null })).toBeUndefined();
    expect(timeLeft({ ...facts, phase: 'pushing' })).toBeUndefined();
  });
});

describe('the line that is redrawn', () => {
  const motion = {
    tick: 0,
    phaseMs: 3200,
    bytesPerSecond: 2 << 20,
    left: { lowMs: 2000, highMs: 8000 },
    columns: 110,
  };

  it('has no percentage, but the round, how much of it is sent, the trend and the time left', () => {
    expect(renderLive(facts, motion)).toBe(
      '  | round 2: 400 KiB of 1.56 MiB, 2.00 MiB/s, shrinking to 40 % a round, 2 to 8 s left',
    );
  });

  it.each([80, 60, 40, 30, 12])('fits a terminal of %d columns, the time left last to go', (columns) => {
    const line = renderLive(facts, { ...motion, columns });
    expect(line.length).toBeLessThan(columns);
    if (columns >= 60) expect(line).toMatch(/2 to 8 s left$/);
  });

  it('says so when the time has run out', () => {
    const at = (highMs: number): string => renderLive(facts, { ...motion, left: { lowMs: 0, highMs } });
    expect(at(0)).toContain('longer than expected');
    expect(at(400)).toContain('less than a second left');
  });

  it.each([
    ['preparing', 'the destination prepares'],
    ['measuring-clock', 'comparing the clocks'],
    ['awaiting-audit', 'the guest is audited there'],
  ])('moves while %s', (phase, words) => {
    const waiting = { ...facts, phase };
    expect(renderLive(waiting, motion)).toBe(`  | ${words}, 3.2 s`);
    expect(renderLive(waiting, { ...motion, tick: 1, phaseMs: 3300 })).toBe(`  / ${words}, 3.3 s`);
  });
});
