// What was forecast before each round, against what came of it.
// Pure: a report in, differences out.
import type { MigrationReport, RoundForecast } from './document.js';

export interface ForecastError {
  /** The round before which it was made. */
  readonly round: number;
  readonly expected: RoundForecast;
  readonly came: RoundForecast;
}

/** One for each round before which there was a forecast, in order. */
export function forecastErrors({ rounds, totalMs, stun }: MigrationReport): ForecastError[] {
  const came: RoundForecast = {
    rounds: rounds.filter(({ stage }) => stage === 'copy').length,
    totalMs,
    stunMs: stun.stunMs,
  };
  return rounds.flatMap(({ round, forecast }) =>
    forecast === null ? [] : [{ round, expected: forecast, came }],
  );
}
