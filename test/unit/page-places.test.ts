// Where the resident pages of a guest lie, for address spaces of every size.
import { describe, expect, it } from 'vitest';
import type { GuestSpec } from '../../src/shared/guest/guest-program.js';
import { placesOf } from '../../src/shared/guest/programs/page-places.js';
import { gpasBeside } from '../../src/shared/guest/programs/spot-check.js';
import { PAGE_BYTES, REGION_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';

const TIB = 2 ** 40;

function specOf(memoryBytes: number, residentBytes: number, seed = 1): GuestSpec {
  return {
    program: 'uniform',
    memoryBytes,
    vcpus: 1,
    seed,
    writeRate: Infinity,
    hotSetBytes: 0,
    residentBytes,
    devices: [],
  };
}

function chunksOf(memoryBytes: number, chunks: number, seed = 1): number[] {
  return [...placesOf(specOf(memoryBytes, chunks * REGION_BYTES, seed)).chunkGpas];
}

/** Around each boundary in pages, rounded to regions: one less, as many, one more. */
const REGIONS = [2 ** 20, 2 ** 31, 2 ** 32, 2 ** 40].flatMap((pages) =>
  [-1, 0, 1].map((more) => pages / REGION_PAGES + more),
);

describe('a scattered resident set', () => {
  it.each(REGIONS)(
    'of %d regions overlaps nowhere, stays inside, and takes the first and the last',
    (regions) => {
      for (const chunks of [2, 3, 7, 512, 1000]) {
        for (const seed of [0, 1, 0xffff_ffff]) {
          const gpas = chunksOf(regions * REGION_BYTES, chunks, seed);
          expect(gpas).toHaveLength(chunks);
          expect(gpas[0]).toBe(0);
          expect(gpas.at(-1)).toBe((regions - 1) * REGION_BYTES);
          gpas.forEach((gpa, chunk) => {
            expect(gpa % REGION_BYTES).toBe(0);
            if (chunk > 0) expect(gpa - gpas[chunk - 1]!).toBeGreaterThanOrEqual(REGION_BYTES);
          });
        }
      }
    },
  );

  it('takes every region but one, and every region, of a small address space', () => {
    for (let regions = 2; regions < 70; regions++) {
      for (const chunks of [regions - 1, regions]) {
        const { pageCount, gpaOf } = placesOf(specOf(regions * REGION_BYTES, chunks * REGION_BYTES));
        expect(pageCount).toBe(chunks * REGION_PAGES);
        const gpas = new Set(Array.from({ length: pageCount }, (_, page) => gpaOf(page)));
        expect(gpas.size).toBe(pageCount);
        expect(Math.max(...gpas)).toBe(regions * REGION_BYTES - PAGE_BYTES);
      }
    }
  });

  it('lies elsewhere for another seed, and in the same place for the same', () => {
    const [one, again, other] = [1, 1, 2].map((seed) => chunksOf(24 * TIB, 512, seed));
    expect(again).toEqual(one);
    const sameInBoth = one!.filter((gpa) => other!.includes(gpa));
    expect(sameInBoth).toEqual([0, 24 * TIB - REGION_BYTES]);
  });

  it('of one chunk lies where the seed says', () => {
    const places = [1, 2, 3].map((seed) => chunksOf(24 * TIB, 1, seed)[0]!);
    expect(new Set(places).size).toBe(3);
    for (const gpa of places) expect(gpa).toBeLessThanOrEqual(24 * TIB - REGION_BYTES);
  });

  it('has each page at its own address, in whole pages, and knows its own pages', () => {
    const { pageCount, chunkGpas, gpaOf, holds } = placesOf(specOf(24 * TIB, 2 ** 30));
    expect(pageCount).toBe(2 ** 18);
    for (const chunk of [0, 1, 255, 511]) {
      for (const offset of [0, 1, 511]) {
        const gpa = gpaOf(chunk * REGION_PAGES + offset);
        expect(gpa).toBe(chunkGpas[chunk]! + offset * PAGE_BYTES);
        expect(holds(gpa)).toBe(true);
      }
      expect(holds(chunkGpas[chunk]! - PAGE_BYTES)).toBe(false);
      expect(holds(chunkGpas[chunk]! + REGION_BYTES)).toBe(false);
    }
  });
});

describe('a guest that touches all of its memory', () => {
  it.each([0, 2 ** 33])('has one page after the other (--resident %d)', (residentBytes) => {
    const { pageCount, gpaOf } = placesOf(specOf(2 ** 33, residentBytes));
    expect(pageCount).toBe(2 ** 21);
    expect([0, 1, 2 ** 20, 2 ** 21 - 1].map(gpaOf)).toEqual([0, 4096, 2 ** 32, 2 ** 33 - 4096]);
  });
});

describe('what is looked at beside the resident set', () => {
  it.each(REGIONS)('of %d regions is some thousands of pages, none of them resident', (regions) => {
    const memoryBytes = regions * REGION_BYTES;
    const places = placesOf(specOf(memoryBytes, 512 * REGION_BYTES));
    const gpas = gpasBeside(places, memoryBytes, 1);
    for (const gpa of gpas) {
      expect(gpa % PAGE_BYTES).toBe(0);
      expect(gpa >= 0 && gpa < memoryBytes).toBe(true);
      expect(places.holds(gpa)).toBe(false);
    }
    expect(gpas.size).toBeGreaterThan(2500);
    expect(gpas.size).toBeLessThan(6000);
  });

  it('has the page before and after each chunk, and where an address that lost its high bits leads', () => {
    const places = placesOf(specOf(24 * TIB, 2 ** 30));
    const gpas = gpasBeside(places, 24 * TIB, 1);
    const expected = [...places.chunkGpas].flatMap((gpa) => [
      gpa - PAGE_BYTES,
      gpa + REGION_BYTES,
      gpa % 2 ** 32,
    ]);
    const missing = expected.filter(
      (gpa) => gpa >= 0 && gpa < 24 * TIB && !places.holds(gpa) && !gpas.has(gpa),
    );
    expect(missing).toEqual([]);
  });

  it('has the first page and the last when the only chunk lies between them', () => {
    const gpas = gpasBeside(placesOf(specOf(24 * TIB, REGION_BYTES)), 24 * TIB, 1);
    expect(gpas.has(0)).toBe(true);
    expect(gpas.has(24 * TIB - PAGE_BYTES)).toBe(true);
  });
});
