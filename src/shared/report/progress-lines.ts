// What a migration under way looks like, as lines of text.
// Pure; the terminal is the command line's.
import { formatBytes, formatCount } from '../units.js';

/** Where a migration stands, as far as it is shown. */
export interface ProgressFacts {
  readonly phase: string;
  readonly round: number;
  readonly roundPages: number;
  readonly roundPagesSent: number;
  readonly sentBytes: number;
  readonly dirtyPages: number;
}

const BAR_CELLS = 28;

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

/** One line that is redrawn: phase, round, how far it is, bytes, rate, dirty pages. */
export function renderLive(
  { phase, round, roundPages, roundPagesSent, sentBytes, dirtyPages }: ProgressFacts,
  bytesPerSecond: number,
): string {
  if (phase !== 'copying' && phase !== 'pushing') return `  ${phase} …`;
  const share = roundPages === 0 ? 1 : Math.min(1, roundPagesSent / roundPages);
  const filled = Math.round(share * BAR_CELLS);
  const bar = '█'.repeat(filled) + '░'.repeat(BAR_CELLS - filled);
  return `  ${phase} round ${round}  ${bar}  ${formatBytes(sentBytes)}  ${formatBytes(bytesPerSecond)}/s  ${formatCount(dirtyPages)} dirty pages`;
}
