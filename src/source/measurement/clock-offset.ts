// How far the destination's clock is ahead of the source's, and how wrong that may be, from PINGs and their PONGs.
// Pure; instants are microseconds of the clock of whoever took them.

/** One PING and its PONG. */
export interface ClockSample {
  readonly sentAt: number;
  readonly answeredAt: number;
  readonly receivedAt: number;
}

/** How far the destination's clock is ahead; the true value is within `errorUs` of it. */
export interface ClockOffset {
  readonly offsetUs: number;
  readonly errorUs: number;
}

/**
 * How fast two clocks may run apart: each is kept within 500 ppm of true time, the most that NTP (RFC 5905, MAXFREQ) and
 * Linux (adjtimex) let a clock's rate be off or be corrected by. A millisecond a second; samples around the stun are
 * milliseconds away from it.
 */
export const CLOCK_DRIFT_MAX = 1000e-6;

/** Samples that are kept on each side of the stun: a heartbeat's for about a minute. */
export const CLOCK_SAMPLES_KEPT = 64;

/**
 * The offset at every instant from `fromUs` to `toUs` of the source's clock, from the sample before that serves best and
 * the one after it. Each says that the answer was given between its sending and its receipt, and the further away it is,
 * the further may the clocks have run apart since; both are true, so the offset is what both allow. Where they allow
 * nothing, a clock jumped between them: what is answered then is the better one, and the stun's two views will differ.
 */
export function offsetWithin(samples: readonly ClockSample[], fromUs: number, toUs: number): ClockOffset {
  const middleUs = (fromUs + toUs) / 2;
  const bounds = (sample: ClockSample): Bounds => boundsOf(sample, fromUs, toUs);
  const isBefore = ({ sentAt, receivedAt }: ClockSample): boolean => (sentAt + receivedAt) / 2 < middleUs;
  const before = narrowest(samples.filter(isBefore).map(bounds));
  const after = narrowest(samples.filter((sample) => !isBefore(sample)).map(bounds));
  const best = narrowest([before, after].filter((one) => one !== undefined));
  if (best === undefined) return { offsetUs: 0, errorUs: Infinity };
  const both: Bounds = {
    lowUs: Math.max(before?.lowUs ?? -Infinity, after?.lowUs ?? -Infinity),
    highUs: Math.min(before?.highUs ?? Infinity, after?.highUs ?? Infinity),
  };
  const { lowUs, highUs } = both.lowUs <= both.highUs ? both : best;
  return { offsetUs: (lowUs + highUs) / 2, errorUs: (highUs - lowUs) / 2 };
}

/** Where the offset lies. */
interface Bounds {
  readonly lowUs: number;
  readonly highUs: number;
}

// The answer was given at some instant between the sending and the receipt; the furthest instant from there counts.
function boundsOf({ sentAt, answeredAt, receivedAt }: ClockSample, fromUs: number, toUs: number): Bounds {
  const apartUs = CLOCK_DRIFT_MAX * Math.max(receivedAt - fromUs, toUs - sentAt, receivedAt - sentAt);
  return { lowUs: answeredAt - receivedAt - apartUs, highUs: answeredAt - sentAt + apartUs };
}

function narrowest(bounds: readonly Bounds[]): Bounds | undefined {
  const width = ({ lowUs, highUs }: Bounds): number => highUs - lowUs;
  return bounds.reduce<Bounds | undefined>(
    (best, one) => (best === undefined || width(one) < width(best) ? one : best),
    undefined,
  );
}

/** The samples around a stun, and no more of them than are kept. */
export class ClockSamples {
  #before: ClockSample[] = [];
  #after: ClockSample[] = [];
  #isAfter = false;

  /** From now on samples lie after the stun. */
  noteResumed(): void {
    this.#isAfter = true;
  }

  /** Before the stun the last samples are kept, after it the first. */
  note(sample: ClockSample): void {
    if (!this.#isAfter) this.#before = [...this.#before, sample].slice(-CLOCK_SAMPLES_KEPT);
    else if (this.#after.length < CLOCK_SAMPLES_KEPT) this.#after.push(sample);
  }

  get all(): readonly ClockSample[] {
    return [...this.#before, ...this.#after];
  }
}
