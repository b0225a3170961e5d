// What a guest's own process is told over its IPC channel, and what it answers.
// Types only. Both ends are of one version of microstun, and of one user.
import type { FailureReport, MigrationReport, RoundReport } from '../../report/document.js';
import type { ErrorCode } from '../../shared/errors.js';
import type { AuditResult } from '../../shared/guest/guest-program.js';
import type { MigrationSnapshot } from '../../source/snapshot.js';

/** `id` is the order's; its answer has it too. */
export type GuestOrder =
  /** `flags` are those of the command line. */
  | { readonly kind: 'migrate'; readonly id: number; readonly flags: readonly string[] }
  | { readonly kind: 'audit'; readonly id: number }
  | { readonly kind: 'counters'; readonly id: number }
  | { readonly kind: 'pause'; readonly id: number }
  | { readonly kind: 'resume'; readonly id: number }
  /** Cancels the migration that is under way, if that is still possible. */
  | { readonly kind: 'cancel'; readonly reason: string }
  /** The guest is to end, and this process with it; a migration that is under way is cancelled, or waited for. */
  | { readonly kind: 'end' };

/** What the guest has done in this process. */
export interface ToldCounters {
  readonly slices: number;
  readonly pagesWritten: number;
  readonly pageFires: number;
  readonly throttledMs: number;
}

export interface ToldError {
  readonly code: ErrorCode;
  readonly message: string;
}

/** How a migration gets on. */
export type MigrationNews =
  | { readonly kind: 'phase'; readonly phase: MigrationSnapshot['phase']; readonly atMs: number }
  | { readonly kind: 'round'; readonly round: RoundReport }
  | { readonly kind: 'snapshot'; readonly snapshot: MigrationSnapshot };

/** `failed`: the migration's own failure, or, without a document, that of the order. */
export type MigrationEnd =
  | { readonly outcome: 'completed'; readonly report: MigrationReport }
  | { readonly outcome: 'failed'; readonly failure: FailureReport & { readonly error: ToldError } };

export type GuestAnswer =
  /** It is booted, and runs. */
  | { readonly kind: 'running' }
  | { readonly kind: 'news'; readonly id: number; readonly news: MigrationNews }
  | { readonly kind: 'migrated'; readonly id: number; readonly end: MigrationEnd }
  | { readonly kind: 'counters'; readonly id: number; readonly counters: ToldCounters }
  | { readonly kind: 'audited'; readonly id: number; readonly audit: AuditResult }
  | { readonly kind: 'done'; readonly id: number }
  | { readonly kind: 'refused'; readonly id: number; readonly error: ToldError }
  /** The last that it says: the guest has left, or was ended, or failed. */
  | { readonly kind: 'ended'; readonly why: 'left' | 'ended' | 'failed'; readonly error: ToldError | null };
