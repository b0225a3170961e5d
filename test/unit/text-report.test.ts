// The report in the terminal: what its lines say.
import { describe, expect, it } from 'vitest';
import type { MigrationReport, RecoveryReport } from '../../src/report/document.js';
import { renderReport } from '../../src/report/text-report.js';
import { fixtureReport } from '../support/report-fixture.js';

describe('the report in the terminal', () => {
  it('says of a last round that it came within the stun or after the switch-over', () => {
    const followed = renderReport(fixtureReport);
    expect(followed).toMatch(/^ {2}round 2 .* after the switch-over: [\d,]+ pages/m);
    expect(followed).not.toContain('in the stun: ');
    const within = renderReport({ ...fixtureReport, mode: 'pre-copy', postcopy: null });
    expect(within).toMatch(/^ {2}round 2 .* in the stun: [\d,]+ pages/m);
  });

  it('says at once how long the guest stood still, and of stop to answer whether it kept to the budget', () => {
    const stun = { ...fixtureReport.stun, stunMs: 23.2 };
    expect(renderReport({ ...fixtureReport, stun })).toMatch(
      /^Stop to answer: 23\.2 ms\. The stun is over its budget of 10\.0 ms\.$/m,
    );
    const gap = { ...fixtureReport.stun, guestGapMs: 10.5 };
    expect(renderReport({ ...fixtureReport, stun: gap })).toContain(
      'Stop to answer: 7.88 ms. The stun is over its budget of 10.0 ms.',
    );
    const [, second, third] = renderReport(fixtureReport).split('\n');
    expect(second).toBe('The guest stood still for 4.83 ms and had recovered after 25.8 ms.');
    expect(third).toBe('Stop to answer: 7.88 ms.');
  });

  it('says of a guest that it did not recover, that it had nothing to recover, or that nobody looked', () => {
    const reportOf = (verdict: RecoveryReport['verdict'], watchedMs: number | null): string[] =>
      renderReport({ ...fixtureReport, recovery: { verdict, recoveryMs: null, windowMs: 10, watchedMs } })
        .split('\n')
        .filter((line) => /stood still for 4|recovered after/.test(line));
    expect(reportOf('not recovered', 214.5)).toEqual([
      'The guest stood still for 4.83 ms and had not recovered within 215 ms.',
      expect.stringMatching(/^ {2}recovered after +not within 215 ms {2}stop to 90/),
    ]);
    expect(reportOf('nothing to recover', 214.5)).toEqual([
      'The guest stood still for 4.83 ms.',
      expect.stringMatching(/^ {2}recovered after +nothing to recover {2}/),
    ]);
    expect(reportOf('not sampled', null)[1]).toMatch(/^ {2}recovered after +not sampled {2}/);
  });

  it('says what the bitmap of a guest of any size weighed, and would have raw', () => {
    const bitmapLine = (changes: Partial<MigrationReport['bitmap']>): string | undefined =>
      renderReport({
        ...fixtureReport,
        bitmap: { ...fixtureReport.bitmap, ...changes },
        bytes: { ...fixtureReport.bytes, bitmap: changes.sentBytes ?? 0 },
      })
        .split('\n')
        .find((line) => line.startsWith('  bitmap'))
        ?.replace(/\s+/g, ' ');
    const rawBytes = 805_306_373;
    expect(bitmapLine({ rawBytes, sentBytes: 8100 })).toBe(' bitmap 7.91 KiB (compacted; raw 768 MiB)');
    expect(bitmapLine({ rawBytes, sentBytes: rawBytes, format: 'raw' })).toBe(
      ' bitmap 768 MiB (raw, a bit for each page of the guest)',
    );
    const ahead = { pages: 1000, bytes: 61_440, durationMs: 1 };
    expect(bitmapLine({ rawBytes, sentBytes: 405, format: 'ahead', ahead })).toBe(
      ' bitmap 405 B (60.0 KiB ahead of the stun, 405 B within it; raw 768 MiB)',
    );
  });

  it('fits a terminal of 80 columns with what it says of the stun and the time', () => {
    const [head, stun, time] = renderReport(fixtureReport).split('\n\n');
    const lines = [head, stun, time].join('\n').split('\n');
    expect(lines.filter(({ length }) => length > 80).join('')).toBe('');
  });
});
