// How long vCPUs waited for absent pages: a histogram in shared memory, one writer a vCPU.
// Half octaves of microseconds; plain doubles.

/** Half octaves from 1 µs to over a minute; the last bucket takes the rest. */
export const FAULT_BUCKETS = 54;

/** The bucket of a latency: the first one whose upper bound 2^(n/2) µs exceeds it. */
export function faultBucketOf(us: number): number {
  return Math.max(0, Math.min(FAULT_BUCKETS - 1, Math.floor(2 * Math.log2(Math.max(us, 0.5))) + 1));
}

/** Upper bound of a bucket in microseconds. */
export function faultBucketBoundUs(bucket: number): number {
  return 2 ** (bucket / 2);
}

/** The latency that a share `q` of all in `buckets` does not exceed, to half an octave; 0 when there is none. */
export function quantileOf(buckets: readonly number[], q: number): number {
  const total = buckets.reduce((sum, count) => sum + count, 0);
  let seen = 0;
  for (const [bucket, count] of buckets.entries()) {
    seen += count;
    if (total > 0 && seen >= q * total && count > 0) return faultBucketBoundUs(bucket);
  }
  return 0;
}
