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

export type Verdict =
  | { readonly kind: 'go-on'; readonly forecast: Forecast }
  | { readonly kind: 'switch-over'; readonly why: SwitchOverReason; readonly forecast: Forecast };

export type SwitchOverReason =
  /** The forecast stun fits the budget. */
  | 'stun within budget'
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
 * 1. the forecast stun fits the budget: switch over;
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
  // Where the pages follow, the budget still bounds how long the guest depends on both hosts.
  if (FIXED_STUN_MS + roundTripMs + forecast.copyMs <= limits.stunBudgetMs)
    return { kind: 'switch-over', why: 'stun within budget', forecast };
  if (rounds.length >= limits.roundsMax) return { kind: 'switch-over', why: 'round limit', forecast };
  if (hasStalled(rounds, remainingPages)) return { kind: 'switch-over', why: 'no progress', forecast };
  return { kind: 'go-on', forecast };
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
