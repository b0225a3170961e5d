// The kernels in WebAssembly against the same work page by page, and their binary against its source.
import { existsSync, readFileSync } from 'node:fs';
import path from 'node:path';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { allocateMemory, PIECE_BYTES_MAX, viewMemory } from '../../src/shared/memory/layout.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { pagesOf } from '../support/bitmaps.js';
import { PAGE_BYTES, PageState, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { markAbsent, settleArrived, unmarkAbsent } from '../../src/shared/memory/placement.js';
import { addPages, readFired, removeTraces, takeRegion } from '../../src/shared/memory/tracing.js';

const root = path.resolve(import.meta.dirname, '../..');
const { PRESENT, TRACED, ARRIVED, ABSENT, PLACING, OUTSIDE } = PageState;

/** Two regions, the last one partial: its end is in the middle of a word. */
const PAGES = REGION_PAGES + 77;
const views = viewMemory(allocateMemory(PAGES * PAGE_BYTES));

/** A page table: mostly traced, as a harvest finds it, or of any states. */
const tables = fc.oneof(
  fc.array(fc.nat({ max: PAGES - 1 }), { maxLength: 40 }).map((fired) => {
    const table = new Uint8Array(PAGES).fill(TRACED);
    for (const page of fired) table[page] = PRESENT;
    return table;
  }),
  fc
    .array(fc.constantFrom(PRESENT, PRESENT, TRACED, ARRIVED, ABSENT, PLACING), {
      minLength: PAGES,
      maxLength: PAGES,
    })
    .map((states) => Uint8Array.from(states)),
);
const sets = fc.array(fc.tuple(fc.nat({ max: PAGES - 1 }), fc.integer({ min: 1, max: 100 })), {
  maxLength: 8,
});

function setOf(runs: readonly (readonly [first: number, pages: number])[]): Set<number> {
  return new Set(
    runs.flatMap(([first, pages]) =>
      Array.from({ length: Math.min(pages, PAGES - first) }, (_, nth) => first + nth),
    ),
  );
}

describe('the binary of the kernels', () => {
  const compiler = path.join(root, 'scripts/kernels-compiler.mjs');
  const isInstalled = existsSync(path.join(root, 'node_modules/assemblyscript')) && existsSync(compiler);
  it.skipIf(!isInstalled)('is what their source compiles to: else run npm run kernels', async () => {
    const { compileKernels, KERNELS_MODULE } = (await import(compiler)) as {
      readonly compileKernels: (root: string) => Promise<string>;
      readonly KERNELS_MODULE: string;
    };
    expect(readFileSync(path.join(root, KERNELS_MODULE), 'utf8')).toBe(await compileKernels(root));
  });
});

describe('the kernels over a page table', () => {
  it('take a region: what was PRESENT is in the set and TRACED, all else is as it was', () => {
    fc.assert(
      fc.property(tables, sets, fc.constantFrom(0, 1), (table, before, region) => {
        const dirty = new PageBitmap(PAGES, views.lateWords);
        dirty.clear();
        for (const page of setOf(before)) dirty.add(page);
        views.pageTable.set(table);
        takeRegion(views, region, dirty);
        const isTaken = (page: number): boolean => page >> 9 === region && table[page] === PRESENT;
        expect(views.pageTable.slice(0, PAGES)).toEqual(
          table.map((state, page) => (isTaken(page) ? TRACED : state)),
        );
        const expected = setOf(before);
        table.forEach((_, page) => isTaken(page) && expected.add(page));
        expect(pagesOf(dirty)).toEqual([...expected].sort((a, b) => a - b));
      }),
    );
    expect(views.pageTable[PAGES]).toBe(OUTSIDE);
  });

  it("refuse a set that does not lie in the guest's buffer", () => {
    const elsewhere = new PageBitmap(PAGES);
    expect(() => {
      takeRegion(views, 0, elsewhere);
    }).toThrow(/does not lie/);
    expect(() => {
      readFired(views, elsewhere);
    }).toThrow(/does not lie/);
  });

  it('mark the pages of a set absent and no other, wherever its words lie', () => {
    fc.assert(
      fc.property(tables, sets, fc.boolean(), (table, runs, isHere) => {
        const lacking = isHere ? new PageBitmap(PAGES, views.lateWords) : new PageBitmap(PAGES);
        lacking.clear();
        const pages = setOf(runs);
        for (const page of pages) lacking.add(page);
        views.pageTable.set(table);
        const more = [...pages].filter((page) => table[page] !== ABSENT);
        expect(markAbsent(views, lacking)).toBe(more.length);
        expect(views.pageTable.slice(0, PAGES)).toEqual(
          table.map((state, page) => (pages.has(page) ? ABSENT : state)),
        );
        unmarkAbsent(views, lacking);
        expect(views.pageTable.slice(0, PAGES)).toEqual(
          table.map((state, page) => (pages.has(page) ? PRESENT : state)),
        );
      }),
    );
    expect(views.pageTable[PAGES]).toBe(OUTSIDE);
  });

  it('read the regions whose summary says so, each once', () => {
    fc.assert(
      fc.property(tables, fc.nat({ max: 3 }), (table, fired) => {
        const late = new PageBitmap(PAGES, views.lateWords);
        late.clear();
        views.pageTable.set(table);
        views.summary.set([fired & 1, fired & 2]);
        readFired(views, late);
        const isRead = (page: number): boolean => ((fired >> (page >> 9)) & 1) !== 0;
        expect(pagesOf(late)).toEqual(
          [...table.keys()].filter((page) => isRead(page) && table[page] === PRESENT),
        );
        expect([...views.summary.subarray(0, 2)]).toEqual([0, 0]);
        expect(views.pageTable.slice(0, PAGES)).toEqual(table);
      }),
    );
  });

  it('add a set to another and count what is new', () => {
    fc.assert(
      fc.property(sets, sets, (some, others) => {
        const [late, dirty] = [views.lateWords, views.dirtyWords].map(
          (words) => new PageBitmap(PAGES, words),
        ) as [PageBitmap, PageBitmap];
        late.clear();
        dirty.clear();
        for (const page of setOf(some)) late.add(page);
        for (const page of setOf(others)) dirty.add(page);
        const all = new Set([...setOf(some), ...setOf(others)]);
        expect(addPages(views, late, dirty)).toBe(all.size - setOf(others).size);
        expect(pagesOf(dirty)).toEqual([...all].sort((a, b) => a - b));
        expect(pagesOf(late).length).toBe(setOf(some).size);
      }),
    );
  });

  it('remove every trace and settle every page that arrived, and touch no other state', () => {
    fc.assert(
      fc.property(tables, (table) => {
        views.pageTable.set(table);
        removeTraces(views);
        const untraced = table.map((state) => (state === TRACED ? PRESENT : state));
        expect(views.pageTable.slice(0, PAGES)).toEqual(untraced);
        settleArrived(views, () => undefined);
        expect(views.pageTable.slice(0, PAGES)).toEqual(
          untraced.map((state) => (state === ARRIVED ? PRESENT : state)),
        );
      }),
    );
    expect(views.pageTable[PAGES]).toBe(OUTSIDE);
  });
});

describe('the kernel over a page', () => {
  it('sees a single bit wherever it is, and looks at no other page', () => {
    const at = (page: number): number => views.segments[0]!.pagesOffset + page * PAGE_BYTES;
    views.segments[0]!.bytes.fill(0);
    views.segments[0]!.bytes.fill(0xff, 0, PAGE_BYTES);
    views.segments[0]!.bytes.fill(0xff, 2 * PAGE_BYTES, 3 * PAGE_BYTES);
    expect(views.kernels.isZeroPage(at(1))).toBe(1);
    for (let byte = 0; byte < PAGE_BYTES; byte++) {
      views.segments[0]!.bytes[PAGE_BYTES + byte] = 1 << (byte & 7);
      expect(views.kernels.isZeroPage(at(1)), `byte ${byte}`).toBe(0);
      views.segments[0]!.bytes[PAGE_BYTES + byte] = 0;
    }
  });

  it('looks at the last page of the largest guest in one piece, which ends at 2^32', () => {
    const largest = viewMemory(allocateMemory(PIECE_BYTES_MAX));
    const last = largest.segments[0]!.pagesOffset + PIECE_BYTES_MAX - PAGE_BYTES;
    expect(largest.kernels.isZeroPage(last)).toBe(1);
    largest.segments[0]!.bytes[PIECE_BYTES_MAX - 1] = 1;
    expect(largest.kernels.isZeroPage(last)).toBe(0);
  });
});

describe('the kernels over a bitmap', () => {
  it('count the edges that are found page by page, across blocks too', () => {
    fc.assert(
      fc.property(sets, fc.constantFrom(0, 32 * 32_768 - 300), (runs, first) => {
        const bitmap = new PageBitmap(first + PAGES);
        for (const page of setOf(runs)) bitmap.add(first + page);
        const pages = pagesOf(bitmap);
        const members = new Set(pages);
        const starts = pages.filter((page) => !members.has(page - 1)).length;
        expect(bitmap.edgeCount()).toBe(2 * starts);
      }),
      { numRuns: 30 },
    );
  });

  it('count what is set page by page, in any number of words', () => {
    fc.assert(
      fc.property(fc.array(fc.integer({ min: -(2 ** 31), max: 2 ** 31 - 1 }), { maxLength: 9 }), (words) => {
        const bitmap = new PageBitmap(32 * words.length, Int32Array.from(words));
        expect(bitmap.count()).toBe(pagesOf(bitmap).length);
      }),
    );
  });
});
