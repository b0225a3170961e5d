// The figures of a live page, as texts by the names of the elements that show them.
// Knows the history of a run; where the texts go is live-page.ts's.
import { formatBytes, formatCount, formatMs } from '../../shared/units.js';
import type { LiveHistory, LiveProgress } from './history.js';
import { renderPhaseChange } from '../../report/progress-lines.js';

/** Stands where nothing is known yet. */
export const UNKNOWN = '–';

/** Names of what changes while the run is watched. */
export const liveTextNames = [
  'headline',
  'phase',
  'elapsed',
  'throughput',
  'throughputRemark',
  'stall',
  'stallRemark',
  'bytes',
  'bandwidth',
  'left',
  'leftRemark',
  'forecast',
  'forecastRemark',
] as const;

export type LiveTextName = (typeof liveTextNames)[number];

export function liveTexts(history: LiveHistory, stunBudgetMs: number): Record<LiveTextName, string> {
  const { progress, migratingMs, isAway } = history;
  const point = history.pointsFrom(Math.max(0, history.pointCount - 1)).at(-1);
  const longest = history.longestStallUs === 0 ? UNKNOWN : formatMs(history.longestStallUs / 1000);
  return {
    headline: headlineOf(history),
    phase: progress?.phase.replaceAll('-', ' ') ?? (history.isBooted ? 'running' : 'booting'),
    elapsed:
      migratingMs === undefined ? 'the migration has not begun' : `migrating for ${seconds(migratingMs)}`,
    throughput: isAway ? remoteRate(history) : formatRate(point?.pagesPerSecond),
    throughputRemark: `pages written a second, at the ${isAway ? 'destination' : 'source'}`,
    stall: longest,
    stallRemark: 'the longest that a vCPU stood between two slices',
    bytes: progress === undefined ? UNKNOWN : formatBytes(progress.sentBytes),
    bandwidth:
      point === undefined || progress === undefined ? '' : `${formatBytes(point.bytesPerSecond)}/s now`,
    ...leftOf(progress),
    forecast:
      progress === undefined || progress.forecastStunMs === null
        ? UNKNOWN
        : formatMs(progress.forecastStunMs),
    forecastRemark: `the budget is ${formatMs(stunBudgetMs)}`,
  };
}

function formatRate(pagesPerSecond: number | null | undefined): string {
  return pagesPerSecond === null || pagesPerSecond === undefined ? UNKNOWN : formatCount(pagesPerSecond);
}

// What was told last: the newest points are not told of yet.
function remoteRate(history: LiveHistory): string {
  const told = history.pointsFrom(history.settledCount).map((point) => point.remotePagesPerSecond);
  return formatRate(told.findLast((rate) => rate !== null));
}

function headlineOf({ progress, isBooted }: LiveHistory): string {
  if (progress === undefined) return isBooted ? 'The guest runs' : 'The guest boots';
  const sentence = renderPhaseChange(progress) ?? quietPhases[progress.phase] ?? progress.phase;
  return sentence.charAt(0).toUpperCase() + sentence.slice(1);
}

/** Phases that the terminal passes over in silence. */
const quietPhases: Readonly<Record<string, string>> = {
  'measuring-clock': 'comparing the clocks of both hosts',
  harvesting: 'harvesting the pages that became dirty',
  ended: 'the migration has ended',
};

function leftOf(progress: LiveProgress | undefined): { left: string; leftRemark: string } {
  if (progress === undefined) return { left: UNKNOWN, leftRemark: 'pages to send' };
  const { phase, round, roundPages, roundPagesSent, dirtyPages } = progress;
  const left = Math.max(0, roundPages - Math.max(0, roundPagesSent));
  switch (phase) {
    case 'copying':
      return { left: formatCount(left), leftRemark: `of ${formatCount(roundPages)} in round ${round}` };
    case 'pushing':
      return { left: formatCount(left), leftRemark: `of ${formatCount(roundPages)} that follow the guest` };
    case 'awaiting-audit':
    case 'ended':
      return { left: '0', leftRemark: 'pages to send' };
    default:
      return dirtyPages === 0
        ? { left: UNKNOWN, leftRemark: 'pages to send' }
        : { left: formatCount(dirtyPages), leftRemark: 'dirty pages' };
  }
}

function seconds(ms: number): string {
  return `${(ms / 1000).toFixed(1)} s`;
}
