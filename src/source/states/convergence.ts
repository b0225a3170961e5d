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
  /** A raw bitmap that crosses within the stun; of a large address space it takes longer than all else. */
  readonly bitmapBytes?: number;
}

/** What switching over now would cost, as far as the rounds tell. */
export interface Forecast {
  /** The fixed costs, the network and a raw bitmap, and the copying of the remaining pages where that is part of the stun. */
  readonly stunMs: number;
  /** The same where the remaining pages follow, whether or not that is the plan. */
  readonly stunWithoutCopyMs: number;
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

export type Convergence =
  | { readonly kind: 'go-on'; readonly forecast: Forecast; readonly course: Course }
  | { readonly kind: 'switch-over'; readonly why: SwitchOverReason; readonly forecast: Forecast };

export type SwitchOverReason =
  /** The forecast stun fits the budget. */
  | 'stun within budget'
  /** The network alone takes the budget; the pages add next to nothing to it. */
  | 'network beyond budget'
  /** As many rounds as allowed. */
  | 'round limit'
  /** What is left is as little as it gets: another round would leave about as much, and the push brings it anyway. */
  | 'local minimum'
  /** The guest dirties memory as fast as it is copied; more rounds would not shorten the stun. */
  | 'no progress';

/** A round that would leave more than this share of what is dirty now does not pay: its pages are in the stun. */
const PAYING_SHARE = 0.9;
/**
 * The same where what is left follows: a round then saves none of the stun, only pushing and waiting for pages, and costs
 * as long a time of tracing and copying as the push of what it brings; docs/decisions/0023-rounds-that-pay.md
 */
const PAYING_SHARE_PUSHED = 0.75;
/** In a pre-copy, a guess after a single round is no reason for a long stun. */
const TELLING_ROUNDS = 2;
/** All but the network and the pages, and what two busy hosts add to a round trip; measured, docs/decisions/0023. */
const FIXED_STUN_MS = 1;

/** Where the network alone takes the budget, copying may add this share of it to the stun. */
const COPY_SHARE_OF_FIXED = 0.1;
/** A course that has not ended after so many rounds is taken to go on for ever. */
const FORECAST_ROUNDS_MAX = 1000;

/** Bytes of a page with its share of the region's head. */
const PAGE_WIRE_BYTES = 4096 + 8;

/** What the rounds tell of the link. */
interface LinkModel {
  readonly bandwidthBytesPerSecond: number;
  /** What a round takes beyond its bytes: waking the copiers, the network, the acknowledgement. */
  readonly roundCostMs: number;
}

/**
 * Bandwidth: the best of the last three rounds and, from the fourth on, of round 0; short rounds measure their own cost
 * more than the bandwidth. That cost: the median of what the last three took beyond their bytes.
 */
function linkOf(rounds: readonly RoundFacts[]): LinkModel {
  const recent = rounds.slice(-3);
  const bandwidthBytesPerSecond = Math.max(
    0,
    ...recent.map(bandwidthOf),
    rounds.length > 3 ? bandwidthOf(rounds[0]!) : 0,
  );
  const costsMs = recent
    .map(({ sentBytes, durationMs }) => durationMs - (sentBytes / bandwidthBytesPerSecond) * 1000)
    .filter(Number.isFinite)
    .sort((one, other) => one - other);
  // Of two, the lower is that of the round that the bandwidth was taken from: none.
  return { bandwidthBytesPerSecond, roundCostMs: Math.max(0, costsMs[costsMs.length >> 1] ?? 0) };
}

/**
 * What a switch-over would cost now: the fixed costs, two crossings of the network, and in a pre-copy a last round of
 * the remaining pages, whose way back is one of the crossings.
 */
export function forecastStun(
  rounds: readonly RoundFacts[],
  remainingPages: number,
  roundTripMs: number,
  pagesFollow = false,
  bitmapBytes = 0,
): Forecast {
  return forecastOver(linkOf(rounds), remainingPages, roundTripMs, { pagesFollow, bitmapBytes });
}

function forecastOver(
  { bandwidthBytesPerSecond, roundCostMs }: LinkModel,
  remainingPages: number,
  roundTripMs: number,
  { pagesFollow = false, bitmapBytes = 0 }: Pick<ConvergenceLimits, 'pagesFollow' | 'bitmapBytes'>,
): Forecast {
  const transferMs =
    remainingPages === 0 ? 0 : ((remainingPages * PAGE_WIRE_BYTES) / bandwidthBytesPerSecond) * 1000;
  const copyMs = remainingPages === 0 ? 0 : transferMs + Math.max(0, roundCostMs - roundTripMs);
  const bitmapMs = bitmapBytes === 0 ? 0 : (bitmapBytes / bandwidthBytesPerSecond) * 1000;
  const stunWithoutCopyMs = FIXED_STUN_MS + roundTripMs + bitmapMs;
  return {
    stunMs: stunWithoutCopyMs + (pagesFollow ? 0 : copyMs),
    stunWithoutCopyMs,
    copyMs: pagesFollow ? transferMs : copyMs,
    bandwidthBytesPerSecond,
    remainingPages,
  };
}

/** How many last pages a pre-copy may have for a stun of `ms` at the most, as far as the forecast tells. */
export function pagesWithin(forecast: Forecast, ms: number): number {
  const copyMs = Math.max(0, ms - forecast.stunWithoutCopyMs);
  return Math.floor((forecast.bandwidthBytesPerSecond * copyMs) / 1000 / PAGE_WIRE_BYTES);
}

/**
 * Judges after a harvest. In this order:
 * 1. the forecast stun fits the budget, or nothing but the network keeps it from fitting: switch over;
 * 2. the round limit is reached: switch over;
 * 3. the next round is forecast to leave nearly as much as is dirty now: switch over, it would not pay;
 * 4. otherwise go on.
 */
export function judge(
  rounds: readonly RoundFacts[],
  remainingPages: number,
  roundTripMs: number,
  limits: ConvergenceLimits,
): Convergence {
  const { pagesFollow, bitmapBytes } = limits;
  const forecast = forecastStun(rounds, remainingPages, roundTripMs, pagesFollow, bitmapBytes);
  const why = fits(forecast, limits);
  if (why !== undefined) return { kind: 'switch-over', why, forecast };
  if (rounds.length >= limits.roundsMax) return { kind: 'switch-over', why: 'round limit', forecast };
  if (!paysAnother(rounds, remainingPages, dirtyingOf(rounds, remainingPages, roundTripMs), limits))
    return {
      kind: 'switch-over',
      why: limits.pagesFollow === true ? 'local minimum' : 'no progress',
      forecast,
    };
  return { kind: 'go-on', forecast, course: forecastCourse(rounds, remainingPages, roundTripMs, limits) };
}

// Where the pages follow, the budget still bounds how long the guest depends on both hosts.
function fits(
  { copyMs, stunWithoutCopyMs: fixedMs }: Forecast,
  limits: ConvergenceLimits,
): SwitchOverReason | undefined {
  if (fixedMs + copyMs <= limits.stunBudgetMs) return 'stun within budget';
  return fixedMs > limits.stunBudgetMs && copyMs <= fixedMs * COPY_SHARE_OF_FIXED
    ? 'network beyond budget'
    : undefined;
}

/**
 * Plays the rounds to come by the same rules: each takes its bytes at the measured bandwidth and what a round costs, and
 * meanwhile the guest dirties pages as it did.
 */
export function forecastCourse(
  rounds: readonly RoundFacts[],
  remainingPages: number,
  roundTripMs: number,
  limits: ConvergenceLimits,
): Course {
  const link = linkOf(rounds);
  const dirtying = dirtyingOf(rounds, remainingPages, roundTripMs);
  const forecastOf = (pagesLeft: number): Forecast => forecastOver(link, pagesLeft, roundTripMs, limits);
  const played = [...rounds];
  let pages = remainingPages;
  let remainingMs = 0;
  while (played.length < Math.min(limits.roundsMax, rounds.length + FORECAST_ROUNDS_MAX)) {
    if (fits(forecastOf(pages), limits) !== undefined) break;
    if (!paysAnother(played, pages, dirtying, limits)) break;
    const durationMs = dirtying.roundMs(pages);
    played.push({ dirtyPages: pages, sentBytes: pages * PAGE_WIRE_BYTES, durationMs });
    remainingMs += durationMs;
    pages = dirtying.leftBy(pages);
  }
  const { stunMs } = forecastOf(pages);
  return { rounds: played.length, remainingMs: remainingMs + stunMs, stunMs };
}

/** What the rounds so far tell of one to come, by the pages that it has to bring. */
interface Dirtying {
  readonly roundMs: (pages: number) => number;
  /** How many pages are dirty after it. */
  readonly leftBy: (pages: number) => number;
}

/**
 * The guest dirties so many pages in so much time as in the last round, and in less time less, but not in proportion,
 * because it writes some pages again and again.
 */
function dirtyingOf(rounds: readonly RoundFacts[], remainingPages: number, roundTripMs: number): Dirtying {
  const { bandwidthBytesPerSecond, roundCostMs } = linkOf(rounds);
  const exponent = dirtyingExponent(rounds, remainingPages);
  const lastMs = rounds.at(-1)?.durationMs ?? 0;
  const roundMs = (pages: number): number =>
    ((pages * PAGE_WIRE_BYTES) / bandwidthBytesPerSecond) * 1000 + Math.max(roundTripMs, roundCostMs);
  return {
    roundMs,
    leftBy: (pages) => (lastMs > 0 ? remainingPages * Math.min(1, roundMs(pages) / lastMs) ** exponent : 0),
  };
}

// Whether one more round is forecast to leave notably less than the `pages` that are dirty before it.
function paysAnother(
  rounds: readonly RoundFacts[],
  pages: number,
  dirtying: Dirtying,
  { pagesFollow }: ConvergenceLimits,
): boolean {
  const isTelling = rounds.length >= TELLING_ROUNDS || (pagesFollow === true && rounds.some(tellsOfLink));
  if (!isTelling) return true;
  return dirtying.leftBy(pages) < pages * (pagesFollow === true ? PAYING_SHARE_PUSHED : PAYING_SHARE);
}

// A round of zero pages takes time and carries nothing: it says next to nothing of the bandwidth.
function tellsOfLink({ dirtyPages, sentBytes }: RoundFacts): boolean {
  return sentBytes > (dirtyPages * PAGE_WIRE_BYTES) / 2;
}

/** With one round known: between a guest that writes each page once and one that writes few pages over and over. */
const DIRTYING_EXPONENT = 0.7;
/** Two rounds whose times differ by less than this factor say little about that. */
const TELLING_RATIO = 1.3;

// Dirty pages grow as a power of time: fitted to the last two rounds, where they are far enough apart.
function dirtyingExponent(rounds: readonly RoundFacts[], remainingPages: number): number {
  const [before, last] = rounds.slice(-2);
  if (before === undefined || last === undefined || remainingPages === 0) return DIRTYING_EXPONENT;
  const times = Math.log(before.durationMs / last.durationMs);
  if (!(Math.abs(times) > Math.log(TELLING_RATIO))) return DIRTYING_EXPONENT;
  const exponent = Math.log(last.dirtyPages / remainingPages) / times;
  return Number.isFinite(exponent) ? Math.min(1, Math.max(0, exponent)) : DIRTYING_EXPONENT;
}

function bandwidthOf({ sentBytes, durationMs }: RoundFacts): number {
  return durationMs > 0 ? (sentBytes / durationMs) * 1000 : 0;
}
