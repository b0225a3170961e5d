// A plan of a migration for tests of the source's state machine: short times, and what a test changes of it.
import { phaseLimits } from '../../src/source/states/phase-limits.js';
import type { MigrationPlan } from '../../src/source/states/plan.js';

const PLAN: MigrationPlan = {
  mode: 'hybrid',
  dials: 'destination',
  roundsMax: 30,
  timeLimitMs: 1000,
  onTimeout: 'post-copy',
  stunBudgetMs: 1,
  noticeMs: 0,
  bitmapBytes: 0,
  audits: false,
  verifies: false,
  verifyMs: 1000,
  control: { connectMs: 1000, reconnectMs: 1000, retryMs: 10, retryMsMax: 100 },
  prepareMs: 1000,
  answerMs: 100,
  doubtMs: 300,
  endsInDoubt: false,
  endsStillPush: false,
  phases: phaseLimits(1000),
  pagesLostMs: 500,
  auditMs: 1000,
};

export function planOf(changes: Partial<MigrationPlan> = {}): MigrationPlan {
  return { ...PLAN, ...changes };
}
