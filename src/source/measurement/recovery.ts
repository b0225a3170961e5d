// When a guest that was moved runs again as it ran before: from the stop at the source, by its samples at the destination.
// Pure; knows rows of samples (shared/guest/samples.ts) and two clocks.
import type { RecoveryReport } from '../../report/document.js';
import { sampleStride } from '../../shared/guest/samples.js';

/** A guest has recovered that runs at this share of its throughput before. */
const RECOVERED_SHARE = 0.9;
/** For so long, anywhere after the resume. */
const WINDOW_MS = 10;
/** A guest of few writes is watched for longer: as long as each vCPU took for so many. */
const WINDOW_WRITES = 10;

/** What is known of a guest that has gone. */
export interface RecoveryFacts {
  /** Its mean throughput before the migration; null where it was not sampled. */
  readonly beforePagesPerSecond: number | null;
  readonly vcpus: number;
  /** When it was told to stop, on the source's clock. */
  readonly stopAtUs: number;
  /** When each vCPU began its first slice at the destination, on the destination's clock. */
  readonly firstSliceAtUs: readonly number[];
  /** How far the destination's clock is ahead. */
  readonly aheadUs: number;
  /** The guest at the destination, on the destination's clock; its pages count from its resume. */
  readonly samples: Float64Array;
}

/**
 * From the stop until the end of the first stretch between two samples, of 10 ms or little more, in which the guest wrote
 * at least nine tenths of what it wrote in as long a time before. Stretches begin with the resume at the earliest: the
 * stun is not averaged away. Between samples nothing is guessed, so what is answered is late by up to a sample's distance.
 */
export function recoveryOf(facts: RecoveryFacts): RecoveryReport {
  const { beforePagesPerSecond, vcpus, stopAtUs, aheadUs } = facts;
  const points = pointsOf(facts);
  const sinceStopMs = (atUs: number): number => (atUs - aheadUs - stopAtUs) / 1000;
  const last = points.at(-1);
  const watched = {
    windowMs: windowMs(beforePagesPerSecond ?? 0, vcpus),
    watchedMs: points.length < 2 || last === undefined ? null : sinceStopMs(last.atUs),
  };
  if (beforePagesPerSecond === 0) return { verdict: 'nothing to recover', recoveryMs: null, ...watched };
  if (beforePagesPerSecond === null || watched.watchedMs === null)
    return { verdict: 'not sampled', recoveryMs: null, ...watched };
  const enoughPerUs = (RECOVERED_SHARE * beforePagesPerSecond) / 1e6;
  const recovered = firstStretchEnd(points, 1000 * watched.windowMs, enoughPerUs);
  if (recovered === undefined) return { verdict: 'not recovered', recoveryMs: null, ...watched };
  return { verdict: 'recovered', recoveryMs: sinceStopMs(recovered.atUs), ...watched };
}

/** All pages that the vCPUs have written until an instant. */
interface Point {
  readonly atUs: number;
  readonly pages: number;
}

// The first is the resume, when nothing was written yet: the sampler begins a little later.
function pointsOf({ samples, vcpus, firstSliceAtUs }: RecoveryFacts): Point[] {
  const resumedUs = Math.min(...firstSliceAtUs);
  const points: Point[] = [{ atUs: resumedUs, pages: 0 }];
  const stride = sampleStride(vcpus);
  for (let row = 0; row + stride <= samples.length; row += stride) {
    const atUs = samples[row]!;
    if (atUs <= resumedUs) continue;
    let pages = 0;
    for (let work = row + 1; work < row + stride; work += 2) pages += samples[work]!;
    points.push({ atUs, pages });
  }
  return points;
}

function firstStretchEnd(points: readonly Point[], windowUs: number, enoughPerUs: number): Point | undefined {
  let from = 0;
  return points.find((to) => {
    // The last that is far enough away: the shortest stretch that ends here.
    while (points[from + 1]!.atUs <= to.atUs - windowUs) from++;
    const { atUs, pages } = points[from]!;
    const spanUs = to.atUs - atUs;
    return spanUs >= windowUs && to.pages - pages >= enoughPerUs * spanUs;
  });
}

function windowMs(pagesPerSecond: number, vcpus: number): number {
  return pagesPerSecond > 0
    ? Math.max(WINDOW_MS, (1000 * WINDOW_WRITES * vcpus) / pagesPerSecond)
    : WINDOW_MS;
}
