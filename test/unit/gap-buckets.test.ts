import fc from 'fast-check';
import { decodeFromCompressedBase64 } from 'hdr-histogram-js';
import { describe, expect, it } from 'vitest';
import {
  countsOf,
  GAP_BUCKETS,
  gapBucketFromUs,
  gapBucketOf,
  pairsOf,
} from '../../src/shared/guest/gap-buckets.js';
import { countsSince, gapHistogramOf } from '../../src/report/gap-histogram.js';

const anyUs = fc.oneof(
  fc.double({ min: 0, max: 20, noNaN: true }),
  fc.double({ min: 0, max: 1e10, noNaN: true }),
);

describe('a bucket of gaps', () => {
  it('begins at or below what falls into it, and the next one above', () => {
    fc.assert(
      fc.property(anyUs, (us) => {
        const bucket = gapBucketOf(us);
        expect(bucket).toBeLessThan(GAP_BUCKETS);
        expect(gapBucketFromUs(bucket)).toBeLessThanOrEqual(us);
        if (bucket + 1 < GAP_BUCKETS) expect(gapBucketFromUs(bucket + 1)).toBeGreaterThan(us);
      }),
    );
  });

  it('is a quarter of a microsecond wide up to 16 µs, and 3 % of its value above', () => {
    for (let bucket = 0; bucket + 1 < GAP_BUCKETS; bucket++) {
      const from = gapBucketFromUs(bucket);
      const width = gapBucketFromUs(bucket + 1) - from;
      if (from < 16) expect(width).toBe(0.25);
      else expect(width / from).toBeLessThanOrEqual(1 / 32);
    }
  });

  it('takes what is longer than anything else too', () => {
    expect(gapBucketOf(Infinity)).toBe(GAP_BUCKETS - 1);
    expect(gapBucketOf(-1)).toBe(0);
  });
});

describe('counts of gaps', () => {
  it('travel as pairs of what is not empty', () => {
    const counts = new Float64Array(GAP_BUCKETS);
    counts[0] = 3;
    counts[GAP_BUCKETS - 1] = 1;
    expect([...pairsOf(counts)]).toEqual([0, 3, GAP_BUCKETS - 1, 1]);
    expect(countsOf(pairsOf(counts))).toEqual(counts);
  });

  it.each([
    ['an odd number of them', [1, 2, 3]],
    ['a bucket that is none', [GAP_BUCKETS, 1]],
    ['a bucket below none', [-1, 1]],
    ['half a bucket', [0.5, 1]],
    ['a count below zero', [0, -1]],
    ['half a count', [0, 1.5]],
    ['a count beyond counting', [0, 2 ** 60]],
  ])('are refused with %s', (_what, pairs) => {
    expect(countsOf(Float64Array.from(pairs))).toBeUndefined();
  });

  it('leave nothing of what was counted before', () => {
    const before = new Float64Array([5, 0, 2]);
    expect([...countsSince(before, new Float64Array([7, 1, 2]))]).toEqual([2, 1, 0]);
    expect([...countsSince(new Float64Array(0), new Float64Array([7, 1]))]).toEqual([7, 1]);
  });
});

describe('a histogram of gaps', () => {
  function countsFor(...gapsUs: number[]): Float64Array {
    const counts = new Float64Array(GAP_BUCKETS);
    for (const us of gapsUs) counts[gapBucketOf(us)]!++;
    return counts;
  }

  it('is none when nothing was counted', () => {
    expect(gapHistogramOf(new Float64Array(GAP_BUCKETS))).toBeNull();
  });

  it('has the quantiles of what was counted, to 3 %', () => {
    const gaps = Array.from({ length: 1000 }, (_, index) => index + 1);
    const histogram = gapHistogramOf(countsFor(...gaps))!;
    expect(histogram.count).toBe(1000);
    expect(Math.abs(histogram.p50Us - 500) / 500).toBeLessThan(0.04);
    expect(Math.abs(histogram.p99Us - 990) / 990).toBeLessThan(0.04);
    expect(Math.abs(histogram.maxUs - 1000) / 1000).toBeLessThan(0.04);
    expect(histogram.buckets.reduce((sum, { count }) => sum + count, 0)).toBe(1000);
  });

  it("is read by HdrHistogram's own decoder", () => {
    const { hdr, maxUs } = gapHistogramOf(countsFor(3, 40, 5000))!;
    const decoded = decodeFromCompressedBase64(hdr);
    expect(decoded.totalCount).toBe(3);
    // The library's own three digits.
    expect(Math.abs(decoded.maxValue / 1000 / maxUs - 1)).toBeLessThan(0.001);
  });
});
