// What a migration under way looks like, as lines of text.
// Pure; the terminal is the command line's.
import { PAGE_BYTES } from '../shared/memory/pages.js';
import { formatBytes, formatCount } from '../shared/units.js';
import { renderBand, type Band } from './comparison/remaining-time.js';

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
    case 'notifying':
      return 'asking the guest whether it may be stopped; it runs on meanwhile';
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

/** What the redrawn line shows besides the migration's own facts. */
export interface LiveMotion {
  /** Grows with each redrawing: something moves as long as the program lives. */
  readonly tick: number;
  /** Since the phase began. */
  readonly phaseMs: number;
  readonly bytesPerSecond: number;
  readonly left: Band | undefined;
  /** What fits the terminal. */
  readonly columns: number;
}

/** What a phase does, where no bytes are counted. */
const waitingFor: Readonly<Record<string, string>> = {
  connecting: 'connecting',
  preparing: 'the destination prepares',
  'measuring-clock': 'comparing the clocks',
  'installing-traces': 'installing traces',
  notifying: 'the guest is asked',
  stopping: 'switching over',
  'handing-over': 'switching over',
  'awaiting-audit': 'the guest is audited there',
};

/** A line that moves while `what` is waited for. */
export function renderWait(what: string, tick: number, elapsedMs: number): string {
  return `${spinner(tick)} ${what}, ${(elapsedMs / 1000).toFixed(1)} s`;
}

/**
 * The line that is redrawn: the round, what of it is sent, rate, trend and the time that is left. On a narrow terminal the
 * least telling are left out: a line that is broken cannot be redrawn.
 */
export function renderLive(facts: CourseFacts, motion: LiveMotion): string {
  const { phase, round, roundPages, roundPagesSent } = facts;
  const { tick, phaseMs, bytesPerSecond, left, columns } = motion;
  if (phase !== 'copying' && phase !== 'pushing' && phase !== 'harvesting')
    return renderWait(waitingFor[phase] ?? phase, tick, phaseMs).slice(0, columns - 1);
  const sentPages = Math.min(roundPages, Math.max(0, roundPagesSent));
  const head = `${spinner(tick)} ${phase === 'pushing' ? 'pushing' : `round ${round}`}:`;
  const amount = `${formatBytes(sentPages * PAGE_BYTES)} of ${formatBytes(roundPages * PAGE_BYTES)}`;
  const rate = `${formatBytes(bytesPerSecond)}/s`;
  const time = left === undefined ? '' : renderLeft(left);
  const trend = phase === 'pushing' ? '' : trendOf(facts);
  const line = (...parts: readonly string[]): string =>
    `${head} ${parts.filter((part) => part !== '').join(', ')}`;
  const fitting = [
    line(amount, rate, trend, time),
    line(amount, rate, time),
    line(amount, time),
    line(amount),
  ];
  return fitting.find((text) => text.length < columns) ?? head.slice(0, columns - 1);
}

function spinner(tick: number): string {
  return `  ${'|/-\\'[tick % 4]!}`;
}

// A band that has run out was too short: no number is better than a wrong one.
function renderLeft(left: Band): string {
  if (left.highMs <= 0) return 'longer than expected';
  return left.highMs < 1000 ? 'less than a second left' : renderBand(left);
}
