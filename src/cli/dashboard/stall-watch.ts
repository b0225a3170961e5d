// The longest stall since the last look, from counts that only grow: whoever else looks at them is not disturbed.
// Knows buckets of gaps between slices; not whose they are.
import { gapBucketFromUs } from '../../shared/guest/gap-buckets.js';

export class StallWatch {
  #before: Float64Array | undefined;

  /** Answers where the highest bucket begins that has more in it than the last time; 0 when none has. */
  longestSince(counts: Float64Array): number {
    const before = this.#before;
    this.#before = counts;
    for (let bucket = counts.length - 1; bucket >= 0; bucket--)
      if (counts[bucket]! > (before?.[bucket] ?? 0)) return gapBucketFromUs(bucket);
    return 0;
  }
}
