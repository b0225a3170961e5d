// Samples of a guest at work: rows of an instant and, for each vCPU, the pages written until then and its longest stall
// since the row before. A leaf: taken by sampler-worker.ts, carried by a message, drawn by the report.

/** What a sampler's one word tells its worker. */
export const SamplerCommand = { WAIT: 0, SAMPLE: 1, STOP: 2 } as const;

/** Between two samples, to begin with. */
export const SAMPLE_INTERVAL_MS = 5;

/** The same just after a resume: a tenth of the stretch over which a guest is said to have recovered (recovery.ts). */
export const RESUME_INTERVAL_MS = 1;

/** So many samples are taken at that pace: ten times the recovery that is aimed at. They are never thinned. */
export const RESUME_SAMPLES = 200;

/** Doubles that a sampler's buffer holds; when it is full every other row is dropped and the pace halves. */
export const SAMPLE_DOUBLES_MAX = 1 << 19;

/** The same for samples that travel with an audit. */
export const SENT_SAMPLE_DOUBLES_MAX = 1 << 15;

/** Doubles that are told at once while the guest is sampled: a dozen rows of the largest guest. */
export const TOLD_DOUBLES_MAX = 1 << 11;

/** Doubles in a row. */
export function sampleStride(vcpus: number): number {
  return 1 + 2 * vcpus;
}

/** Rows of which a place for `doublesMax` doubles keeps every one, however long it is sampled: the first after a resume. */
export function resumeRowsOf(vcpus: number, doublesMax: number): number {
  return Math.min(RESUME_SAMPLES, 2 * Math.floor(doublesMax / sampleStride(vcpus) / 4));
}

/** A guest on one host, in columns of the same length; one list a vCPU. */
export interface GuestTimeline {
  readonly atMs: readonly number[];
  /** Since the instant before. */
  readonly pagesPerSecond: readonly (readonly number[])[];
  /** The longest that it stood between two slices, or waited for a page, in what ended since the instant before. */
  readonly longestStallMs: readonly (readonly number[])[];
}

/** What lies between each two samples, at the later one's instant, in milliseconds after `originUs`. */
export function timelineOf(samples: Float64Array, vcpus: number, originUs: number): GuestTimeline {
  const stride = sampleStride(vcpus);
  const atMs: number[] = [];
  const pagesPerSecond = Array.from({ length: vcpus }, (): number[] => []);
  const longestStallMs = Array.from({ length: vcpus }, (): number[] => []);
  for (let row = stride; row + stride <= samples.length; row += stride) {
    const spanUs = samples[row]! - samples[row - stride]!;
    // A peer may say what it likes: no rate is endless.
    if (!(spanUs >= 1)) continue;
    atMs.push(rounded((samples[row]! - originUs) / 1000));
    for (let vcpu = 0; vcpu < vcpus; vcpu++) {
      const work = row + 1 + 2 * vcpu;
      const pages = Math.max(0, samples[work]! - samples[work - stride]!);
      pagesPerSecond[vcpu]!.push(Math.round((pages / spanUs) * 1e6));
      longestStallMs[vcpu]!.push(rounded(samples[work + 1]! / 1000));
    }
  }
  return { atMs, pagesPerSecond, longestStallMs };
}

/** The mean throughput of all vCPUs together in what was sampled from `fromMs` to `toMs`; null when nothing was. */
export function meanThroughput(timeline: GuestTimeline, fromMs: number, toMs: number): number | null {
  let pages = 0;
  let spanMs = 0;
  for (const [index, atMs] of timeline.atMs.entries()) {
    const sinceMs = timeline.atMs[index - 1];
    if (sinceMs === undefined || sinceMs < fromMs || atMs > toMs) continue;
    spanMs += atMs - sinceMs;
    for (const rates of timeline.pagesPerSecond) pages += (rates[index]! * (atMs - sinceMs)) / 1000;
  }
  return spanMs > 0 ? (pages / spanMs) * 1000 : null;
}

/** The throughput of all vCPUs together, and the longest stall of any, at each instant. */
export function acrossVcpus(timeline: GuestTimeline): {
  readonly pagesPerSecond: readonly number[];
  readonly longestStallMs: readonly number[];
} {
  const across = (columns: readonly (readonly number[])[], join: (one: number, other: number) => number) =>
    timeline.atMs.map((_, row) => columns.reduce((joined, column) => join(joined, column[row] ?? 0), 0));
  return {
    pagesPerSecond: across(timeline.pagesPerSecond, (one, other) => one + other),
    longestStallMs: across(timeline.longestStallMs, Math.max),
  };
}

// Microseconds are as fine as it gets, and make the document a third as long.
function rounded(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}

/** The guest at an instant (`monotonicUs`). */
export interface GuestSample {
  readonly atUs: number;
  /** Pages that all vCPUs have written here so far. */
  readonly pages: number;
  /** The longest that a vCPU stood between two slices, in what ended since the sample before. */
  readonly longestStallUs: number;
}
