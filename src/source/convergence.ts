// When to stop copying rounds: a pure predicate over the rounds so far, and the forecast that it rests on.
// Knows numbers only.

/** What is known after a round and the harvest that followed it. */
export interface RoundFacts {
  /** Pages that the round had to send. */
  readonly dirtyPages: number;
  readonly sentBytes: number;
  readonly durationMs: number;
}

export interface ConvergenceLimits {
  readonly roundsMax: number;
  readonly stunBudgetMs: number;
  /** Whether the remaining pages follow after the stun instead of within it. */
  readonly pagesFollow?: boolean;
}

/** What switching over now would cost, as far as the rounds tell. */
export interface Forecast {
  /** The fixed costs and the network, and the copying of the remaining pages where that is part of the stun. */
  readonly stunMs: number;
  readonly copyMs: number;
  readonly bandwidthBytesPerSecond: number;
  readonly remainingPages: number;
}

/** How the migration is expected to go on. */
export interface Course {
  /** Rounds in all, those that are over included. */
  readonly rounds: number;
  /** From now until the guest runs at the destination. */
  readonly remainingMs: number;
  readonly stunMs: number;
}

export type Verdict =
  | { readonly kind: 'go-on'; readonly forecast: Forecast; readonly course: Course }
  | { readonly kind: 'switch-over'; readonly why: SwitchOverReason; readonly forecast: Forecast };

export type SwitchOverReason =
  /** The forecast stun fits the budget. */
  | 'stun within budget'
  /** The network alone takes the budget; the pages add next to nothing to it. */
  | 'network beyond budget'
  /** As many rounds as allowed. */
  | 'round limit'
  /** The guest dirties memory as fast as it is copied; more rounds would not shorten the stun. */
  | 'no progress';

/** A round that leaves more than this share of what it was given is no progress. */
const PROGRESS_SHARE = 0.9;
/** So many rounds in a row without progress end the copying. */
const STALLED_ROUNDS = 2;
/** Parking, harvest, compaction, validation and resume on a quiet machine; the network's share is measured. */
const FIXED_STUN_MS = 1;

/** Where the network alone takes the budget, copying may add this share of it to the stun. */
const COPY_SHARE_OF_FIXED = 0.1;
/** A course that has not ended after so many rounds is taken to go on for ever. */
const FORECAST_ROUNDS_MAX = 1000;

/** Bytes of a page with its share of the window's head. */
const PAGE_WIRE_BYTES = 4096 + 8;

/**
 * What a switch-over would cost now: the fixed costs, two crossings of the network, and the remaining pages at the
 * bandwidth of the best of the last three rounds and, from the fourth on, of round 0: short rounds measure latency more
 * than bandwidth.
 */
export function forecastStun(
  rounds: readonly RoundFacts[],
  remainingPages: number,
  roundTripMs: number,
  pagesFollow = false,
): Forecast {
  const bandwidth = Math.max(
    0,
    ...rounds.slice(-3).map(bandwidthOf),
    rounds.length > 3 ? bandwidthOf(rounds[0]!) : 0,
  );
  const copyMs = remainingPages === 0 ? 0 : ((remainingPages * PAGE_WIRE_BYTES) / bandwidth) * 1000;
  return {
    stunMs: FIXED_STUN_MS + roundTripMs + (pagesFollow ? 0 : copyMs),
    copyMs,
    bandwidthBytesPerSecond: bandwidth,
    remainingPages,
  };
}

/**
 * Judges after a harvest. In this order:
 * 1. the forecast stun fits the budget, or nothing but the network keeps it from fitting: switch over;
 * 2. the round limit is reached: switch over;
 * 3. the last rounds each left nearly as much as they were given: switch over, more rounds would not help;
 * 4. otherwise go on.
 */
export function judge(
  rounds: readonly RoundFacts[],
  remainingPages: number,
  roundTripMs: number,
  limits: ConvergenceLimits,
): Verdict {
  const forecast = forecastStun(rounds, remainingPages, roundTripMs, limits.pagesFollow);
  const why = fits(forecast.copyMs, roundTripMs, limits);
  if (why !== undefined) return { kind: 'switch-over', why, forecast };
  if (rounds.length >= limits.roundsMax) return { kind: 'switch-over', why: 'round limit', forecast };
  if (hasStalled(rounds, remainingPages)) return { kind: 'switch-over', why: 'no progress', forecast };
  return { kind: 'go-on', forecast, course: forecastCourse(rounds, remainingPages, roundTripMs, limits) };
}

// Where the pages follow, the budget still bounds how long the guest depends on both hosts.
function fits(copyMs: number, roundTripMs: number, limits: ConvergenceLimits): SwitchOverReason | undefined {
  const fixedMs = FIXED_STUN_MS + roundTripMs;
  if (fixedMs + copyMs <= limits.stunBudgetMs) return 'stun within budget';
  return fixedMs > limits.stunBudgetMs && copyMs <= fixedMs * COPY_SHARE_OF_FIXED
    ? 'network beyond budget'
    : undefined;
}

/**
 * Plays the rounds to come by the same rules: each is copied at the measured bandwidth and a round trip, and meanwhile
 * the guest dirties pages at the rate at which it did in the last round.
 */
export function forecastCourse(
  rounds: readonly RoundFacts[],
  remainingPages: number,
  roundTripMs: number,
  limits: ConvergenceLimits,
): Course {
  const last = rounds.at(-1);
  const dirtyPerMs = last === undefined || last.durationMs <= 0 ? 0 : remainingPages / last.durationMs;
  const { bandwidthBytesPerSecond } = forecastStun(rounds, remainingPages, roundTripMs);
  const played = [...rounds];
  let pages = remainingPages;
  let remainingMs = 0;
  while (played.length < Math.min(limits.roundsMax, rounds.length + FORECAST_ROUNDS_MAX)) {
    const sentBytes = pages * PAGE_WIRE_BYTES;
    const copyMs = (sentBytes / bandwidthBytesPerSecond) * 1000;
    if (fits(copyMs, roundTripMs, limits) !== undefined || hasStalled(played, pages)) break;
    const durationMs = copyMs + roundTripMs;
    played.push({ dirtyPages: pages, sentBytes, durationMs });
    remainingMs += durationMs;
    pages = dirtyPerMs * durationMs;
  }
  const { stunMs } = forecastStun(rounds, pages, roundTripMs, limits.pagesFollow);
  return { rounds: played.length, remainingMs: remainingMs + stunMs, stunMs };
}

/** Sleep that the throttle aims at, as a share of each vCPU's time; beyond the limit it gives up. */
export const THROTTLE_SHARE_MAX = 0.995;
/** Throttled rounds are to leave this share of what they were given. */
const THROTTLE_TARGET = 0.6;
/** A round changes the guest's share by this factor at the most. */
const THROTTLE_STEP_MAX = 16;

// Random writes that leave so many of all pages dirty: a page that is written again is dirty only once, so a guest that
// dirtied everything wrote several times as much.
function writesFor(dirtyPages: number, pageCount: number): number {
  return -pageCount * Math.log1p(-Math.min(dirtyPages, pageCount - 0.5) / pageCount);
}

/**
 * The share of its time that each vCPU is to sleep in the next round, from the share in the last one and what that
 * round left: as much as makes the rounds shrink, and no more; less again when they shrink faster than they must.
 * The next round takes longer or shorter as its pages are more or fewer, and is to leave THROTTLE_TARGET of them.
 */
export function throttleShare(
  current: number,
  givenPages: number,
  leftPages: number,
  pageCount: number,
): number {
  if (leftPages === 0) return 0;
  const allowed = writesFor(THROTTLE_TARGET * leftPages, pageCount) / leftPages;
  const found = writesFor(leftPages, pageCount) / Math.max(1, givenPages);
  const step = allowed / found;
  const runs = (1 - current) * Math.min(THROTTLE_STEP_MAX, Math.max(1 / THROTTLE_STEP_MAX, step));
  return Math.min(THROTTLE_SHARE_MAX, Math.max(0, 1 - runs));
}

function hasStalled(rounds: readonly RoundFacts[], remainingPages: number): boolean {
  if (rounds.length < STALLED_ROUNDS) return false;
  const given = rounds.slice(-STALLED_ROUNDS).map((round) => round.dirtyPages);
  const left = [...given.slice(1), remainingPages];
  return left.every((pages, index) => pages > given[index]! * PROGRESS_SHARE);
}

function bandwidthOf({ sentBytes, durationMs }: RoundFacts): number {
  return durationMs > 0 ? (sentBytes / durationMs) * 1000 : 0;
}
