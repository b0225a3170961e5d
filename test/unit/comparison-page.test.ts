// The page of a comparison as text: its numbers, what gets escaped, its policy, and its axes.
import { describe, expect, it } from 'vitest';
import {
  compareRuns,
  standardSettings,
  type Comparison,
  type RunOutcome,
} from '../../src/report/comparison/comparison.js';
import { renderComparisonPage } from '../../src/html/comparison-page.js';
import { escapeText } from '../../src/html/markup.js';
import { axisOf } from '../../src/html/sections/strips.js';
import { completedRun, failedRun } from '../support/comparison-fixture.js';
import { fieldOf } from '../support/report-fixture.js';

const HOSTILE = `</script><script>alert(1)</script><img src=x onerror="alert('2')">&amp;<!--\u2028`;

const outcomes: readonly (readonly RunOutcome[])[] = standardSettings.map((_, at) =>
  [0, 1, 2].map((run) => (at === 1 && run === 2 ? failedRun(run) : completedRun(30 / (at + 1) + run))),
);
const comparison = compareRuns(standardSettings, 3, outcomes);
const page = renderComparisonPage(comparison);

const markupOf = (text: string): string =>
  text.replace(/<style>[^]*?<\/style>/g, '').replace(/<pre>[^]*?<\/pre>/g, '');

describe('the page of a comparison', () => {
  it('has the numbers of the comparison, every one', () => {
    const figures = [...markupOf(page).matchAll(/<data data-field="([^"]+)" value="([^"]+)">/g)];
    for (const [, field, value] of figures) expect(Number(value), field).toBe(fieldOf(comparison, field!));
    const named = new Set(figures.map(([, field]) => field));
    for (const [at, { cells }] of comparison.rows.entries())
      for (const [column, { median }] of cells.entries())
        if (median !== null) expect(named).toContain(`rows.${at}.cells.${column}.median`);
  });

  it('has a dot for every run', () => {
    const [, dots] = /<path class="strip-dots" d="([^"]*)">/.exec(page)!;
    expect(dots!.match(/M/g)).toHaveLength(3);
  });

  it('carries the comparison as JSON', () => {
    const [, text] = /<pre>([^]*?)<\/pre>/.exec(page)!;
    const entities: Readonly<Record<string, string>> = { quot: '"', '#39': "'", lt: '<', gt: '>', amp: '&' };
    expect(JSON.parse(text!.replace(/&(\w+|#39);/g, (_, name: string) => entities[name]!))).toEqual(
      comparison,
    );
  });

  it('loads nothing and allows no script', () => {
    expect(page).not.toMatch(/\bsrc=|url\(|@import|<script|\bon\w+=/);
    expect([...page.matchAll(/href="([^"]*)"/g)].map(([, address]) => address)).toEqual(['data:,']);
    const [, policy] = /Content-Security-Policy" content="([^"]*)"/.exec(page)!;
    expect(policy!.replaceAll('&#39;', "'")).toBe(
      `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src 'none'`,
    );
  });

  it('opens and closes every element that it has', () => {
    const open: string[] = [];
    for (const [tag, end, name] of markupOf(page).matchAll(/<(\/?)([a-z][a-z0-9]*)\b[^>]*>/g)) {
      if (/^(?:meta|link)$/.test(name!)) continue;
      if (end === '/') expect(open.pop(), tag).toBe(name);
      else open.push(name!);
    }
    expect(open).toEqual([]);
  });

  it('names the runs that failed, and what is missing', () => {
    expect(page).toContain('the guest stopped');
    expect(page).toContain('1 failed');
    const none = renderComparisonPage(compareRuns(standardSettings, 2, []));
    expect(markupOf(none)).not.toMatch(/undefined|NaN|Infinity|null|\[object/);
    expect(none).toContain('No run measured it.');
    expect(none).toContain('10 runs did not take place');
  });

  it('escapes every text that is in the comparison', () => {
    const hostile: Comparison = {
      ...comparison,
      subject: { ...comparison.subject, program: HOSTILE },
      settings: comparison.settings.map((setting) => ({
        ...setting,
        name: HOSTILE,
        summary: HOSTILE,
        flags: [HOSTILE],
        failures: [{ run: 0, status: 5, code: HOSTILE, message: HOSTILE, flags: [HOSTILE] }],
      })),
      rows: comparison.rows.map((row) => ({ ...row, name: HOSTILE })),
    };
    const text = renderComparisonPage(hostile);
    expect(text).not.toMatch(/<img|<script|<!--/);
    expect(markupOf(text).split(escapeText(HOSTILE)).length).toBeGreaterThan(50);
  });
});

describe('an axis', () => {
  const axis = (unit: 'ms' | 'bytes' | 'share' | 'count', ...values: number[]) =>
    axisOf({
      unit,
      cells: [{ values, median: null, lowerQuartile: null, upperQuartile: null, ratio: null }],
    });

  it.each([
    ['ms', [3, 41], 0, 60, ['0', '20', '40', '60 ms']],
    ['ms', [0, 0.04], 0, 0.04, ['0', '10', '20', '30', '40 µs']],
    ['share', [-0.08, 0.02], -0.1, 0.05, ['-10', '-5', '0', '5 %']],
    ['count', [1, 4], 0, 4, ['0', '1', '2', '3', '4']],
    ['bytes', [36 * 2 ** 20], 0, 40 * 2 ** 20, ['0', '10', '20', '30', '40 MiB']],
    ['ms', [0], 0, 1, ['0', '1 ms']],
  ] as const)('of %s %j is round', (unit, values, from, to, labels) => {
    const drawn = axis(unit, ...values);
    expect(drawn.from).toBeCloseTo(from);
    expect(drawn.ticks.map(({ label }) => label)).toEqual(labels);
    expect(drawn.to).toBeCloseTo(to);
  });

  it.each([1e308, -1e308, 5e-324])('of %d has no more ticks than can be read', (value) => {
    for (const unit of ['ms', 'share'] as const) expect(axis(unit, value, 0).ticks.length).toBeLessThan(12);
  });
});
