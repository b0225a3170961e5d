// Samples of a guest's throughput: instants and the pages written until then, in turn.
// A leaf: taken by sampler-worker.ts, carried by a message, drawn by the report.

/** A buffer holds so many; when it is full every other one is dropped and the pace halves. */
export const SAMPLES_MAX = 2000;

/** Between two samples, to begin with. */
export const SAMPLE_INTERVAL_MS = 5;

export interface ThroughputPoint {
  readonly atMs: number;
  readonly pagesPerSecond: number;
}

/** The throughput between each two samples, at the later one's instant, in milliseconds after `originUs`. */
export function throughputOf(samples: Float64Array, originUs: number): ThroughputPoint[] {
  const points: ThroughputPoint[] = [];
  for (let index = 2; index + 1 < samples.length; index += 2) {
    const spanUs = samples[index]! - samples[index - 2]!;
    const pages = samples[index + 1]! - samples[index - 1]!;
    if (spanUs > 0)
      points.push({ atMs: (samples[index]! - originUs) / 1000, pagesPerSecond: (pages / spanUs) * 1e6 });
  }
  return points;
}
