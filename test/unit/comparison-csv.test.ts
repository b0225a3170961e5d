import { describe, expect, it } from 'vitest';
import { comparisonCsv } from '../../src/report/comparison/csv.js';
import { compareRuns } from '../../src/report/comparison/comparison.js';
import { completedRun, failedRun } from '../support/comparison-fixture.js';

const settings = [
  { name: 'a', summary: '', flags: ['--mode', 'hybrid'] },
  { name: 'b', summary: '', flags: [] },
];

function rowsOf(csv: string): string[][] {
  return csv
    .trimEnd()
    .split('\n')
    .map((line) => line.split(','));
}

describe('a comparison as CSV', () => {
  it('has one row a run that took place, and its figures under their names', () => {
    const csv = comparisonCsv(
      compareRuns(settings, 2, [[completedRun(1.5), completedRun(2.5)], [completedRun(7)]]),
    );
    const [header, ...rows] = rowsOf(csv);
    expect(header!.slice(0, 8)).toEqual([
      ...['setting', 'flags', 'run', 'outcome', 'status', 'error', 'guestGapMs', 'recoveryMs'],
    ]);
    const stunAt = header!.indexOf('stunMs');
    expect(rows.map((row) => [...row.slice(0, 6), row[stunAt]])).toEqual([
      ['a', '--mode hybrid', '1', 'completed', '0', '', '1.5'],
      ['a', '--mode hybrid', '2', 'completed', '0', '', '2.5'],
      ['b', '', '1', 'completed', '0', '', '7'],
    ]);
    for (const row of rows) expect(row).toHaveLength(header!.length);
  });

  it('names a run that failed, with its status and why, and leaves its figures empty', () => {
    const csv = comparisonCsv(compareRuns(settings, 1, [[failedRun(0, 'it stopped')], []]));
    const [header, row] = rowsOf(csv);
    expect(row!.slice(0, 6)).toEqual(['a', '--mode hybrid', '1', 'failed', '5', 'it stopped']);
    expect(row!.slice(6)).toEqual(Array(header!.length - 6).fill(''));
  });

  it('quotes what would end a cell, and disarms what a spreadsheet would run', () => {
    const failures = [[failedRun(0, 'no, "never"\nagain')], [failedRun(0, '=SUM(A1)')]];
    const csv = comparisonCsv(compareRuns(settings, 1, failures));
    expect(csv).toContain(',5,"no, ""never""\nagain",');
    expect(csv).toContain(",5,'=SUM(A1),");
  });
});
