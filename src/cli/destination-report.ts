// What `--json` prints when a destination ends, and the exit status beside it: gathered guest by guest.
// Knows no migration and no machine; a destination that takes one guest has a document of its own shape.
import type { FailureReport, MigrationReport } from '../report/document.js';
import type { ErrorCode, MicrostunError } from '../shared/errors.js';
import { exitStatusOf } from './exit-status.js';
import type { GuestEnd } from './hosted-guest.js';

type ForwardedReport = MigrationReport | FailureReport;

interface ErrorReport {
  readonly code: ErrorCode;
  readonly message: string;
}

/** Of a destination with one place: of its last guest. */
export interface DestinationReport {
  readonly outcome: Exclude<GuestEnd['outcome'], 'left'> | 'cancelled';
  readonly pid: number;
  readonly error: ErrorReport | null;
  readonly guest: { readonly slices: number; readonly pagesWritten: number } | null;
  /** What became of each forwarding (--forward-to), in order. */
  readonly forwarded: readonly ForwardedReport[];
}

/** Of one guest of a destination with several places; `left`: it was forwarded. */
export interface GuestReport extends Omit<DestinationReport, 'outcome' | 'pid'> {
  readonly migrationId: string;
  readonly outcome: GuestEnd['outcome'];
}

/** Of a destination with several places (--max-guests). */
export interface NodeReport {
  /** `ran`: a guest came; else `refused` (--once) or `cancelled`. */
  readonly outcome: 'ran' | 'refused' | 'cancelled';
  readonly pid: number;
  /** Of the first guest that did not end well, as the exit status is. */
  readonly error: ErrorReport | null;
  /** How many migrations have ended here. */
  readonly guestCount: number;
  /** The last GUESTS_TOLD_MAX of them, in the order of their ends. */
  readonly guests: readonly GuestReport[];
}

/** A destination may run for long. */
const GUESTS_TOLD_MAX = 1000;

export class DestinationStory {
  readonly #places: number;
  readonly #once: boolean;
  /** What its one guest came to, in the end. */
  #last: GuestEnd | undefined;
  #lastStatus: number = exitStatusOf('CANCELLED');
  #guests: GuestReport[] = [];
  #guestCount = 0;
  #haveGuestsCome = false;
  #firstFailure: { readonly status: number; readonly error: MicrostunError | undefined } | undefined;
  /** Of guests that are here, by their migrations' ids. */
  readonly #forwarded = new Map<string, ForwardedReport[]>();
  readonly #allForwarded: ForwardedReport[] = [];
  /** Of the last forwarding that failed. */
  #forwardStatus = 0;

  /** `once`: a migration that was refused counts. */
  constructor(places: number, once: boolean) {
    this.#places = places;
    this.#once = once;
  }

  /** A guest was sent on, or could not be: 0 is well. */
  forwarded(migrationId: string, document: ForwardedReport, status: number): void {
    this.#forwarded.set(migrationId, [...(this.#forwarded.get(migrationId) ?? []), document]);
    this.#allForwarded.push(document);
    if (status !== 0) this.#forwardStatus = status;
  }

  /**
   * A migration's guest has ended, left, or did not come; `isCancelled`: while the destination was told to end. Answers
   * what is told of it.
   */
  ended(migrationId: string, end: GuestEnd, isCancelled: boolean): GuestReport {
    const report = this.#reportOf(migrationId, end);
    this.#guestCount++;
    this.#guests = [...this.#guests, report].slice(-GUESTS_TOLD_MAX);
    this.#forwarded.delete(migrationId);
    this.#judge(end, isCancelled);
    return report;
  }

  // What it says of the whole run.
  #judge(end: GuestEnd, isCancelled: boolean): void {
    const { outcome, error } = end;
    if (outcome !== 'refused') this.#haveGuestsCome = true;
    if (outcome === 'left' || (outcome === 'refused' && !this.#once && !isCancelled)) return;
    const status = outcome === 'refused' && isCancelled ? exitStatusOf('CANCELLED') : statusOf(end);
    this.#last = end;
    this.#lastStatus = status;
    if (status !== 0 && (outcome !== 'refused' || this.#once)) this.#firstFailure ??= { status, error };
  }

  /** What is printed at the end, and the exit status. */
  get conclusion(): { readonly report: DestinationReport | NodeReport; readonly status: number } {
    return this.#places === 1
      ? { report: this.#reportOfOne, status: this.#lastStatus === 0 ? this.#forwardStatus : this.#lastStatus }
      : { report: this.#reportOfAll, status: this.#statusOfAll };
  }

  get #reportOfOne(): DestinationReport {
    const last = this.#last;
    return {
      outcome: last === undefined || last.outcome === 'left' ? 'cancelled' : last.outcome,
      pid: process.pid,
      error: errorReport(last?.error),
      guest: last?.guest ?? null,
      forwarded: this.#allForwarded,
    };
  }

  get #reportOfAll(): NodeReport {
    return {
      outcome: this.#haveGuestsCome ? 'ran' : this.#firstFailure === undefined ? 'cancelled' : 'refused',
      pid: process.pid,
      error: errorReport(this.#firstFailure?.error),
      guestCount: this.#guestCount,
      guests: this.#guests,
    };
  }

  get #statusOfAll(): number {
    if (this.#firstFailure !== undefined) return this.#firstFailure.status;
    return this.#haveGuestsCome ? this.#forwardStatus : exitStatusOf('CANCELLED');
  }

  #reportOf(migrationId: string, { outcome, error, guest }: GuestEnd): GuestReport {
    return {
      migrationId,
      outcome,
      error: errorReport(error),
      guest: guest ?? null,
      forwarded: this.#forwarded.get(migrationId) ?? [],
    };
  }
}

/** The exit status that says how a guest ended. */
function statusOf({ outcome, error }: GuestEnd): number {
  if (outcome === 'pages-lost') return exitStatusOf('PAGES_LOST');
  return error === undefined ? 0 : exitStatusOf(error.code);
}

function errorReport(error: MicrostunError | undefined): ErrorReport | null {
  return error === undefined ? null : { code: error.code, message: error.message };
}
