// Where a migration stands, for whoever shows progress.
// Numbers only.
import type { Measurement } from './measurement/measurement.js';
import type { Phase } from './states/states.js';
import type { WorkProgress } from './work-progress.js';

export interface MigrationSnapshot extends WorkProgress {
  readonly phase: Phase['name'];
  /** The round that is being copied, or was last. */
  readonly round: number;
  /** As of the last round; null before there is one. */
  readonly forecastStunMs: number | null;
  /** Pages that the round before had to bring; 0 in round 0. */
  readonly previousRoundPages: number;
  /** From the beginning of this round until the guest runs at the destination; null without a forecast. */
  readonly expectedMs: number | null;
  /** Of its time that each vCPU is made to sleep; 0 where it is not throttled. */
  readonly throttledShare: number;
}

export function snapshotOf(
  phase: Phase,
  measurement: Pick<Measurement, 'rounds' | 'forecastStunMs' | 'course' | 'throttledShare'>,
  progress: WorkProgress,
): MigrationSnapshot {
  const { rounds, forecastStunMs, course, throttledShare } = measurement;
  return {
    ...progress,
    phase: phase.name,
    round: phase.name === 'copying' ? phase.soFar.rounds.length : rounds.length,
    forecastStunMs,
    previousRoundPages: rounds.at(-1)?.dirtyPages ?? 0,
    expectedMs: course?.remainingMs ?? null,
    throttledShare,
  };
}
