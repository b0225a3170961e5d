// Whether and when a guest ran again as it had before its move, in words.
// Pure; one place for the report in a terminal and the pages.
import { formatMs } from '../shared/units.js';
import type { RecoveryReport } from './document.js';

/** The value beside the name of the figure: a time, or why there is none. */
export function recoveryValue({ verdict, recoveryMs, watchedMs }: RecoveryReport): string {
  switch (verdict) {
    case 'recovered':
      return formatMs(recoveryMs ?? 0);
    case 'not recovered':
      return `not within ${formatMs(watchedMs ?? 0)}`;
    case 'nothing to recover':
    case 'not sampled':
      return verdict;
  }
}

/** What that means. */
export function recoveryRemark({ verdict, windowMs }: RecoveryReport): string {
  switch (verdict) {
    case 'recovered':
    case 'not recovered':
      return `stop to 90 % of its pace before, for ${formatMs(windowMs)}`;
    case 'nothing to recover':
      return 'the guest wrote nothing before';
    case 'not sampled':
      return 'throughput was not sampled on both hosts';
  }
}

/** The end of a sentence on the guest; empty where there is nothing to say. */
export function recoveryClause(recovery: RecoveryReport): string {
  const { verdict } = recovery;
  if (verdict === 'recovered') return ` and had recovered after ${recoveryValue(recovery)}`;
  return verdict === 'not recovered' ? ` and had not recovered ${recoveryValue(recovery).slice(4)}` : '';
}
