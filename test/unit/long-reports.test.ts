// Reports as long as a file may be: nothing in drawing or reading them depends on how many rows they have.
import { describe, expect, it } from 'vitest';
import { renderHtml } from '../../src/html/html-report.js';
import { readSaved } from '../../src/report/read-saved.js';
import { RemainingTime } from '../../src/report/comparison/remaining-time.js';
import { reportText } from '../../src/report/document.js';
import { renderReport } from '../../src/report/text-report.js';
import { fixtureReport } from '../support/report-fixture.js';

/** More than a call takes arguments. */
const MANY = 150_000;
/** A list that is longer than one regular expression can hold. */
const VERY_MANY = 1_000_000;

describe('a report of a very long run', () => {
  it('is written with each list of numbers on one line, however long, and is read back', () => {
    const { timeline } = fixtureReport;
    const rows = Array<number>(VERY_MANY).fill(-1.5e-7);
    const long = {
      ...fixtureReport,
      timeline: { ...timeline, source: { atMs: rows, pagesPerSecond: [rows], longestStallMs: [[]] } },
    };
    const text = reportText(long);
    expect(text.includes('"atMs": [ -1.5e-7, -1.5e-7, ')).toBe(true);
    expect(text.split('\n').length).toBeLessThan(400);
    expect(readSaved(text, 'long')).toHaveProperty('report.timeline.source.atMs.length', VERY_MANY);
  });

  it('has pairs side by side, in lines that can be read', () => {
    const dirtyRegions = Array.from({ length: MANY }, (_, at) => [at * 3, 7] as const);
    const text = reportText({ ...fixtureReport, bitmap: { ...fixtureReport.bitmap, dirtyRegions } });
    const lines = text.split('\n');
    expect(lines).toContain(
      `      ${Array.from({ length: 8 }, (_, at) => `[ ${at * 3}, 7 ],`).join(' ')} [ 24, 7 ],`,
    );
    expect(lines.length).toBeLessThan(MANY / 5);
    expect(
      Math.max(...lines.filter((line) => line.startsWith('      [')).map(({ length }) => length)),
    ).toBeLessThanOrEqual(110);
    expect(readSaved(text, 'pairs')).toHaveProperty('report.bitmap.dirtyRegions', dirtyRegions);
  });

  it('is drawn as text and as a page', () => {
    const [round] = fixtureReport.rounds;
    const rounds = Array.from({ length: MANY }, (_, at) => ({ ...round!, round: at }));
    expect(renderReport({ ...fixtureReport, rounds })).toContain(`round ${MANY - 1}`);
    const source = {
      atMs: Array.from({ length: MANY }, (_, row) => row * 5),
      pagesPerSecond: [Array<number>(MANY).fill(1)],
      longestStallMs: [Array<number>(MANY).fill(2)],
    };
    const page = renderHtml({ ...fixtureReport, timeline: { ...fixtureReport.timeline, source } });
    expect(page.slice(0, 15)).toBe('<!doctype html>');
  });

  it('has the same text as a short one in all but its lists', () => {
    const text = reportText({
      a: [],
      b: [1],
      c: [null, 2],
      d: ['1'],
      e: [[3, 4], [5]],
      f: { g: 6 },
      h: ['[', 7],
    });
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(JSON.parse(text))));
    expect(text).toBe(
      '{\n  "a": [],\n  "b": [ 1 ],\n  "c": [ null, 2 ],\n  "d": [\n    "1"\n  ],\n  "e": [\n    [ 3, 4 ], [ 5 ]\n  ],\n  "f": {\n    "g": 6\n  },\n  "h": [\n    "[",\n    7\n  ]\n}',
    );
  });
});

describe('a comparison of very many runs', () => {
  it('still says how much time is left', () => {
    const remaining = new RemainingTime(1, 2 * MANY);
    for (let run = 0; run < MANY; run++) remaining.ended(0, 10);
    expect(remaining.band(0)?.lowMs).toBe(10 * MANY);
  });
});
