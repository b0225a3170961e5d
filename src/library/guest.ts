// A guest in a process of its own, as whoever started it holds it: to be looked at, stopped, and migrated.
// Knows orders and answers; the machine, and what a migration does, are that process's.
import type { GuestAnswer, GuestOrder } from '../cli/ordered-guest/orders.js';
import { MicrostunError } from '../shared/errors.js';
import type { AuditResult } from '../shared/guest/guest-program.js';
import { CommandProcess } from './command-process.js';
import { flagsOf } from './flags.js';
import { WatchedMigration, type Migration } from './migration.js';
import type { GuestOptions, MigrateOptions } from './options.js';

/** What a guest has done where it is, all vCPUs together. */
export interface GuestCounters {
  /** Slices that were run. */
  readonly slices: number;
  /** Pages that the program says it wrote (`countWork`). */
  readonly pagesWritten: number;
  /** First stores to a page that was traced. */
  readonly pageFires: number;
  /** How long vCPUs were made to sleep so that rounds shrink. */
  readonly throttledMs: number;
}

/** How a guest ended where it was started. */
export interface GuestEnding {
  /** `left`: it was migrated; `ended`: it was closed; `failed`: its program threw, or its process died. */
  readonly why: 'left' | 'ended' | 'failed';
  /** Why it failed. */
  readonly error: MicrostunError | null;
}

/** A guest that runs in a process of its own. */
export interface Guest {
  /** Resolves when the guest is no more in its process, with why. Never rejects. */
  readonly ended: Promise<GuestEnding>;
  /** What it has done so far. */
  counters(): Promise<GuestCounters>;
  /** Stops the guest, checks all of it, and lets it run on; not while it is migrated. */
  audit(): Promise<AuditResult>;
  /** Stops the guest, whose clock then stands still; not while it is migrated. */
  pause(): Promise<void>;
  /** Lets a guest that was paused run on. */
  resume(): Promise<void>;
  /**
   * Migrates the guest; it runs on meanwhile. What becomes of that is the migration's to tell, also where it cannot begin.
   * Its process ends once the guest has left.
   */
  migrate(options: MigrateOptions): Migration;
  /**
   * Ends the guest and its process; a migration that is under way is cancelled, and waited for where it is too late for
   * that. Resolves when the process is gone; may be called again.
   */
  close(): Promise<void>;
}

/**
 * Starts a guest in a process of its own; resolves when it is booted and runs. It lives until it is closed or `signal` is
 * aborted, and not longer than this process.
 * @throws MicrostunError when an option makes no sense (USAGE), the host has no room for it (INSUFFICIENT_MEMORY), its
 * program fails (GUEST_FAILED), or `signal` was aborted.
 */
export async function startGuest(options: GuestOptions = {}): Promise<Guest> {
  const guest = new GuestOfProcess(options);
  await guest.running;
  return guest;
}

type Numbered = Exclude<GuestOrder, { kind: 'cancel' | 'end' }>;
type Reply = Extract<GuestAnswer, { kind: 'counters' | 'audited' | 'done' }>;

interface Waiting {
  resolve(reply: Reply): void;
  reject(error: MicrostunError): void;
}

class GuestOfProcess implements Guest {
  readonly #process: CommandProcess;
  readonly #waiting = new Map<number, Waiting>();
  readonly #migrations = new Map<number, WatchedMigration>();
  #orders = 0;
  #ending: GuestEnding | undefined;
  #run: () => void = () => undefined;
  readonly running: Promise<void>;
  readonly ended: Promise<GuestEnding>;

  constructor(options: GuestOptions) {
    this.#process = new CommandProcess(
      ['ordered-guest', '--json', ...flagsOf(options)],
      options,
      (message) => {
        this.#hear(message as GuestAnswer);
      },
      () => {
        this.#tell({ kind: 'end' });
      },
    );
    this.ended = this.#process.ended.then((failure) => this.#conclude(failure));
    const booted = new Promise<void>((resolve) => {
      this.#run = resolve;
    });
    const ended = this.ended.then(({ error }) => {
      options.signal?.throwIfAborted();
      throw error ?? new MicrostunError('CANCELLED', 'the guest was ended while it was booted');
    });
    this.running = Promise.race([booted, ended]);
  }

  async counters(): Promise<GuestCounters> {
    const reply = await this.#order({ kind: 'counters', id: this.#orders++ });
    return (reply as Extract<Reply, { kind: 'counters' }>).counters;
  }

  async audit(): Promise<AuditResult> {
    const reply = await this.#order({ kind: 'audit', id: this.#orders++ });
    return (reply as Extract<Reply, { kind: 'audited' }>).audit;
  }

  async pause(): Promise<void> {
    await this.#order({ kind: 'pause', id: this.#orders++ });
  }

  async resume(): Promise<void> {
    await this.#order({ kind: 'resume', id: this.#orders++ });
  }

  migrate(options: MigrateOptions): Migration {
    const migration = new WatchedMigration();
    const { signal } = options;
    const id = this.#orders++;
    if (signal?.aborted === true || this.#ending !== undefined) {
      migration.fail(this.#ending === undefined ? cancelledBy(signal) : this.#noMore());
      return migration;
    }
    this.#migrations.set(id, migration);
    const cancel = (): void => {
      this.#tell({ kind: 'cancel', reason: cancelledBy(signal).message });
    };
    signal?.addEventListener('abort', cancel, { once: true });
    const forget = (): void => {
      signal?.removeEventListener('abort', cancel);
    };
    migration.report.then(forget, forget);
    this.#tell({ kind: 'migrate', id, flags: flagsOf(options) });
    return migration;
  }

  async close(): Promise<void> {
    this.#tell({ kind: 'end' });
    await this.ended;
  }

  #order(order: Numbered): Promise<Reply> {
    return new Promise((resolve, reject) => {
      if (this.#ending !== undefined) {
        reject(this.#noMore());
        return;
      }
      this.#waiting.set(order.id, { resolve, reject });
      this.#tell(order);
    });
  }

  #tell(order: GuestOrder): void {
    this.#process.tell(order);
  }

  #hear(answer: GuestAnswer): void {
    switch (answer.kind) {
      case 'running':
        this.#run();
        return;
      case 'news':
        this.#migrations.get(answer.id)?.tell(answer.news);
        return;
      case 'migrated':
        this.#migrations.get(answer.id)?.end(answer.end);
        this.#migrations.delete(answer.id);
        return;
      case 'refused':
        this.#refused(answer);
        return;
      case 'ended': {
        const { why, error } = answer;
        this.#ending = { why, error: error === null ? null : new MicrostunError(error.code, error.message) };
        return;
      }
      default:
        this.#waiting.get(answer.id)?.resolve(answer);
        this.#waiting.delete(answer.id);
    }
  }

  #refused({ id, error }: Extract<GuestAnswer, { kind: 'refused' }>): void {
    this.#waiting.get(id)?.reject(new MicrostunError(error.code, error.message));
    this.#waiting.delete(id);
    this.#migrations.get(id)?.fail(error);
    this.#migrations.delete(id);
  }

  // Its process is gone, and whoever still waits for it is told so.
  #conclude(failure: MicrostunError | undefined): GuestEnding {
    this.#ending ??= { why: failure === undefined ? 'ended' : 'failed', error: failure ?? null };
    const error = this.#noMore();
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    for (const migration of this.#migrations.values()) migration.fail(error);
    this.#waiting.clear();
    this.#migrations.clear();
    return this.#ending;
  }

  #noMore(): MicrostunError {
    const { why, error } = this.#ending ?? { why: 'ended', error: null };
    if (error !== null) return error;
    return why === 'left'
      ? new MicrostunError('USAGE', 'the guest has left; ask for it at its destination')
      : new MicrostunError('CANCELLED', 'the guest was ended; start another');
  }
}

function cancelledBy(signal: AbortSignal | undefined): MicrostunError {
  const reason: unknown = signal?.reason;
  const why = reason instanceof Error ? reason.message : String(reason);
  return new MicrostunError('CANCELLED', why, { cause: reason });
}
