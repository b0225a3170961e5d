import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { sampleStride, TOLD_DOUBLES_MAX } from '../../src/shared/guest/samples.js';
import {
  areSensible,
  SampleTeller,
  TOLD_INTERVAL_MS,
  TOLD_ROWS,
  ToldSamples,
} from '../../src/shared/guest/told-samples.js';
import { VCPUS_MAX } from '../../src/shared/memory/safepoint-words.js';

/** A row of one vCPU. */
const row = (ms: number, pages: number, stallUs: number): Float64Array =>
  Float64Array.of(1000 * ms, pages, stallUs);
const rows = (...list: Float64Array[]): Float64Array => Float64Array.from(list.flatMap((one) => [...one]));

describe('samples that are told while a guest runs', () => {
  it('are few at a time, and lose no stall between them', () => {
    const teller = new SampleTeller(1);
    const told: Float64Array[] = [];
    for (let ms = 0; ms <= 1000; ms += 5) {
      const batch = teller.note(row(ms, ms, ms === 115 ? 777 : 1));
      if (batch !== undefined) told.push(batch);
    }
    const stride = sampleStride(1);
    expect(told.map(({ length }) => length / stride)).toEqual(Array(5).fill(TOLD_ROWS));
    const all = told.flatMap((batch) => [...batch]);
    expect(all.filter((_, at) => at % stride === 0)).toEqual(
      Array.from({ length: 5 * TOLD_ROWS }, (_, at) => 1000 * TOLD_INTERVAL_MS * at),
    );
    expect(all.filter((_, at) => at % stride === 2).indexOf(777)).toBe(3);
  });

  it('are all of those just after a resume, soon and in order, and some of the others', () => {
    for (const vcpus of [1, VCPUS_MAX]) {
      const stride = sampleStride(vcpus);
      const teller = new SampleTeller(vcpus, 50);
      const told: number[] = [];
      const after = [
        ...Array.from({ length: 50 }, (_, ms) => ms),
        ...Array.from({ length: 400 }, (_, at) => 50 + 5 * at),
      ];
      for (const ms of after) {
        const batch = teller.note(new Float64Array(stride).fill(1000 * ms));
        if (batch === undefined) continue;
        expect(batch.length).toBeLessThanOrEqual(TOLD_DOUBLES_MAX);
        told.push(...batch.filter((_, at) => at % stride === 0));
        if (ms < 50) expect(told.at(-1)).toBe(1000 * ms);
      }
      expect(told.slice(0, 50)).toEqual(Array.from({ length: 50 }, (_, ms) => 1000 * ms));
      expect(told.slice(50, 53)).toEqual([99_000 + 1000, 150_000, 200_000]);
    }
  });

  it('fit a message for as many vCPUs as there may be', () => {
    expect(TOLD_ROWS * sampleStride(VCPUS_MAX)).toBeLessThanOrEqual(TOLD_DOUBLES_MAX);
  });
});

describe('samples that a peer tells', () => {
  it('are kept in order, and asked for once', () => {
    const told = new ToldSamples(1);
    expect(told.note(rows(row(1, 10, 0), row(2, 20, 5)))).toBe(true);
    expect(told.takeFresh()).toHaveLength(2);
    expect(told.note(rows(row(3, 30, 0)))).toBe(true);
    expect(told.takeFresh()).toEqual([row(3, 30, 0)]);
    expect(told.takeFresh()).toEqual([]);
    expect(told.all).toEqual(rows(row(1, 10, 0), row(2, 20, 5), row(3, 30, 0)));
  });

  it.each([
    ['half a row', Float64Array.of(5000, 1)],
    ['a time that goes back', row(0.5, 20, 0)],
    ['the same time again', row(1, 20, 0)],
    ['pages that are unwritten', row(2, 9, 0)],
    ['a negative stall', row(2, 20, -1)],
    ['a count beyond counting', row(2, 1e300, 0)],
    ['rows out of order', rows(row(3, 20, 0), row(2, 20, 0))],
  ])('are left out when they are %s', (_, samples) => {
    const told = new ToldSamples(1);
    told.note(row(1, 10, 0));
    expect(told.note(samples)).toBe(false);
    expect(told.all).toEqual(row(1, 10, 0));
  });

  it('keep every one of the first, however long a peer tells', () => {
    const told = new ToldSamples(1, 300);
    for (let ms = 1; ms <= 10_000; ms++) told.note(row(ms, ms, 0));
    const first = told.all.slice(0, 3 * 50).filter((_, at) => at % 3 === 0);
    expect([...first]).toEqual(Array.from({ length: 50 }, (_, at) => 1000 * (at + 1)));
    expect(areSensible(told.all, 1)).toBe(true);
  });

  it('take no more than their place, however long a peer tells, and keep the longest stall', () => {
    const told = new ToldSamples(1, 300);
    for (let ms = 1; ms <= 100_000; ms++) told.note(row(ms, ms, ms === 5000 ? 777 : 1));
    const { all } = told;
    expect(all.length).toBeLessThanOrEqual(300);
    expect(Math.max(...all.filter((_, at) => at % 3 === 2))).toBe(777);
    expect(all.at(-3)).toBeGreaterThan(98_000 * 1000);
    expect(told.takeFresh().length).toBeLessThanOrEqual(200);
    expect(areSensible(all, 1)).toBe(true);
  });

  it('are sensible or not, whatever they are', () => {
    fc.assert(
      fc.property(fc.array(fc.double()), fc.integer({ min: 1, max: 4 }), (list, vcpus) => {
        const told = new ToldSamples(vcpus);
        const samples = Float64Array.from(list);
        expect(told.note(samples)).toBe(areSensible(samples, vcpus));
      }),
    );
  });
});
