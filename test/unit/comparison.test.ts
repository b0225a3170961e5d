// Comparing runs: quartiles, what is missing, ratios, turns, and the table in the terminal.
import { describe, expect, it } from 'vitest';
import { renderComparisonPage } from '../../src/html/comparison-page.js';
import { renderComparison } from '../../src/report/comparison/text.js';
import { formatRange, formatRatio, formatValue } from '../../src/report/comparison/values.js';
import {
  compareRuns,
  spreadOf,
  standardSettings,
  turnsOf,
  type Comparison,
  type ComparisonCell,
  type RunOutcome,
} from '../../src/report/comparison/comparison.js';
import type { MigrationReport } from '../../src/report/document.js';
import { completedRun, failedRun } from '../support/comparison-fixture.js';
import { fixtureReport } from '../support/report-fixture.js';

const two = standardSettings.slice(0, 2);

function cellsOf(comparison: Comparison, id: string): readonly ComparisonCell[] {
  return comparison.rows.find((row) => row.id === id)!.cells;
}

/** The fixture with every number of it another one, but for what is a share of a whole. */
function everyNumber(change: (value: number) => number): MigrationReport {
  const { guest, settings, version } = fixtureReport;
  const changed = JSON.parse(
    JSON.stringify(fixtureReport, (key, value: unknown) =>
      typeof value === 'number' && !key.startsWith('lostShare') ? change(value) : value,
    ),
  ) as MigrationReport;
  return { ...changed, guest, settings, version };
}

describe('a spread', () => {
  it.each([
    [[], null, null, null],
    [[7], 7, 7, 7],
    [[1, 2], 1.25, 1.5, 1.75],
    [[4, 1, 3, 2], 1.75, 2.5, 3.25],
    [[5, 1, 4, 2, 3], 2, 3, 4],
    [[null, 3, null, 1], 1.5, 2, 2.5],
    [[null, null], null, null, null],
  ])('of %j has the quartiles %j, %j and %j', (values, lowerQuartile, median, upperQuartile) => {
    expect(spreadOf(values)).toEqual({ lowerQuartile, median, upperQuartile });
  });
});

describe('a comparison', () => {
  it('has the medians of the runs and their ratios to the first setting', () => {
    const comparison = compareRuns(two, 3, [
      [completedRun(10), completedRun(30), completedRun(20)],
      [completedRun(5), completedRun(4), completedRun(6)],
    ]);
    expect(cellsOf(comparison, 'stunMs')).toEqual([
      { values: [10, 30, 20], lowerQuartile: 15, median: 20, upperQuartile: 25, ratio: 1 },
      { values: [5, 4, 6], lowerQuartile: 4.5, median: 5, upperQuartile: 5.5, ratio: 0.25 },
    ]);
    expect(comparison.isComplete).toBe(true);
    expect(comparison.subject).toMatchObject({ program: 'hot-set', memoryBytes: 268_435_456, vcpus: 2 });
  });

  it('has no ratio to nothing, and a ratio of nothing', () => {
    const ratios = (first: number, second: number): (number | null)[] =>
      cellsOf(compareRuns(two, 1, [[completedRun(first)], [completedRun(second)]]), 'stunMs').map(
        ({ ratio }) => ratio,
      );
    expect(ratios(0, 5)).toEqual([null, null]);
    expect(ratios(5, 0)).toEqual([1, 0]);
    expect(ratios(-1, 5)).toEqual([null, null]);
    expect(ratios(1, -5)).toEqual([1, null]);
  });

  it('leaves out what a run did not measure', () => {
    const cost = { ...fixtureReport.guestCost, lostShare: null };
    const comparison = compareRuns(two, 2, [
      [completedRun(1, { guestCost: cost }), completedRun(NaN)],
      [completedRun(1), completedRun(Infinity)],
    ]);
    expect(cellsOf(comparison, 'lostShare')[0]!.values).toEqual([null, fixtureReport.guestCost.lostShare]);
    expect(cellsOf(comparison, 'stunMs').map(({ median }) => median)).toEqual([1, 1]);
    expect(JSON.parse(JSON.stringify(comparison))).toEqual(comparison);
  });

  it('counts failures and audits, and what took place', () => {
    const audit = { passed: false, checked: 1, failed: 1, findings: ['x'] };
    const { settings, isComplete } = compareRuns(two, 3, [
      [completedRun(1), failedRun(1), failedRun(2, 'its audit failed', 'AUDIT_FAILED')],
      [completedRun(1, { audit: null }), completedRun(1, { audit })],
    ]);
    expect(isComplete).toBe(false);
    expect(
      settings.map(({ completed, failures: { length }, audits }) => ({ completed, length, audits })),
    ).toEqual([
      { completed: 1, length: 2, audits: { passed: 1, failed: 1, notAsked: 0 } },
      { completed: 2, length: 0, audits: { passed: 0, failed: 1, notAsked: 1 } },
    ]);
  });

  it('counts the stuns over their budget, each against its own', () => {
    const patient = { settings: { ...fixtureReport.settings, stunBudgetMs: 50 } };
    const comparison = compareRuns(two, 3, [
      [completedRun(9), completedRun(11), completedRun(12)],
      [completedRun(49, patient), failedRun(1), completedRun(50, patient)],
    ]);
    expect(comparison.settings.map(({ overBudget }) => overBudget)).toEqual([2, 0]);
    expect(renderComparison(comparison)).toMatch(/^stuns over their budget +2 of 3 +0$/m);
    expect(renderComparisonPage(comparison)).toContain('2 stuns over budget');
    expect(renderComparison(compareRuns(two, 1, []))).toMatch(/^stuns over their budget +– +–$/m);
  });

  it('says of a guest that differs between settings that it does', () => {
    const guest = { ...fixtureReport.guest, memoryBytes: 8 << 20 };
    const comparison = compareRuns(two, 1, [[completedRun(1)], [completedRun(1, { guest })]]);
    expect(comparison.subject.memoryBytes).toBeNull();
    expect(renderComparison(comparison)).toContain('memory differs');
  });
});

describe('turns', () => {
  it.each([1, 2, 3, 5, 6])(
    'of %i settings take each once a run, run k beginning with setting k',
    (settings) => {
      for (let run = 0; run < 3 * settings; run++) {
        const turns = turnsOf(settings, run);
        expect(turns[0]).toBe(run % settings);
        expect([...turns].sort()).toEqual(Array.from({ length: settings }, (_, at) => at));
      }
    },
  );

  it.each([2, 3, 5, 6])('of %i settings never give one the same predecessor always', (settings) => {
    const all = Array.from({ length: 2 * settings }, (_, run) => turnsOf(settings, run)).flat();
    for (let setting = 0; setting < settings; setting++) {
      const before = new Set(all.flatMap((one, at) => (one === setting && at > 0 ? [all[at - 1]] : [])));
      expect(before.size, `before ${setting}`).toBeGreaterThan(1);
    }
  });
});

describe('the table in the terminal', () => {
  const widest = (text: string): number => {
    const [table] = text.split('\n\n').slice(1);
    return Math.max(...table!.split('\n').map((line) => line.length));
  };

  it.each([
    ['as measured', (value: number) => value],
    ['of the longest', (value: number) => 10 * value],
    ['of the smallest', (value: number) => value / 1e6],
    ['of nothing', () => 0],
  ])('has 110 columns at the most with the five standard settings and figures %s', (_, change) => {
    const outcomes = standardSettings.map((__, at) =>
      [1, 0.013, 87].map((factor): RunOutcome => ({
        kind: 'completed',
        report: everyNumber((value) => change(value) * factor * (at + 1)),
      })),
    );
    expect(widest(renderComparison(compareRuns(standardSettings, 3, outcomes)))).toBeLessThanOrEqual(110);
  });

  it('shows a setting without a run that completed as missing, and its failures', () => {
    const text = renderComparison(
      compareRuns(two, 2, [
        [completedRun(12), completedRun(14)],
        [failedRun(0, 'the first'), failedRun(1, 'the second')],
      ]),
    );
    expect(text).toMatch(/^stop to answer +13\.0 ms +–$/m);
    expect(text).toMatch(/^ +12\.5–13\.5 ms$/m);
    expect(text).toMatch(/^audits that passed +2 of 2 +–$/m);
    expect(text).toMatch(/^runs that failed +0 +2 of 2$/m);
    expect(text).toContain('run 1 of "bitmap alone", status 5: the first');
    expect(text).toContain('flags: --memory 8MiB');
    expect(text).not.toMatch(/NaN|undefined|null|Infinity/);
  });

  it('shows a comparison without any run', () => {
    const text = renderComparison(compareRuns(two, 3, []));
    expect(text).toMatch(/^guest stood still +– +–$/m);
    expect(text).toContain('interrupted after 0, 0');
    expect(text).not.toMatch(/NaN|undefined|null|Infinity/);
  });

  it('says what was run, and how', () => {
    const text = renderComparison(compareRuns(two, 1, [[completedRun(1)], [completedRun(1)]]));
    expect(text).toContain('Guest: "hot-set", 256 MiB, 2 vCPUs, 100,000 page writes/s, seed 7.');
    expect(text).toMatch(/^Link: 2 connections, /m);
    expect(text).toMatch(/1 run of each setting, interleaved/);
    expect(text).toContain(two[1]!.flags.join(' '));
  });
});

describe('values', () => {
  it.each([
    ['ms', 0, '0 ms'],
    ['ms', 0.843, '843 µs'],
    ['share', 0.1234, '12 %'],
    ['share', -0.0123, '-1.2 %'],
    ['count', 7.5, '7.5'],
    ['count', 12345, '12,345'],
    ['bytes', 1536, '1.50 KiB'],
    ['ms', null, '–'],
    ['ms', NaN, '–'],
  ] as const)('%s %j read as %s', (unit, value, text) => {
    expect(formatValue(unit, value)).toBe(text);
  });

  it.each([
    ['ms', 9.81, 12.3, '9.81–12.3 ms'],
    ['ms', 0.2, 1.2, '0.20–1.20 ms'],
    ['ms', 0, 0.114, '0–114 µs'],
    ['ms', 3, 3.0001, '3.00 ms'],
    ['share', -0.046, -0.003, '-4.6 to -0.3 %'],
    ['bytes', 8192, 8192, '8.00 KiB'],
    ['bytes', 8, 8, '8 B'],
    ['bytes', 32.5, 69.5, '33–70 B'],
    ['count', 3, 4.5, '3–4.5'],
    ['ms', null, null, '–'],
  ] as const)('%s from %j to %j read as %s', (unit, lower, upper, text) => {
    expect(formatRange(unit, lower, upper)).toBe(text);
  });

  it.each([
    [0.4167, '×0.42'],
    [12.34, '×12.3'],
    [5000, '×999+'],
    [0.001, '×<.01'],
    [0, '×0'],
    [null, ''],
  ])('a ratio of %j reads as %j', (ratio, text) => {
    expect(formatRatio(ratio)).toBe(text);
  });
});
