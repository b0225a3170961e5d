import { describe, expect, it } from 'vitest';
import { renderLive, timeLeft, trendOf, type CourseFacts } from '../../src/shared/report/progress-lines.js';

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
  it('has no percentage, but the round, the trend and the time left', () => {
    const line = renderLive(facts, 2 << 20, { lowMs: 2000, highMs: 8000 });
    expect(line).toBe(
      '  round 2  3.00 MiB sent  2.00 MiB/s  400 dirty pages  shrinking to 40 % a round  2 to 8 s left',
    );
  });

  it('says so when the time has run out', () => {
    expect(renderLive(facts, 0, { lowMs: 0, highMs: 0 })).toContain('longer than expected');
    expect(renderLive(facts, 0, { lowMs: 0, highMs: 400 })).toContain('less than a second left');
  });
});
