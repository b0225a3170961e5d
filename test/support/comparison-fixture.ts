// Outcomes of runs with known figures, for whatever compares, draws or reads back a comparison.
import type { RunOutcome } from '../../src/report/comparison/comparison.js';
import type { MigrationReport } from '../../src/report/document.js';
import { fixtureReport } from './report-fixture.js';

/** A run whose stun took so long; the rest is the fixture's. */
export function completedRun(stunMs: number, changes: Partial<MigrationReport> = {}): RunOutcome {
  return {
    kind: 'completed',
    report: { ...fixtureReport, stun: { ...fixtureReport.stun, stunMs }, ...changes },
  };
}

export function failedRun(run: number, message = 'the guest stopped', code = 'GUEST_FAILED'): RunOutcome {
  return { kind: 'failed', failure: { run, status: 5, code, message, flags: ['--memory', '8MiB'] } };
}
