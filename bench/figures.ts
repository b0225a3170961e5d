// A figure of a row: what was measured, how it is held against its goal, and when nothing is concluded from it.
// Pure; knows nothing of what was measured.
import { medianOf, quantileOfSorted } from './statistics.js';

/** Quartiles further apart than this share of the median tell of the machine and not of the code. */
const SPREAD_MAX = 1;

export interface Goal {
  readonly sense: 'at most' | 'at least';
  readonly limit: number;
}

export interface Figure {
  readonly label: string;
  readonly unit: string;
  readonly samples: number;
  readonly value: number;
  readonly quartiles: readonly [first: number, third: number] | undefined;
  readonly goal: Goal | undefined;
  /** Value over limit: at most 1 is within a goal of at most. */
  readonly ratio: number | undefined;
  readonly verdict: 'met' | 'missed' | 'disturbed' | 'unknown' | undefined;
  /** Beside it: what it was compared with, or why there is none. */
  readonly remark: string | undefined;
}

export const atMost = (limit: number): Goal => ({ sense: 'at most', limit });
export const atLeast = (limit: number): Goal => ({ sense: 'at least', limit });

/** The median of the samples, or another quantile of them. */
export function figureOf(
  label: string,
  unit: string,
  samples: readonly number[],
  goal?: Goal,
  remark?: string,
  share = 0.5,
): Figure {
  if (samples.length === 0) return unknown(label, unit, goal, remark ?? 'nothing was measured');
  const sorted = [...samples].sort((one, other) => one - other);
  const value = share === 0.5 ? medianOf(samples)! : quantileOfSorted(sorted, share);
  return {
    label,
    unit,
    samples: samples.length,
    value,
    quartiles: share === 0.5 ? [quantileOfSorted(sorted, 0.25), quantileOfSorted(sorted, 0.75)] : undefined,
    goal,
    ratio: goal === undefined ? undefined : value / goal.limit,
    verdict: verdictOf(value, goal),
    remark,
  };
}

/** There is no such figure here, and why. */
export function unknown(label: string, unit: string, goal: Goal | undefined, remark: string): Figure {
  const none = { samples: 0, value: NaN, quartiles: undefined, ratio: undefined };
  return { label, unit, goal, remark, ...none, verdict: goal === undefined ? undefined : 'unknown' };
}

function verdictOf(value: number, goal: Goal | undefined): Figure['verdict'] {
  if (goal === undefined) return undefined;
  if (Number.isNaN(value)) return 'unknown';
  return (goal.sense === 'at most' ? value <= goal.limit : value >= goal.limit) ? 'met' : 'missed';
}

/** The same figure, from which nothing is concluded when the machine was disturbed or the samples are too far apart. */
export function judged(figure: Figure, disturbed: string | undefined): Figure {
  const { verdict, quartiles, value } = figure;
  if (verdict !== 'met' && verdict !== 'missed') return figure;
  const spread = quartiles === undefined ? 0 : (quartiles[1] - quartiles[0]) / Math.abs(value);
  const isDisturbed = disturbed !== undefined || spread > SPREAD_MAX;
  return isDisturbed ? { ...figure, verdict: 'disturbed' } : figure;
}

/** Its cells in a table: label, value, quartiles, goal, ratio, verdict, remark. */
export function cellsOf(figure: Figure): string[] {
  const { label, unit, value, quartiles, goal, ratio, verdict, remark } = figure;
  return [
    label,
    `${write(value)} ${unit}`,
    quartiles === undefined ? '' : `${write(quartiles[0])} … ${write(quartiles[1])}`,
    goal === undefined ? '' : `${goal.sense === 'at most' ? '≤' : '≥'} ${write(goal.limit)}`,
    ratio === undefined ? '' : ratio.toFixed(2),
    verdict ?? '',
    remark ?? '',
  ];
}

// Three digits that say something, and never an exponent.
function write(value: number): string {
  if (Number.isNaN(value)) return '–';
  return Math.abs(value) >= 100 ? value.toFixed(0) : value.toPrecision(3);
}

export const FIGURE_HEAD = ['', 'median', 'quartiles', 'goal', 'of it', '', ''];
