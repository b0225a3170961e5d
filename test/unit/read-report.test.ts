// Reading a saved report back: what is refused, and in which words.
import { describe, expect, it } from 'vitest';
import { MicrostunError } from '../../src/shared/errors.js';
import { readSaved } from '../../src/report/read-saved.js';
import { fixtureReport } from '../support/report-fixture.js';

function refusalOf(text: string): string {
  try {
    readSaved(text, 'run.json');
  } catch (error) {
    expect(error).toBeInstanceOf(MicrostunError);
    expect((error as MicrostunError).code).toBe('USAGE');
    return (error as MicrostunError).message;
  }
  return 'not refused';
}

const withField = (field: string, value: unknown): string =>
  JSON.stringify({ ...fixtureReport, [field]: value });

describe('a saved report', () => {
  it('is read back as it was', () => {
    expect(readSaved(JSON.stringify(fixtureReport), 'run.json')).toEqual({
      kind: 'migration',
      report: fixtureReport,
    });
  });

  it('keeps fields that nobody knows', () => {
    expect(readSaved(withField('newer', { than: 'this' }), 'run.json')).toHaveProperty(
      'report.newer.than',
      'this',
    );
  });
});

describe('what is no report of a known version is refused', () => {
  it.each([
    ['no JSON', 'microstun: a log line', 'run.json is no JSON'],
    ['an empty file', '', 'run.json is no JSON'],
    ['half a report', JSON.stringify(fixtureReport).slice(0, 900), 'run.json is no JSON'],
    ['a list', '[]', 'run.json is no microstun report'],
    ['null', 'null', 'run.json is no microstun report'],
    ['the JSON of something else', '{"name":"x","version":"1.0.0"}', 'run.json is no microstun report'],
    ['a later version', withField('version', 8), 'is a report of version 8; this microstun reads version 7'],
    ['an older version', withField('version', 6), 'is a report of version 6; this microstun reads version 7'],
    ['a version that is a text', withField('version', '1'), 'is a report of version "1"'],
    ['a failed migration', withField('outcome', 'failed'), 'is the report of a migration that failed'],
  ])('%s', (_, text, words) => {
    expect(refusalOf(text)).toContain(words);
  });
});

describe('a damaged report is refused by the place of the damage', () => {
  it.each([
    ['outcome', 'maybe', 'outcome should be "completed", it is "maybe"'],
    ['totalMs', undefined, 'totalMs is missing'],
    ['totalMs', '12', 'totalMs should be a number, it is "12"'],
    ['connections', -1, 'connections should be a whole number, it is -1'],
    ['mode', 3, 'mode should be a text, it is 3'],
    ['stun', null, 'stun should be an object, it is null'],
    ['rounds', {}, 'rounds should be a list, it is an object'],
    ['rounds', [fixtureReport.rounds[0], { round: 1 }], 'rounds[1].stage is missing'],
    [
      'guest',
      { ...fixtureReport.guest, writeRate: 'fast' },
      'guest.writeRate should be a number or "max", it is "fast"',
    ],
    [
      'bitmap',
      { ...fixtureReport.bitmap, format: 'zip' },
      'bitmap.format should be "ahead" or "compacted" or "raw"',
    ],
    [
      'bitmap',
      { ...fixtureReport.bitmap, dirtyRegions: [[1, 2], 3] },
      'bitmap.dirtyRegions[1] should be a pair, it is 3',
    ],
    [
      'bitmap',
      { ...fixtureReport.bitmap, dirtyRegions: [[1, -2]] },
      'bitmap.dirtyRegions[0][1] should be a whole number, it is -2',
    ],
    [
      'bitmap',
      // prettier-ignore
      { ...fixtureReport.bitmap, dirtyRegions: [[1, 2], [1, 2]] },
      'bitmap.dirtyRegions should be a list in ascending order, it is a list',
    ],
    [
      'gaps',
      {
        before: null,
        during: null,
        after: { ...fixtureReport.gaps.after, buckets: [{ belowUs: 1, count: 'x' }] },
      },
      'gaps.after.buckets[0].count should be',
    ],
    ['timeline', { ...fixtureReport.timeline, source: { atMs: ['x'] } }, 'timeline.source.atMs[0] should be'],
    ['link', { emulated: false }, 'link.emulated should be true'],
    ['source', { pid: 'x'.repeat(500) }, `source.pid should be a whole number, it is "${'x'.repeat(39)}…`],
  ])('%s: %j', (field, value, words) => {
    expect(refusalOf(withField(field, value))).toContain(words);
  });

  it('a number beyond all numbers', () => {
    expect(refusalOf(JSON.stringify(fixtureReport).replace('988.4', '1e999'))).toContain(
      'totalMs should be a number',
    );
  });

  it('a prototype in place of fields', () => {
    const text = JSON.stringify({ ...fixtureReport, stun: undefined }).replace(
      /}$/,
      ',"__proto__":{"stun":{}}}',
    );
    expect(refusalOf(text)).toContain('stun is missing');
  });
});
