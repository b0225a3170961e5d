// How far off the forecasts of rounds, total time and stun are: over many migrations at several write rates and links.
import { forecastErrors } from '../src/report/forecast-error.js';
import type { RoundForecast } from '../src/report/document.js';
import { runDemo } from './demo.js';
import { median, table } from './statistics.js';

const RUNS = 20;

/** Guests that converge in a few rounds, in many, and not at all; a link that holds them up. */
const settings = [
  { name: 'hybrid, 100k pages/s', flags: ['--mode', 'hybrid'] },
  { name: 'pre-copy, 50k pages/s', flags: ['--mode', 'pre-copy', '--write-rate', '50k'] },
  { name: 'pre-copy, flat out', flags: ['--mode', 'pre-copy', '--write-rate', 'max'] },
  {
    name: 'pre-copy, 20k pages/s, 1 Gbit, 10 ms',
    flags: ['--mode', 'pre-copy', '--write-rate', '20k', '--bandwidth', '1Gbit', '--delay', '10ms'],
  },
] as const;

/** Shares by which forecasts were off, without their sign; rounds by how many. */
interface Errors {
  readonly forecasts: number;
  readonly rounds: number;
  readonly total: number;
  readonly stun: number;
  /** Signed: below 0 the stun was longer than forecast. */
  readonly stunBias: number;
}

export interface ForecastFigures {
  readonly runs: number;
  readonly settings: readonly {
    readonly name: string;
    /** Of the forecast before round 1, and of the one before the last round, where there were more. */
    readonly first: Errors;
    readonly last: Errors;
  }[];
}

export async function benchForecast(runs = RUNS): Promise<ForecastFigures> {
  const firsts = settings.map((): Pair[] => []);
  const lasts = settings.map((): Pair[] => []);
  for (let run = 0; run < runs; run++) {
    for (const [index, { flags }] of settings.entries()) {
      const { report } = await runDemo([
        ...flags,
        '--no-audit',
        '--migrate-after',
        '300ms',
        '--seed',
        `${run}`,
      ]);
      const errors = forecastErrors(report);
      if (errors.length === 0) continue;
      firsts[index]!.push(errors[0]!);
      lasts[index]!.push(errors.at(-1)!);
    }
  }
  return {
    runs,
    settings: settings.map(({ name }, index) => ({
      name,
      first: errorsOf(firsts[index]!),
      last: errorsOf(lasts[index]!),
    })),
  };
}

interface Pair {
  readonly expected: RoundForecast;
  readonly came: RoundForecast;
}

function errorsOf(pairs: readonly Pair[]): Errors {
  if (pairs.length === 0) return { forecasts: 0, rounds: 0, total: 0, stun: 0, stunBias: 0 };
  const shares = (pick: (forecast: RoundForecast) => number): number[] =>
    pairs.map(({ expected, came }) => (pick(expected) - pick(came)) / pick(came));
  const size = (values: readonly number[]): number => median(values.map(Math.abs));
  const stun = shares(({ stunMs }) => stunMs);
  return {
    forecasts: pairs.length,
    rounds: size(pairs.map(({ expected, came }) => expected.rounds - came.rounds)),
    total: size(shares(({ totalMs }) => totalMs)),
    stun: size(stun),
    stunBias: median(stun),
  };
}

export function renderForecast({ runs, settings: measured }: ForecastFigures): string {
  const percent = (share: number): string => `${(share * 100).toFixed(0)} %`;
  const row = (name: string, { forecasts, rounds, total, stun, stunBias }: Errors): string[] => [
    name,
    `${forecasts}`,
    rounds.toFixed(1),
    percent(total),
    percent(stun),
    percent(stunBias),
  ];
  return [
    `How far off the forecasts were, ${runs} migrations each of a guest of 256 MiB: medians`,
    table(
      ['', 'forecasts', 'rounds', 'total', 'stun', 'signed'],
      measured.flatMap(({ name, first, last }) => [
        row(`${name}: before round 1`, first),
        row('  before the last round', last),
      ]),
    ),
  ].join('\n');
}
