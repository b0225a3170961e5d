// How long vCPUs stood between two slices: counts in shared memory, one writer a vCPU, cheap enough for every slice.
// Buckets as in an HDR histogram: even ones up to 16 µs, then 32 to an octave. Numbers only.

/** Quarters of a microsecond are told apart up to here; above it a value is off by 3 % at the most. */
const LINEAR_QUARTERS = 64;
const LINEAR_BITS = 6;
const OCTAVE_BITS = 5;
/** From 2^6 quarters of a microsecond to 2^30: over four minutes. The last bucket takes the rest. */
const OCTAVES = 24;

export const GAP_BUCKETS = LINEAR_QUARTERS + (OCTAVES << OCTAVE_BITS);

/** The bucket of a gap. */
export function gapBucketOf(us: number): number {
  const quarters = us * 4;
  if (quarters < LINEAR_QUARTERS) return quarters > 0 ? quarters | 0 : 0;
  if (quarters >= 2 ** (LINEAR_BITS + OCTAVES)) return GAP_BUCKETS - 1;
  const whole = quarters | 0;
  const octave = 31 - Math.clz32(whole);
  const within = (whole >> (octave - OCTAVE_BITS)) - (1 << OCTAVE_BITS);
  return LINEAR_QUARTERS + ((octave - LINEAR_BITS) << OCTAVE_BITS) + within;
}

/** Where a bucket begins, in microseconds. */
export function gapBucketFromUs(bucket: number): number {
  if (bucket < LINEAR_QUARTERS) return bucket / 4;
  const octave = (bucket - LINEAR_QUARTERS) >> OCTAVE_BITS;
  const within = (bucket - LINEAR_QUARTERS) & ((1 << OCTAVE_BITS) - 1);
  return (2 ** (octave + 1) * ((1 << OCTAVE_BITS) + within)) / 4;
}

/** Counts as pairs of a bucket and its count, the empty ones left out: how they travel. */
export function pairsOf(counts: Float64Array): Float64Array {
  const pairs: number[] = [];
  counts.forEach((count, bucket) => {
    if (count > 0) pairs.push(bucket, count);
  });
  return Float64Array.from(pairs);
}

/** The counts that `pairs` stand for; undefined when a peer sent what stands for none. */
export function countsOf(pairs: Float64Array): Float64Array | undefined {
  const counts = new Float64Array(GAP_BUCKETS);
  if (pairs.length % 2 !== 0) return undefined;
  for (let index = 0; index < pairs.length; index += 2) {
    const bucket = pairs[index]!;
    const count = pairs[index + 1]!;
    if (!Number.isInteger(bucket) || bucket < 0 || bucket >= GAP_BUCKETS) return undefined;
    if (!Number.isSafeInteger(count) || count < 0) return undefined;
    counts[bucket] = count;
  }
  return counts;
}
