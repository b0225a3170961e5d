// A migration of a guest as its caller watches it: how it gets on, its report, or why there is none.
// Knows what the guest's process tells of it; the wire and the states are that process's.
import type { MigrationEnd, MigrationNews } from '../cli/ordered-guest/orders.js';
import type { MigrationReport, RoundReport } from '../report/document.js';
import { MicrostunError, type ErrorCode } from '../shared/errors.js';
import { EventStream } from './event-stream.js';

/** Where a migration stands; `docs/words.md` says what the words mean. */
export type MigrationPhase =
  | 'connecting'
  | 'preparing'
  | 'measuring-clock'
  | 'installing-traces'
  | 'copying'
  | 'harvesting'
  | 'notifying'
  | 'stopping'
  | 'handing-over'
  | 'pushing'
  | 'verifying'
  | 'awaiting-audit'
  | 'ended';

/** How a migration gets on: each phase and each round is told, however short it was; numbers come some times a second. */
export type MigrationProgress =
  | {
      /** A phase has begun. */
      readonly kind: 'phase';
      /** Which one. */
      readonly phase: MigrationPhase;
      /** When, from the beginning of the migration on. */
      readonly atMs: number;
    }
  | {
      /** A round is over. */
      readonly kind: 'round';
      /** What it brought; as in the report. */
      readonly round: RoundReport;
    }
  | {
      /** Where it stands. */
      readonly kind: 'numbers';
      /** The phase. */
      readonly phase: MigrationPhase;
      /** The round that is being copied, or was last. */
      readonly round: number;
      /** Pages that this round has to bring. */
      readonly roundPages: number;
      /** Pages of it that were sent. */
      readonly roundPagesSent: number;
      /** Bytes sent so far, in all rounds. */
      readonly sentBytes: number;
      /** Pages that the last harvest found dirty. */
      readonly dirtyPages: number;
      /** Of its time that each vCPU is made to sleep; 0 where it is not throttled. */
      readonly throttledShare: number;
      /** How long the guest would stand still, as of the last round; null before there is one. */
      readonly forecastStunMs: number | null;
      /** From the beginning of this round until the guest runs at the destination; null without a forecast. */
      readonly expectedMs: number | null;
    };

/** Who has the guest after a migration that failed. */
export type GuestOwner = 'source' | 'destination' | 'in doubt' | 'lost';

/** Why a migration failed, who owns the guest now, and what is safe to do next. */
export class MigrationFailure extends MicrostunError {
  /** Of the class, for a stack trace. */
  override readonly name = 'MigrationFailure';
  /** Whose the guest is: it runs on at the `source`, or belongs to the `destination`. */
  readonly owner: GuestOwner;
  /** The phase in which it failed. */
  readonly phase: MigrationPhase;
  /** What is safe to do next, in words. */
  readonly safeNext: string;
  /** Of a migration that was carried through and whose audit or comparison then failed; else undefined. */
  readonly report: MigrationReport | undefined;

  /** @internal */
  constructor(
    code: ErrorCode,
    message: string,
    what: Pick<MigrationFailure, 'owner' | 'phase' | 'safeNext'> & { readonly report?: MigrationReport },
  ) {
    super(code, message);
    this.owner = what.owner;
    this.phase = what.phase;
    this.safeNext = what.safeNext;
    this.report = what.report;
  }
}

/**
 * A migration that is under way. Iterating over it gives its progress, from the beginning, until it has ended, however it
 * ended; any number of readers may, each as fast as it likes. A reader that is behind misses numbers, and no phase or round.
 */
export interface Migration extends AsyncIterable<MigrationProgress> {
  /**
   * Resolves with the report once the guest is whole at the destination, and audited unless that was not asked for.
   * Rejects with a {@link MigrationFailure}.
   */
  readonly report: Promise<MigrationReport>;
}

/**
 * Takes what is told of one migration, and is what its caller sees.
 * @internal
 */
export class WatchedMigration implements Migration {
  readonly #progress = new EventStream<MigrationProgress>(
    (newer, older) => newer.kind === 'numbers' && older.kind === 'numbers',
  );
  #phase: MigrationPhase = 'connecting';
  #resolve: (report: MigrationReport) => void = () => undefined;
  #reject: (failure: MigrationFailure) => void = () => undefined;
  readonly report: Promise<MigrationReport>;

  constructor() {
    this.report = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
    // Who iterates asks for the report after that; it may have been rejected for long by then.
    this.report.catch(() => undefined);
  }

  [Symbol.asyncIterator](): AsyncIterator<MigrationProgress, undefined> {
    return this.#progress[Symbol.asyncIterator]();
  }

  tell(news: MigrationNews): void {
    if (news.kind === 'phase') this.#phase = news.phase;
    this.#progress.push(news.kind === 'snapshot' ? numbersOf(news.snapshot) : news);
  }

  end(end: MigrationEnd): void {
    if (end.outcome === 'failed') {
      const { error, owner, phase, safeNext } = end.failure;
      this.fail(error, { owner: owner as GuestOwner, phase: phase as MigrationPhase, safeNext });
      return;
    }
    this.#progress.end();
    const failure = failureWithin(end.report);
    if (failure === undefined) this.#resolve(end.report);
    else this.#reject(failure);
  }

  /** It failed without a document of its own; where the guest's process is gone, nobody knows more. */
  fail(
    { code, message }: Pick<MicrostunError, 'code' | 'message'>,
    what: Partial<Pick<MigrationFailure, 'owner' | 'phase' | 'safeNext'>> = {},
  ): void {
    this.#progress.end();
    const wasHandedOver = ['handing-over', 'pushing', 'verifying', 'awaiting-audit'].includes(this.#phase);
    this.#reject(
      new MigrationFailure(code, message, {
        owner: wasHandedOver ? 'in doubt' : 'source',
        phase: this.#phase,
        safeNext: wasHandedOver
          ? 'look at the destination: if it runs the guest, use it there; else start it anew'
          : 'mend what the message names, then migrate again if the guest is still here, or start it anew',
        ...what,
      }),
    );
  }
}

function numbersOf(snapshot: Extract<MigrationNews, { kind: 'snapshot' }>['snapshot']): MigrationProgress {
  const { phase, round, roundPages, roundPagesSent, sentBytes, dirtyPages } = snapshot;
  const { throttledShare, forecastStunMs, expectedMs } = snapshot;
  return {
    kind: 'numbers',
    phase,
    round,
    roundPages,
    roundPagesSent,
    sentBytes,
    dirtyPages,
    throttledShare,
    forecastStunMs,
    expectedMs,
  };
}

// A report says so, too; who only waits for one must not take it for a success.
function failureWithin(report: MigrationReport): MigrationFailure | undefined {
  const what = { owner: 'destination', phase: 'ended', report } as const;
  const safeNext = 'do not use the guest, at the destination or anywhere; report this, with the report';
  const mismatched = report.verify?.mismatchedPages ?? 0;
  if (mismatched > 0)
    return new MigrationFailure(
      'VERIFY_FAILED',
      `${mismatched} pages are not what the source had at the hand-over`,
      { ...what, safeNext },
    );
  if (report.audit?.passed !== false) return undefined;
  const { findings, failed } = report.audit;
  const message = `the audit of the guest failed at the destination, at ${failed} places: ${findings[0] ?? 'see the report'}`;
  return new MigrationFailure('AUDIT_FAILED', message, { ...what, safeNext });
}
