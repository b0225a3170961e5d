// How much of its throughput a guest lost, and whether that is more than its throughput changes by itself.
// Pure: samples in, a share and its uncertainty out; and the words for it.
import { meanThroughput, type GuestTimeline } from '../shared/guest/samples.js';
import type { GuestCostReport } from './document.js';

/** Either stretch of time is cut into so many: how unlike they are says how sure the means are. */
const CUTS = 10;
/** Fewer say nothing of that. */
const CUTS_MIN = 5;
/** Standard errors to either side that hold nineteen true values of twenty, for as few cuts (Student's t, 4 degrees). */
const STANDARD_ERRORS = 2.78;

type Loss = Pick<
  GuestCostReport,
  'beforePagesPerSecond' | 'duringPagesPerSecond' | 'lostShare' | 'lostShareError'
>;

/** A stretch of a timeline, in milliseconds. */
interface Stretch {
  readonly fromMs: number;
  readonly toMs: number;
}

/** What was lost between two stretches of time; the second is missing where nothing was copied. */
export function lossOf(timeline: GuestTimeline, before: Stretch, during: Stretch | undefined): Loss {
  const one = rateOf(timeline, before);
  const other = during && rateOf(timeline, during);
  const kept = one !== undefined && other !== undefined && one.mean > 0 ? other.mean / one.mean : null;
  const isSure = kept !== null && one?.error !== undefined && other?.error !== undefined;
  return {
    beforePagesPerSecond: one?.mean ?? null,
    duringPagesPerSecond: other?.mean ?? null,
    lostShare: kept === null ? null : 1 - kept,
    lostShareError: isSure ? Math.hypot(other.error, kept * one.error) / one.mean : null,
  };
}

/** The mean of a stretch, and how far it may be from the true one as far as its cuts tell. */
interface Rate {
  readonly mean: number;
  readonly error: number | undefined;
}

function rateOf(timeline: GuestTimeline, { fromMs, toMs }: Stretch): Rate | undefined {
  const mean = meanThroughput(timeline, fromMs, toMs);
  if (mean === null) return undefined;
  const stepMs = (toMs - fromMs) / CUTS;
  const cuts = Array.from({ length: CUTS }, (_, at) =>
    meanThroughput(timeline, fromMs + at * stepMs, fromMs + (at + 1) * stepMs),
  ).filter((cut) => cut !== null);
  if (cuts.length < CUTS_MIN) return { mean, error: undefined };
  const ofCuts = cuts.reduce((sum, cut) => sum + cut, 0) / cuts.length;
  const variance = cuts.reduce((sum, cut) => sum + (cut - ofCuts) ** 2, 0) / (cuts.length - 1);
  return { mean, error: STANDARD_ERRORS * Math.sqrt(variance / cuts.length) };
}

/** The share that was certainly lost: none where it is within the uncertainty; null where that cannot be told. */
export function measurableLoss({ lostShare, lostShareError }: GuestCostReport): number | null {
  if (lostShare === null || lostShareError === null) return null;
  return lostShare <= lostShareError ? 0 : lostShare;
}

/** What was lost, in words; empty where nothing was sampled. */
export function lossText({ lostShare, lostShareError }: GuestCostReport): string {
  if (lostShare === null) return '';
  if (lostShareError === null) return 'too short to tell what was lost';
  const uncertainty = `± ${percents(lostShareError)} %`;
  if (Math.abs(lostShare) <= lostShareError) return `no loss measurable, ${uncertainty}`;
  return lostShare > 0
    ? `${percents(lostShare)} ${uncertainty} lost`
    : `none lost: ${percents(-lostShare)} ${uncertainty} more`;
}

function percents(share: number): string {
  return (share * 100).toFixed(1);
}
