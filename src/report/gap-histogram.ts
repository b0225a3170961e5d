// Counts of gaps as the report has them: quantiles, half octaves to draw, and HdrHistogram's own form for other tools.
// The histogram is the library's; knows nothing of a machine.
import { build, encodeIntoCompressedBase64 } from 'hdr-histogram-js';
import { GAP_BUCKETS, gapBucketFromUs } from '../shared/guest/gap-buckets.js';
import type { GapHistogram, HistogramBucket } from './document.js';

/** From 1 ns to an hour, to three digits: finer than what was counted. */
const HIGHEST_NS = 3600e9;
const DIGITS = 3;

/** The histogram of `counts` (gap-buckets.ts); null when nothing was counted. */
export function gapHistogramOf(counts: Float64Array): GapHistogram | null {
  const histogram = build({
    bitBucketSize: 64,
    lowestDiscernibleValue: 1,
    highestTrackableValue: HIGHEST_NS,
    numberOfSignificantValueDigits: DIGITS,
    useWebAssembly: false,
  });
  const drawn = new Map<number, number>();
  counts.forEach((count, bucket) => {
    if (count === 0) return;
    const us = middleUs(bucket);
    histogram.recordValueWithCount(Math.max(1, Math.round(us * 1000)), count);
    const belowUs = halfOctaveAbove(us);
    drawn.set(belowUs, (drawn.get(belowUs) ?? 0) + count);
  });
  if (histogram.totalCount === 0) return null;
  const quantileUs = (percentile: number): number => histogram.getValueAtPercentile(percentile) / 1000;
  return {
    count: histogram.totalCount,
    p50Us: quantileUs(50),
    p99Us: quantileUs(99),
    p999Us: quantileUs(99.9),
    maxUs: histogram.maxValue / 1000,
    buckets: [...drawn]
      .map(([belowUs, count]): HistogramBucket => ({ belowUs, count }))
      .sort((one, other) => one.belowUs - other.belowUs),
    hdr: encodeIntoCompressedBase64(histogram),
  };
}

/** What was counted since `before`. */
export function countsSince(before: Float64Array, now: Float64Array): Float64Array {
  return now.map((count, bucket) => count - (before[bucket] ?? 0));
}

function middleUs(bucket: number): number {
  const from = gapBucketFromUs(bucket);
  return bucket + 1 < GAP_BUCKETS ? (from + gapBucketFromUs(bucket + 1)) / 2 : from;
}

function halfOctaveAbove(us: number): number {
  return 2 ** ((Math.floor(2 * Math.log2(Math.max(us, 0.125))) + 1) / 2);
}
