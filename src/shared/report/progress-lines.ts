// What a migration under way looks like, as lines of text.
// Pure; the terminal is the command line's.
import { formatBytes, formatCount } from '../units.js';
import { renderBand, type Band } from './remaining-time.js';

/** Where a migration stands, as far as it is shown. */
export interface ProgressFacts {
  readonly phase: string;
  readonly round: number;
  readonly roundPages: number;
  readonly roundPagesSent: number;
  readonly sentBytes: number;
  readonly dirtyPages: number;
}

/** A line for a phase or round that has just begun; undefined for those too short to mention. */
export function renderPhaseChange({
  phase,
  round,
  roundPages,
  dirtyPages,
}: ProgressFacts): string | undefined {
  switch (phase) {
    case 'connecting':
      return 'connecting to the destination';
    case 'preparing':
      return 'the destination prepares: memory, vCPUs, page connections';
    case 'installing-traces':
      return 'installing traces while the guest runs';
    case 'copying':
      return round === 0
        ? `round 0: all ${formatCount(roundPages)} pages`
        : `round ${round}: ${formatCount(roundPages)} dirty pages`;
    case 'stopping':
    case 'handing-over':
      return `switching over with ${formatCount(dirtyPages)} pages left`;
    case 'pushing':
      return `the guest runs at the destination; pushing ${formatCount(roundPages)} pages`;
    case 'awaiting-audit':
      return 'the guest runs at the destination; its audit follows';
    default:
      return undefined;
  }
}

/** What the line that is redrawn shows beside that. */
export interface CourseFacts extends ProgressFacts {
  /** Pages that the round before had to bring; 0 in round 0. */
  readonly previousRoundPages: number;
  /** Since the round began. */
  readonly roundElapsedMs: number;
  /** From the beginning of this round until the guest runs at the destination, by the forecast made before this round; null without one. */
  readonly expectedMs: number | null;
}

/** A round that leaves more or less than its share by this factor goes up or down. */
const STEADY_FACTOR = 1.1;

/** Whether rounds get smaller: what tells if a migration converges. */
export function trendOf({ round, roundPages, previousRoundPages }: CourseFacts): string {
  if (round === 0 || previousRoundPages === 0) return '';
  const factor = roundPages / previousRoundPages;
  if (factor < 1 / STEADY_FACTOR) return `shrinking to ${(factor * 100).toFixed(0)} % a round`;
  return factor > STEADY_FACTOR ? 'growing' : 'steady';
}

/** So much of round 0 has to be over before its pace says something. */
const TELLING_SHARE = 0.05;

/** How long until the guest runs at the destination, as a band; undefined while nothing is known. */
export function timeLeft(facts: CourseFacts): Band | undefined {
  const { phase, round, roundPages, roundPagesSent, roundElapsedMs, expectedMs } = facts;
  if (phase !== 'copying' && phase !== 'harvesting') return undefined;
  if (expectedMs !== null) {
    const leftMs = Math.max(0, expectedMs - roundElapsedMs);
    return { lowMs: leftMs / 2, highMs: leftMs * 2 };
  }
  const share = roundPages === 0 ? 1 : Math.min(1, roundPagesSent / roundPages);
  if (round > 0 || share < TELLING_SHARE) return undefined;
  const roundMs = roundElapsedMs / share;
  // What the guest dirties meanwhile comes on top: at best a little, at worst all of it once more.
  return { lowMs: roundMs - roundElapsedMs, highMs: 2 * roundMs - roundElapsedMs };
}

/** The line that is redrawn: phase, bytes, rate, dirty pages and their trend, and the time that is left. */
export function renderLive(facts: CourseFacts, bytesPerSecond: number, left: Band | undefined): string {
  const { phase, round, sentBytes, dirtyPages } = facts;
  if (phase !== 'copying' && phase !== 'pushing' && phase !== 'harvesting') return `  ${phase} …`;
  return [
    phase === 'pushing' ? 'pushing' : `round ${round}`,
    `${formatBytes(sentBytes)} sent`,
    `${formatBytes(bytesPerSecond)}/s`,
    `${formatCount(dirtyPages)} dirty pages`,
    trendOf(facts),
    left === undefined ? '' : renderLeft(left),
  ]
    .filter((text) => text !== '')
    .map((text) => `  ${text}`)
    .join('');
}

// A band that has run out was too short: no number is better than a wrong one.
function renderLeft(left: Band): string {
  if (left.highMs <= 0) return 'longer than expected';
  return left.highMs < 1000 ? 'less than a second left' : renderBand(left);
}
