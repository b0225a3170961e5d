// The flagship's comparison in a terminal and in its page: a logic a line, and VMware's figures where they belong.
import { describe, expect, it } from 'vitest';
import { renderComparisonPage } from '../../src/html/comparison-page.js';
import { compareRuns, standardSettings, type Comparison } from '../../src/report/comparison/comparison.js';
import { renderFlagship } from '../../src/report/comparison/flagship-text.js';
import { flagshipSettings } from '../../src/report/comparison/flagship.js';
import { completedRun, failedRun } from '../support/comparison-fixture.js';
import { fixtureReport } from '../support/report-fixture.js';

const TIB = 1024 ** 4;

function flagshipOf(memoryBytes = 24 * TIB, factor = 1): Comparison {
  const guest = { ...fixtureReport.guest, memoryBytes, residentBytes: 1024 ** 3, vcpus: 8 };
  const trace = (at: number) => ({ ...fixtureReport.trace, longestStopMs: at < 2 ? 5.5 * factor : 0 });
  const bitmap = (at: number) => ({
    ...fixtureReport.bitmap,
    sentBytes: at % 2 === 0 && at < 4 ? 805_306_373 : 32_837,
  });
  return compareRuns(
    flagshipSettings,
    3,
    flagshipSettings.map((_, at) =>
      [1, 1.1, 0.9].map((run) =>
        completedRun((3500 / (at + 1)) * run * factor, { guest, trace: trace(at), bitmap: bitmap(at) }),
      ),
    ),
  );
}

describe('the flagship in the terminal', () => {
  it('has a line for each logic, with its medians', () => {
    const text = renderFlagship(flagshipOf());
    expect(text).toMatch(/^before 7 .* 3\.50 s .* 768 MiB +5\.50 ms /m);
    expect(text).toMatch(/^bitmap alone .* 1\.75 s .* 32\.1 KiB +5\.50 ms /m);
    expect(text).toMatch(/^vSphere 7 .* 875 ms .* 32\.1 KiB +none /m);
    expect(text).toContain('24 TiB, 1 GiB of it resident');
    expect(text).toContain('Every audit passed (15).');
    for (const { name, flags } of flagshipSettings)
      expect(text).toMatch(new RegExp(`^${name} +${flags.join(' ')} `, 'm'));
  });

  it('has what VMware published beside a guest of that size, and beside no other', () => {
    expect(renderFlagship(flagshipOf())).toMatch(/^vMotion before 7 +– +– +2 s +768 MiB +all vCPUs +–$/m);
    const small = renderFlagship(flagshipOf(8 * 1024 ** 3));
    expect(small).not.toContain('vMotion');
    expect(small).not.toContain('VMware');
  });

  it.each([1e-4, 1, 30])('has 80 columns at the most, with figures %d times as long', (factor) => {
    const lines = renderFlagship(flagshipOf(24 * TIB, factor)).split('\n');
    expect(Math.max(...lines.map((line) => line.length))).toBeLessThanOrEqual(80);
  });

  it('names runs that failed, and what is missing', () => {
    const damaged = compareRuns(flagshipSettings, 1, [
      [failedRun(0, 'damage', 'AUDIT_FAILED')],
      [completedRun(1)],
    ]);
    expect(renderFlagship(damaged)).toContain('Audits that failed: 1 of 2.');
    const failed = compareRuns(flagshipSettings, 1, [[failedRun(0)]]);
    const text = renderFlagship(failed);
    expect(text).toContain('run 1 of "before 7", status 5: the guest stopped');
    expect(text).not.toContain('udit');
    expect(text).toMatch(/^ours +– +– +– +– +– +–$/m);
    expect(text).not.toMatch(/NaN|undefined|null|Infinity/);
  });
});

describe('the flagship in its page', () => {
  it('stands at its head, with what VMware published', () => {
    const page = renderComparisonPage(flagshipOf());
    expect(page).toContain('The headline');
    expect(page).toContain('vMotion before 7, published');
    expect(renderComparisonPage(flagshipOf(8 * 1024 ** 3))).not.toContain('published');
    expect(renderComparisonPage(compareRuns(flagshipSettings, 1, []))).not.toMatch(
      />(?:undefined|NaN|null)</,
    );
  });

  it('is not in the page of another comparison', () => {
    expect(renderComparisonPage(compareRuns(standardSettings, 1, []))).not.toContain('The headline');
  });
});
