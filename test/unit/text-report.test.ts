// The report in the terminal: what its lines say.
import { describe, expect, it } from 'vitest';
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

  it('says a missed budget in its first line, and nothing of one that was kept', () => {
    const stun = { ...fixtureReport.stun, stunMs: 23.2 };
    expect(renderReport({ ...fixtureReport, stun })).toMatch(
      /^Migrated .* Stun: 23\.2 ms, over its budget of 10\.0 ms\.$/m,
    );
    expect(renderReport(fixtureReport)).toMatch(/^Migrated .* Stun: 7\.88 ms\.$/m);
  });
});
