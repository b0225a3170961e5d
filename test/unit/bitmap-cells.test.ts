// The bitmap cut into cells, at every size of guest: no page is lost, every place can be reached, and words are right.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import {
  cellsOf,
  closerView,
  dirtyUnitsOf,
  gapBefore,
  NARROW,
  nextDirtyCell,
  pagesOf,
  placesOf,
  READABLE_PLACES,
  spanOf,
  WIDE,
  wholeView,
  type Cells,
  type DirtyUnits,
  type View,
} from '../../src/html/bitmap/cells.js';
import { shadeBounds, shadeOf } from '../../src/html/bitmap/shades.js';
import { outlineOf, shapesOf } from '../../src/html/bitmap/shapes.js';
import {
  cellText,
  namedShades,
  rangeText,
  scaleText,
  sizeText,
  viewName,
} from '../../src/html/bitmap/texts.js';

const REGION_PAGES = 512;

/** A guest of so many pages; dirty regions as pairs. */
function unitsOf(
  pages: number,
  regions: readonly (readonly [number, number])[],
  unitRegions = 1,
): DirtyUnits {
  const dirty = regions.flatMap(([region, count], at) => [region - (regions[at - 1]?.[0] ?? 0), count]);
  return dirtyUnitsOf({ pages, pageBytes: 4096, regionPages: REGION_PAGES, unitRegions, dirty });
}

const sum = (counts: readonly number[]): number => counts.reduce((one, other) => one + other, 0);

/** The looks closer that end at a single region. */
function pathTo(of: DirtyUnits, region: number, room = WIDE): View[] {
  const views = [wholeView(of, 'memory')];
  for (;;) {
    const cells = cellsOf(of, views.at(-1)!, room);
    const cell = Math.floor((region - cells.view.from) / cells.placesPerCell);
    const closer = closerView(cells, cell);
    if (closer === undefined) return views;
    expect([closer.from <= region, region < closer.to]).toEqual([true, true]);
    views.push(closer);
  }
}

const SIZES = [
  1,
  511,
  512,
  513,
  65_536,
  2 ** 20 - 1,
  2 ** 20,
  2 ** 20 + 1,
  4096 * 512,
  4096 * 512 + 1,
  2 ** 31 - 1,
  2 ** 31,
  2 ** 31 + 1,
  2 ** 32,
  6_442_450_944,
  2 ** 40,
];

describe.each(SIZES)('a guest of %d pages', (pages) => {
  const regions = Math.ceil(pages / REGION_PAGES);
  const last = regions - 1;
  const lastPages = pages - last * REGION_PAGES;
  const dirty = [...new Set([0, Math.floor(last / 3), last])].map((region) => [region, 1] as const);
  const of = unitsOf(pages, dirty);

  it.each([WIDE, NARROW])('fits in %o and loses no page', (room) => {
    const cells = cellsOf(of, wholeView(of, 'memory'), room);
    expect(of.units).toBe(regions);
    expect(cells.counts.length).toBeLessThanOrEqual(room.cellsMax);
    expect(cells.counts.length * cells.placesPerCell).toBeGreaterThanOrEqual(regions);
    expect((cells.counts.length - 1) * cells.placesPerCell).toBeLessThan(regions);
    expect(sum(cells.counts)).toBe(dirty.length);
    expect(cells.counts.at(-1)).toBeGreaterThan(0);
    // Every cell with a dirty page has a shade.
    const { shades } = shapesOf(of, cells);
    expect(shades.slice(1).join('')).not.toBe('');
  });

  it.each([WIDE, NARROW])('can be looked at down to its last region, in %o', (room) => {
    const views = pathTo(of, last, room);
    const closest = cellsOf(of, views.at(-1)!, room);
    expect(views.length).toBeLessThanOrEqual(5);
    expect(closest.placesPerCell).toBe(1);
    expect(closest.counts.length).toBeLessThanOrEqual(READABLE_PLACES);
    expect(closest.counts.at(-1)).toBe(1);
    const cell = closest.counts.length - 1;
    expect(pagesOf(of, placesOf(closest, cell))).toBe(lastPages);
    const text = cellText(of, closest, cell);
    expect(text).toContain(`: 1 of ${lastPages} pages dirty`);
    expect(text).toContain(`–0x${(BigInt(pages) * 4096n - 1n).toString(16)}`);
  });

  it('has all of its pages in its cells', () => {
    const cells = cellsOf(of, wholeView(of, 'memory'), WIDE);
    expect(sum(cells.counts.map((_, cell) => pagesOf(of, placesOf(cells, cell))))).toBe(pages);
  });
});

describe('a look closer', () => {
  const of = unitsOf(6_442_450_944, [[8_000_123, 7]]);
  const whole = cellsOf(of, wholeView(of, 'memory'), WIDE);

  it('goes from 24 TiB by 8 GiB to 256 MiB, at round addresses', () => {
    expect(pathTo(of, 8_000_123).map((view) => viewName(of, view))).toEqual([
      '24\u00a0TiB',
      '8\u00a0GiB at 0xf4200000000',
      '256\u00a0MiB at 0xf4240000000',
    ]);
  });

  it('goes to what is chosen, and not past the end', () => {
    expect(closerView(whole, 3, 5)).toEqual({ order: 'memory', from: 3 * 4096, to: 6 * 4096 });
    expect(closerView(whole, 0, whole.counts.length - 1)).toBeUndefined();
    const small = unitsOf(300 * 512, []);
    const cells = cellsOf(small, wholeView(small, 'memory'), WIDE);
    expect(closerView(cells, 299)).toEqual({ order: 'memory', from: 256, to: 300 });
    expect(closerView(cells, 10, 12)).toEqual({ order: 'memory', from: 10, to: 13 });
  });

  it('finds the cells with dirty pages, in both directions', () => {
    const cell = Math.floor(8_000_123 / 4096);
    expect(nextDirtyCell(whole, -1, 1)).toBe(cell);
    expect(nextDirtyCell(whole, cell, 1)).toBeUndefined();
    expect(nextDirtyCell(whole, whole.counts.length, -1)).toBe(cell);
    expect(nextDirtyCell(whole, cell, -1)).toBeUndefined();
  });
});

describe('dirty regions side by side', () => {
  const of = unitsOf(6_442_450_944, [
    [2, 5],
    [3, 6],
    [9_000_000, 512],
    [12_582_911, 1],
  ]);
  const cells = cellsOf(of, wholeView(of, 'dirty'), WIDE);

  it('are all there is, with lines where clean memory lies between', () => {
    expect(cells.counts).toEqual([5, 6, 512, 1]);
    expect([0, 1, 2, 3].map((place) => gapBefore(of, place))).toEqual([2, 0, 8_999_996, 3_582_910]);
    expect(shapesOf(of, cells).gaps).toBe('M0 0v1M2 0v1M3 0v1');
    expect(cellText(of, cells, 2)).toBe(
      '0x112a88000000–0x112a881fffff, at 17.17\u00a0TiB: 512 of 512 pages dirty, behind 17.17\u00a0TiB of clean memory',
    );
    expect(rangeText(of, spanOf(of, cells.view))).toBe('0x400000–0x17ffffffffff');
    expect(viewName(of, cells.view)).toBe('4 regions');
  });

  it('may be none', () => {
    const clean = unitsOf(513, []);
    const none = cellsOf(clean, wholeView(clean, 'dirty'), WIDE);
    expect(none.counts).toEqual([]);
    expect(shapesOf(clean, none)).toMatchObject({ rows: 0, gaps: '' });
    expect(spanOf(clean, none.view)).toEqual({ from: 0, to: 0 });
    expect(closerView(none, 0)).toBeUndefined();
  });

  it('share cells when they are many, and each can be reached', () => {
    const many = unitsOf(
      6_442_450_944,
      Array.from({ length: 100_000 }, (_, at) => [at * 125, 1] as const),
    );
    let shown = cellsOf(many, wholeView(many, 'dirty'), WIDE);
    expect(shown.placesPerCell).toBe(32);
    expect(sum(shown.counts)).toBe(100_000);
    expect(cellText(many, shown, 1)).toContain('32 of 16,384 pages dirty, in 32 regions');
    shown = cellsOf(many, closerView(shown, shown.counts.length - 1)!, WIDE);
    expect(shown.placesPerCell).toBe(1);
    expect(spanOf(many, placesOf(shown, shown.counts.length - 1)).from).toBe(99_999 * 125);
  });
});

it('whatever is dirty, each cell has what lies in it', () => {
  const guests = fc.integer({ min: 1, max: 30_000 }).chain((regions) =>
    fc.record({
      regions: fc.constant(regions),
      at: fc.uniqueArray(fc.integer({ min: 0, max: regions - 1 }), { maxLength: 60 }),
      from: fc.integer({ min: 0, max: regions - 1 }),
    }),
  );
  fc.assert(
    fc.property(guests, ({ regions, at, from }) => {
      at.sort((one, other) => one - other);
      const of = unitsOf(
        regions * REGION_PAGES,
        at.map((region) => [region, 1 + (region % 512)] as const),
      );
      const view: View = { order: 'memory', from, to: regions };
      const cells = cellsOf(of, view, NARROW);
      cells.counts.forEach((count, cell) => {
        const places = placesOf(cells, cell);
        const within = at.filter((region) => region >= places.from && region < places.to);
        expect(count).toBe(sum(within.map((region) => 1 + (region % 512))));
      });
    }),
    { numRuns: 50 },
  );
});

describe('a shade', () => {
  const namesOf = (counts: readonly number[]): string[] => namedShades(counts).map(({ name }) => name);

  it('is the darkest for the most, and never that of a clean cell for a dirty one', () => {
    for (const most of [1, 2, 3, 36, 512, 513, 2 ** 21, 2 ** 31, 2 ** 32 + 1, 2 ** 40]) {
      const bounds = shadeBounds([0, most, 1, Math.ceil(most / 2)]);
      expect(bounds.length).toBeLessThanOrEqual(5);
      expect(bounds).toEqual([...bounds].sort((one, other) => one - other));
      expect([shadeOf(0, bounds), shadeOf(most, bounds)]).toEqual([0, 5]);
      for (const count of [1, Math.ceil(most / 2)]) expect(shadeOf(count, bounds)).toBeGreaterThan(0);
    }
    expect(shadeBounds([1, 512])).toEqual([2, 8, 32, 128, 512]);
    expect(shadeBounds([0])).toEqual([]);
  });

  it('tells counts apart that are all high', () => {
    const counts = [2049, 4096, 4097, 9000, 11_075];
    const bounds = shadeBounds(counts);
    expect(bounds).toEqual([4096, 8192, 11_075]);
    expect(counts.map((count) => shadeOf(count, bounds))).toEqual([3, 3, 4, 5, 5]);
    expect(namesOf(counts)).toEqual(['2,049–4,096', '4,097–8,192', '8,193–11,075 pages']);
    expect(namesOf([36, 36])).toEqual(['36 pages']);
  });

  it('is named by how many pages it stands for', () => {
    expect(namesOf([0, 300, 1])).toEqual(['clean', '1–2', '3–8', '9–32', '33–128', '129–300 pages']);
    expect(namesOf([0, 1])).toEqual(['clean', '1 page']);
    expect(namesOf([0])).toEqual(['clean']);
    expect(namedShades([0, 3, 512]).map(({ shade }) => shade)).toEqual([0, 2, 3, 4, 5]);
  });
});

describe('words and outlines', () => {
  it('say sizes in as few digits as they take', () => {
    expect([0, 4096, 2 ** 21, 1.5 * 2 ** 40, 2 ** 52].map(sizeText)).toEqual(
      ['0 B', '4 KiB', '2 MiB', '1.5 TiB', '4 PiB'].map((text) => text.replace(' ', '\u00a0')),
    );
  });

  it('say what a cell is', () => {
    const of = unitsOf(6_442_450_944, []);
    expect(scaleText(of, cellsOf(of, wholeView(of, 'memory'), WIDE))).toBe(
      'A cell is 8\u00a0GiB, 4,096 regions, a row 1\u00a0TiB.',
    );
    const one = unitsOf(1, []);
    expect(scaleText(one, cellsOf(one, wholeView(one, 'memory'), WIDE))).toBe(
      'A cell is a region of 2\u00a0MiB.',
    );
  });

  it('go around cells row by row', () => {
    const cells: Cells = { ...cellsOf(unitsOf(512 * 64, []), { order: 'memory', from: 0, to: 64 }, WIDE) };
    expect(cells.columns).toBe(16);
    expect(outlineOf(cells, 14, 33)).toBe('M14 0h2v1h-2zM0 1h16v1h-16zM0 2h2v1h-2z');
  });
});
