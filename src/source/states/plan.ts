// What the user asked for, as far as the source's state machine decides by it.
// Numbers and choices only; what is done with them is step.ts and what it calls.
import type { Dials } from '../../shared/wire/connection-end.js';
import type { ControlLimits } from './control.js';
import type { PhaseLimits } from './phase-limits.js';

/** When the rounds take too long: give up, move on to post-copy, or slow the guest down until they converge. */
export type TimeoutStrategy = 'abort' | 'post-copy' | 'throttle';

export type MigrationMode = 'pre-copy' | 'hybrid' | 'post-copy';

export interface MigrationPlan {
  readonly mode: MigrationMode;
  /** Who dials the page and fault connections. */
  readonly dials: Dials;
  readonly roundsMax: number;
  /** How long rounds may go on, and what happens then. */
  readonly timeLimitMs: number;
  readonly onTimeout: TimeoutStrategy;
  readonly stunBudgetMs: number;
  /** How long the guest may be asked before it is stopped; 0: it is not, or has no say. */
  readonly noticeMs: number;
  /** Of a raw bitmap that crosses within the stun; 0 of one that is compacted. */
  readonly bitmapBytes: number;
  readonly audits: boolean;
  /** Whether what came is compared with what was here at the hand-over, and how long that may take. */
  readonly verifies: boolean;
  readonly verifyMs: number;
  readonly control: ControlLimits;
  /** How long the destination may take to prepare. */
  readonly prepareMs: number;
  /** How long an answer to HAND_OVER may take before it is asked for again. */
  readonly answerMs: number;
  /** How long asking again may go on before the migration is reported as in doubt. */
  readonly doubtMs: number;
  /** Whether a doubt that lasts as long again ends the migration; otherwise it goes on asking until it knows. */
  readonly endsInDoubt: boolean;
  /** Whether a push on which nothing moves for long ends; otherwise the pages are kept, and the destination is asked on. */
  readonly endsStillPush: boolean;
  /** How long the phases may take that wait for neither a user's limit nor the network's. */
  readonly phases: PhaseLimits;
  /** How long lost page connections may stay lost before the hand-over. */
  readonly pagesLostMs: number;
  /** How long the audit may take, its delay included. */
  readonly auditMs: number;
}
