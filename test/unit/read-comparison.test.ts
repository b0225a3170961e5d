// Reading a saved comparison back: what is refused, and in which words.
import { describe, expect, it } from 'vitest';
import { MicrostunError } from '../../src/shared/errors.js';
import { compareRuns, standardSettings } from '../../src/report/comparison/comparison.js';
import { renderComparisonPage } from '../../src/html/comparison-page.js';
import { readSaved } from '../../src/report/read-saved.js';
import { completedRun, failedRun } from '../support/comparison-fixture.js';
import { fixtureReport } from '../support/report-fixture.js';

const comparison = compareRuns(standardSettings.slice(0, 2), 2, [
  [completedRun(10), completedRun(12)],
  [completedRun(5), failedRun(1)],
]);

function refusalOf(document: unknown): string {
  try {
    readSaved(JSON.stringify(document), 'all.json');
  } catch (error) {
    expect(error).toBeInstanceOf(MicrostunError);
    expect((error as MicrostunError).code).toBe('USAGE');
    return (error as MicrostunError).message;
  }
  return 'not refused';
}

/** The comparison with one field, at a place such as "rows.0.unit", another one. */
function withField(place: string, value: unknown): unknown {
  const copy = structuredClone(comparison) as unknown as Record<string, unknown>;
  const names = place.split('.');
  const last = names.pop()!;
  const holder = names.reduce((one, name) => one[name] as Record<string, unknown>, copy);
  holder[last] = value;
  return copy;
}

describe('a saved document', () => {
  it('is a comparison where it was one, alone or with its reports', () => {
    const reports = [[fixtureReport], [null]];
    for (const document of [comparison, { comparison, reports }])
      expect(readSaved(JSON.stringify(document), 'all.json')).toEqual({ kind: 'comparison', comparison });
  });

  it('is the report of a migration where it was one', () => {
    expect(readSaved(JSON.stringify(fixtureReport), 'run.json')).toEqual({
      kind: 'migration',
      report: fixtureReport,
    });
  });

  it('is read back and drawn without any run', () => {
    const empty = compareRuns(standardSettings, 3, []);
    expect(readSaved(JSON.stringify(empty), 'all.json')).toEqual({ kind: 'comparison', comparison: empty });
  });
});

describe('what is no comparison of a known version is refused', () => {
  it.each([
    ['no JSON', 'run 1 of 25', 'all.json is no JSON'],
    ['half a comparison', JSON.stringify(comparison).slice(0, 900), 'all.json is no JSON'],
    ['a list', '[]', 'all.json is no microstun report'],
    ['null', 'null', 'all.json is no microstun report'],
  ])('%s', (_, text, words) => {
    expect(() => readSaved(text, 'all.json')).toThrow(words);
  });

  it('a later version', () => {
    expect(refusalOf(withField('version', 9))).toContain(
      'all.json is a comparison of version 9; this microstun reads version 3',
    );
  });
});

describe('a damaged comparison is refused by the place of the damage', () => {
  it.each([
    ['version', undefined, 'version is missing'],
    ['runs', -1, 'runs should be a whole number, it is -1'],
    ['isComplete', 'yes', 'isComplete should be true or false, it is "yes"'],
    ['subject', null, 'subject should be an object, it is null'],
    ['subject.writeRate', 'fast', 'subject.writeRate should be a number or "max", it is "fast"'],
    ['subject.bandwidthBytesPerSecond', 'max', 'subject.bandwidthBytesPerSecond should be a number'],
    ['settings', [], 'settings should be a list of one or more'],
    ['settings.0.flags', '--mode', 'settings[0].flags should be a list, it is "--mode"'],
    ['settings.1.failures.0.message', 3, 'settings[1].failures[0].message should be a text, it is 3'],
    ['settings.0.audits', {}, 'settings[0].audits.passed is missing'],
    ['rows', {}, 'rows should be a list, it is an object'],
    ['rows.0.unit', 'parsec', 'rows[0].unit should be "ms" or "bytes" or "share" or "count"'],
    ['rows.2.cells', [], 'rows[2].cells should be a list of 2, one a setting'],
    ['rows.0.cells.1.median', '5', 'rows[0].cells[1].median should be a number, it is "5"'],
    ['rows.0.cells.0.values', [1, 'x'], 'rows[0].cells[0].values[1] should be a number, it is "x"'],
    ['kind', 'x'.repeat(500), `it is no`],
  ])('%s: %j', (place, value, words) => {
    const refusal = refusalOf(
      place === 'kind' ? { comparison: withField(place, value) } : withField(place, value),
    );
    expect(refusal).toContain(place === 'kind' ? 'kind should be "comparison", it is "xxx' : words);
    expect(refusal.length).toBeLessThan(300);
  });

  it.each([3, null, [], 'text', { version: 3 }])('where it should be an object: %j', (value) => {
    expect(refusalOf({ comparison: value, reports: [] })).toMatch(
      /all\.json is a damaged microstun comparison: .+/,
    );
  });

  it('a number beyond all numbers', () => {
    const text = JSON.stringify(comparison).replace('"median":11', '"median":1e999');
    expect(() => readSaved(text, 'all.json')).toThrow('rows[3].cells[0].median should be a number');
  });

  it('a prototype in place of fields', () => {
    const text = JSON.stringify({ ...comparison, rows: undefined }).replace(
      /}$/,
      ',"__proto__":{"rows":[]}}',
    );
    expect(() => readSaved(text, 'all.json')).toThrow('rows is missing');
  });
});

describe('a comparison of figures that no migration has', () => {
  it.each([1e300, -1e300, 1e-320, 0])('is drawn all the same: %d', (value) => {
    const odd = JSON.parse(
      JSON.stringify(comparison, (key, one: unknown) =>
        typeof one === 'number' && /^(?:\d+|median|\w+Quartile|ratio)$/.test(key) ? value : one,
      ),
    ) as typeof comparison;
    const page = renderComparisonPage(odd).replace(/<pre>[^]*<\/pre>/, '');
    expect(page).not.toMatch(/NaN|Infinity|undefined/);
  });
});
