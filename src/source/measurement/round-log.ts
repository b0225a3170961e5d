// The rounds of a migration and what was expected of each when it began.
// Knows numbers only; whether to go on is states/rounds.ts's business.
import type { RoundForecast, RoundReport } from '../../report/document.js';
import { PAGE_BYTES } from '../../shared/memory/pages.js';
import type { RoundTotal } from '../pages/copiers.js';
import type { Course, Forecast } from '../states/convergence.js';

export class RoundLog {
  readonly #rounds: RoundReport[] = [];
  #forecast: Forecast | undefined;
  #course: Course | undefined;
  /** Of the round that is to come. */
  #expected: RoundForecast | null = null;
  #throttledShare = 0;

  get all(): readonly RoundReport[] {
    return this.#rounds;
  }

  /** The last one. */
  get forecast(): Forecast | undefined {
    return this.#forecast;
  }

  /** How the rounds were last expected to go on; undefined where none were to come. */
  get course(): Course | undefined {
    return this.#course;
  }

  /** As it was last set. */
  get throttledShare(): number {
    return this.#throttledShare;
  }

  /** Made `elapsedMs` after the beginning, before a round, or before the stop: then there is no course. */
  noteForecast(forecast: Forecast, course: Course | undefined, elapsedMs: number): void {
    this.#forecast = forecast;
    this.#course = course;
    this.#expected =
      course === undefined
        ? null
        : { rounds: course.rounds, totalMs: elapsedMs + course.remainingMs, stunMs: course.stunMs };
  }

  noteThrottle(share: number): void {
    this.#throttledShare = share;
  }

  noteRound(
    total: RoundTotal,
    stage: RoundReport['stage'],
    dirtyPages: number,
    durationMs: number,
  ): RoundReport {
    const report: RoundReport = {
      round: total.round,
      stage,
      dirtyPages,
      sentPages: total.sentPages,
      zeroPages: total.zeroPages,
      sentBytes: total.sentPages * PAGE_BYTES + total.framingBytes,
      durationMs,
      forecast: this.#expected,
      throttledShare: stage === 'copy' ? this.#throttledShare : 0,
    };
    this.#expected = null;
    this.#rounds.push(report);
    return report;
  }
}
