// The HTML report as text: its numbers, what gets escaped, and that it needs nothing from outside itself.
import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { renderHtml } from '../../src/html/html-report.js';
import { escapeText, html, jsonIsland } from '../../src/html/markup.js';
import type { GuestTimeline } from '../../src/shared/guest/samples.js';
import type { MigrationReport } from '../../src/report/document.js';
import { dirtyUnitsOf } from '../../src/html/bitmap/cells.js';
import type { DrawnBitmap } from '../../src/html/islands.js';
import { formatMs } from '../../src/shared/units.js';
import { fieldOf, fixtureReport } from '../support/report-fixture.js';

const HOSTILE = `</script><script>alert(1)</script><img src=x onerror="alert('2')">&amp;<!--\u2028`;

/** The page without what is not ours: the drawing library, and without what is data in it. */
function markupOf(page: string): string {
  return page.replace(/<script[^>]*>[^]*?<\/script>/g, '').replace(/<style>[^]*?<\/style>/g, '');
}

function scriptsOf(page: string): string[] {
  return [...page.matchAll(/<script>([^]*?)<\/script>/g)].map(([, script]) => script!);
}

interface ChartsIsland {
  readonly charts: readonly {
    readonly id: string;
    readonly x: readonly number[];
    readonly bands: readonly { readonly label: string }[];
    readonly series: readonly { readonly label: string; readonly values: readonly (number | null)[] }[];
  }[];
  readonly bitmap: DrawnBitmap | null;
}

function islandOf(page: string): ChartsIsland {
  const [, json] = /<script type="application\/json" id="charts">([^]*?)<\/script>/.exec(page)!;
  return JSON.parse(json!) as ChartsIsland;
}

function figuresOf(page: string): { field: string; value: string }[] {
  return [...markupOf(page).matchAll(/<data data-field="([^"]+)" value="([^"]+)">/g)].map(
    ([, field, value]) => ({ field: field!, value: value! }),
  );
}

describe('the numbers of the HTML report', () => {
  it('are those of the JSON, every one', () => {
    const figures = figuresOf(renderHtml(fixtureReport));
    for (const { field, value } of figures) expect(Number(value), field).toBe(fieldOf(fixtureReport, field));
    expect(figures.map(({ field }) => field)).toEqual(
      expect.arrayContaining([
        'stun.stunMs',
        'stun.guestGapMs',
        'stun.clockErrorMs',
        'recovery.recoveryMs',
        'guestCost.longestStallAfterStunMs',
        'totalMs',
        'times.preparationMs',
        'times.copyingMs',
        'times.pushMs',
        'forecastStunMs',
        ...Object.keys(fixtureReport.stun.parts).map((part) => `stun.parts.${part}`),
        ...Object.keys(fixtureReport.bytes).map((row) => `bytes.${row}`),
        ...fixtureReport.rounds.flatMap((_, at) => [`rounds.${at}.dirtyPages`, `rounds.${at}.sentPages`]),
        'bitmap.rawBytes',
        'bitmap.sentBytes',
        'postcopy.faultLatencyUs.p99',
        'audit.checked',
      ]),
    );
  });

  it('say in the heading how long the guest stood still, as the terminal does', () => {
    expect(renderHtml(fixtureReport)).toContain(
      `The guest stood still for <em>${formatMs(fixtureReport.stun.guestGapMs)}</em>`,
    );
  });

  it('say in the head from which host to which it went, and whether its stun kept to the budget', () => {
    const kept = markupOf(renderHtml(fixtureReport)).replace(/\s+/g, ' ');
    expect(kept).toContain('moved from host alpha, process 4101, to host beta, process 4117, by');
    expect(kept).not.toContain('over its budget');
    const stun = { ...fixtureReport.stun, stunMs: fixtureReport.settings.stunBudgetMs + 1 };
    const missed = markupOf(renderHtml({ ...fixtureReport, stun }));
    expect(missed).toMatch(
      /stun over its budget of\s+<data data-field="settings.stunBudgetMs" value="10">10.0 ms/,
    );
  });

  it('reach the charts unchanged', () => {
    const { charts, bitmap } = islandOf(renderHtml(fixtureReport));
    const chart = (id: string) => charts.find((one) => one.id === id)!;
    const [source, destination] = chart('timeline').series;
    // At the instants of the other host, and of phases, there is what was measured across them.
    const at = (values: readonly (number | null)[], { atMs }: GuestTimeline) =>
      atMs.map((one) => [one, values[chart('timeline').x.indexOf(one)]]);
    const totals = ({ atMs, pagesPerSecond: [first, second] }: GuestTimeline) =>
      atMs.map((one, row) => [one, first![row]! + second![row]!]);
    expect(at(source!.values, fixtureReport.timeline.source)).toEqual(totals(fixtureReport.timeline.source));
    expect(at(destination!.values, fixtureReport.timeline.destination)).toEqual(
      totals(fixtureReport.timeline.destination),
    );
    expect(source!.values).toHaveLength(chart('timeline').x.length);
    expect(chart('timeline').bands.map(({ label }) => label)).toEqual(
      fixtureReport.timeline.phases.map(({ name }) => name),
    );
    expect(chart('rounds').series.map(({ values }) => values)).toEqual([
      fixtureReport.rounds.map(({ dirtyPages }) => dirtyPages),
      fixtureReport.rounds.map(({ sentPages }) => sentPages),
    ]);
    // Empty half octaves between 2^10 and 2^11.5, and between that and 2^13, are drawn as such.
    expect(chart('faults').series[0]!.values).toEqual([1, 2, 0, 0, 7, 0, 0, 2]);
    expect(chart('gaps').series.map(({ label }) => label)).toEqual(['before', 'during', 'after']);
    const drawn = dirtyUnitsOf(bitmap!);
    expect(drawn.units).toBe(128);
    expect(drawn.at.map((region, index) => [region, drawn.dirty[index]])).toEqual(
      fixtureReport.bitmap.dirtyRegions,
    );
  });

  it('are all in the JSON that the page carries', () => {
    const [, text] = /<pre>([^]*?)<\/pre>/.exec(renderHtml(fixtureReport))!;
    const json = text!.replaceAll('&quot;', '"').replaceAll('&#39;', "'");
    expect(JSON.parse(json)).toEqual(fixtureReport);
  });
});

describe('a hostile text in a report', () => {
  const hostile: MigrationReport = {
    ...fixtureReport,
    mode: HOSTILE,
    guest: { ...fixtureReport.guest, program: HOSTILE },
    switchOverReason: HOSTILE,
    trace: { ...fixtureReport.trace, mode: HOSTILE },
    timeline: { ...fixtureReport.timeline, phases: [{ name: HOSTILE, fromMs: 0, toMs: 1 }] },
    audit: { passed: false, checked: 1, failed: 1, findings: [HOSTILE] },
  };

  it('never becomes an element, an attribute or a script', () => {
    const page = renderHtml(hostile);
    expect(page).not.toContain('<img');
    expect(page).not.toContain('<!--');
    expect(page.match(/<script/g)).toHaveLength(renderHtml(fixtureReport).match(/<script/g)!.length);
    expect(scriptsOf(page)).toEqual(scriptsOf(renderHtml(fixtureReport)));
    expect(markupOf(page).split(escapeText(HOSTILE)).length - 1).toBeGreaterThanOrEqual(6);
  });

  it('reaches the script as the text that it is', () => {
    const timeline = islandOf(renderHtml(hostile)).charts.find(({ id }) => id === 'timeline')!;
    expect(timeline.bands[0]!.label).toBe(HOSTILE);
  });

  it('is escaped whatever it is', () => {
    fc.assert(
      fc.property(
        fc.string({
          unit: fc.constantFrom('<', '>', '&', '"', "'", '/', '!', '-', ';', 'a', '\0', '\u2028', 'é', '😀'),
        }),
        (text) => {
          const escaped = escapeText(text);
          expect(html`<b title="${text}">${text}</b>`.text).toBe(`<b title="${escaped}">${escaped}</b>`);
          expect(escaped).not.toMatch(/[<>"']|&(?!(?:amp|lt|gt|quot|#39);)/);
          const island = jsonIsland('x', text).text;
          expect(island.match(/</g)).toHaveLength(2);
          expect(JSON.parse(island.slice(island.indexOf('>') + 1, island.lastIndexOf('<')))).toBe(text);
        },
      ),
    );
  });
});

describe('the page', () => {
  const page = renderHtml(fixtureReport);

  it('loads nothing', () => {
    expect(markupOf(page)).not.toMatch(/\bsrc\s*=/i);
    // "i<a" in a script is no element.
    const withoutScripts = page.replace(/<script>[^]*?<\/script>/g, '');
    expect(
      [...withoutScripts.matchAll(/<(?:a|link|base|form|iframe|object|embed|use|image)\b[^>]*>/gi)].map(
        String,
      ),
    ).toEqual(['<link rel="icon" href="data:," />']);
    const [, style] = /<style>([^]*?)<\/style>/.exec(page)!;
    expect(style).not.toMatch(/url\(|@import|https?:/i);
    expect(markupOf(page)).not.toMatch(/https?:\/\//);
  });

  it('allows its own script by its hash and nothing else', () => {
    const [, policy] = /Content-Security-Policy" content="([^"]*)"/.exec(page)!;
    const hashes = scriptsOf(page).map(
      (script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`,
    );
    expect(hashes).toHaveLength(1);
    expect(policy!.replaceAll('&#39;', "'")).toBe(
      `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${hashes.join(' ')}`,
    );
  });

  it('has the licence of the drawing library in its script, and nothing there that the policy forbids', () => {
    const [script] = scriptsOf(page);
    expect(script).toMatch(
      /^\/\*! With uPlot \d[^]*Copyright[^]*Leon Sorokin[^]*permission notice shall be included/,
    );
    expect(script).not.toMatch(
      /\beval\(|new Function\b|\bimport\(|\bfetch\(|XMLHttpRequest|sourceMappingURL/,
    );
  });

  it('has a colour for every part, shade and phase that it names', () => {
    const [, style] = /<style>([^]*?)<\/style>/.exec(page)!;
    const named = new Set(
      [...markupOf(page).matchAll(/class="([^"]*)"/g)].flatMap(([, names]) => names!.split(/\s+/)),
    );
    const coloured = [...named].filter((name) => /^(?:part|shade|tone)-/.test(name));
    expect(coloured.length).toBeGreaterThan(12);
    for (const name of coloured) expect(style, name).toMatch(new RegExp(`\\.${name}\\{[^}]*background:`));
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
});

const emptyTimeline = { atMs: [], pagesPerSecond: [], longestStallMs: [] };

describe('what a report does not have', () => {
  it('is said in its place', () => {
    const page = renderHtml({
      ...fixtureReport,
      rounds: [],
      forecastStunMs: null,
      guest: { ...fixtureReport.guest, memoryBytes: 0 },
      bitmap: { format: 'raw', rawBytes: 5, sentBytes: 5, ahead: null, dirtyRegions: [] },
      timeline: { phases: [], source: emptyTimeline, destination: emptyTimeline },
      postcopy: null,
      gaps: { before: null, during: null, after: null },
      audit: null,
    });
    expect(islandOf(page)).toEqual({ charts: [], bitmap: null });
    for (const sentence of [
      'Throughput was not sampled in this run.',
      'there was no round.',
      'The guest had no memory.',
      'Every page was there when the guest resumed',
      'How gaps were distributed was not recorded in this run.',
      'no audit was asked for',
    ])
      expect(page).toContain(sentence);
    expect(page).not.toMatch(/undefined|NaN|\[object/.exec(markupOf(page))?.[0] ?? 'no such text');
  });

  it('may be all but zero without a division by it', () => {
    const zeroed = JSON.parse(
      JSON.stringify(fixtureReport, (_, value: unknown) => (typeof value === 'number' ? 0 : value)),
    ) as MigrationReport;
    expect(markupOf(renderHtml(zeroed))).not.toMatch(/undefined|NaN|Infinity/);
  });
});

describe('a report that is large', () => {
  const largeReport = (memoryBytes: number, dirtyRegions: [number, number][]): MigrationReport => ({
    ...fixtureReport,
    guest: { ...fixtureReport.guest, memoryBytes },
    bitmap: { ...fixtureReport.bitmap, rawBytes: memoryBytes / 32_768 + 5, sentBytes: 8100, dirtyRegions },
  });
  const TIB = 2 ** 40;

  it('shows the only dirty page of 24 TiB, as dark as it can be', () => {
    const page = renderHtml(largeReport(24 * TIB, [[12_582_911, 1]]));
    expect(page).toContain('The destination lacked 1 of 6,442,450,944 pages');
    // The last cell of 3072, in rows of 128.
    expect(page).toContain('<path class="shade-5" d="M127 23h1v1h-1z">');
    expect(page).toContain('A cell is 8\u00a0GiB, 4,096 regions, a row 1\u00a0TiB.');
    expect(page).toContain('It was sent compacted, at 0.001 % of the raw bitmap.');
    expect(islandOf(page).bitmap!.dirty).toEqual([12_582_911, 1]);
  });

  it('stays a page of some megabytes with 100,000 dirty regions all over 24 TiB, each of them in it', () => {
    const regions = Array.from({ length: 100_000 }, (_, at): [number, number] => [
      at * 125 + 7,
      (at % 512) + 1,
    ]);
    const page = renderHtml(largeReport(24 * TIB, regions));
    expect(page.length).toBeLessThan(4_000_000);
    const { at, dirty, unitRegions } = dirtyUnitsOf(islandOf(page).bitmap!);
    expect(unitRegions).toBe(1);
    expect(at.map((region, index) => [region, dirty[index]])).toEqual(regions);
  });

  it('draws more dirty regions than that together, says so, and loses no page', () => {
    const regions = Array.from({ length: 300_001 }, (_, at): [number, number] => [at * 3, 2]);
    const page = renderHtml(largeReport(24 * TIB, regions));
    expect(page.length).toBeLessThan(4_000_000);
    expect(page).toContain('They are so many that 16 are drawn together at the least.');
    expect(page).toContain('The whole report as JSON, but for its list of dirty regions');
    const { at, dirty, units, unitBytes } = dirtyUnitsOf(islandOf(page).bitmap!);
    expect(units * unitBytes).toBe(24 * TIB);
    expect(at.at(-1)).toBe(Math.floor((300_000 * 3) / 16));
    expect(dirty.reduce((one, other) => one + other, 0)).toBe(600_002);
  });

  it('leaves out what a damaged one has past the end of its memory', () => {
    expect(
      islandOf(
        renderHtml(
          largeReport(4096, [
            [0, 1],
            [1, 5],
            [2 ** 31, 6],
          ]),
        ),
      ).bitmap,
    ).toMatchObject({ pages: 1, dirty: [0, 1] });
  });

  it('lists the first and the last of its rounds', () => {
    const rounds = Array.from({ length: 5000 }, (_, round) => ({ ...fixtureReport.rounds[1]!, round }));
    const page = renderHtml({ ...fixtureReport, rounds });
    expect(markupOf(page)).toContain('… 4,940 more');
    expect(figuresOf(page).filter(({ field }) => field.startsWith('rounds.'))).toHaveLength(60 * 5);
  });
});
