// A guest in a process of its own that takes orders from its parent: it migrates when it is told to, and ends with it.
// Knows orders and one machine; how a migration goes is ordered-migration.ts's.
import { bindingsOf, refuseUnknownDevices, type DeviceArguments } from '../device-options.js';
import { asMicrostunError, MicrostunError, unreachable } from '../../shared/errors.js';
import { THIS_HOST_ONLY } from '../../shared/wire/security.js';
import { EventQueue } from '../../shared/event-queue.js';
import type { AuditResult, GuestSpec } from '../../shared/guest/guest-program.js';
import { GuestMachine } from '../../shared/guest/machine.js';
import type { OutgoingMigration } from '../../source/outgoing.js';
import type { ChosenGuest } from '../guest-options.js';
import { createLogger, guestWarnings, type LogLevel } from '../logger.js';
import { standardError } from '../output.js';
import { leaveParent, onParentGone, tellParent } from '../parent-process.js';
import { Progress } from '../progress.js';
import { bootGuest } from '../source-run.js';
import { endOf, NewsOfMigration, orderedMigration, type OrderedMigration } from './ordered-migration.js';
import type { GuestAnswer, GuestOrder, ToldCounters, ToldError } from './orders.js';

/** Answers the exit status: 0 also for a guest that failed, because its parent has been told. */
export async function runOrderedGuest(guest: ChosenGuest, args: OrderedGuestArguments): Promise<number> {
  refuseUnknownDevices(args, guest.spec);
  if (process.send === undefined)
    throw new MicrostunError(
      'USAGE',
      'ordered-guest takes orders from the program that started it, and there is none; use microstun source',
    );
  await new OrderedGuest(guest, args).run();
  return 0;
}

interface OrderedGuestArguments extends DeviceArguments {
  readonly logLevel: LogLevel;
  readonly paused: boolean;
}

type End = Extract<GuestAnswer, { kind: 'ended' }>;
/** What the loop takes: orders, and that what was under way is over. */
type Event = GuestOrder | { readonly kind: 'over' };
type Work = 'boot' | 'migration' | 'audit' | 'pause' | 'resume';

class OrderedGuest {
  readonly #spec: GuestSpec;
  readonly #logLevel: LogLevel;
  readonly #isBootedPaused: boolean;
  readonly #logger;
  readonly #machine: GuestMachine;
  readonly #events = new EventQueue<Event>();
  #migration: OutgoingMigration | undefined;
  /** What stops the guest, moves or starts it: one at a time. */
  #underWay: Work | undefined;
  #end: End | undefined;
  /** Cuts a boot short. */
  #closing: Promise<void> | undefined;

  constructor({ spec, module }: ChosenGuest, args: OrderedGuestArguments) {
    const { logLevel, paused } = args;
    this.#isBootedPaused = paused;
    this.#spec = spec;
    this.#logLevel = logLevel;
    this.#logger = createLogger('guest', logLevel, standardError);
    const events = {
      failed: (error: MicrostunError) => {
        this.#finish('failed', error);
        this.#migration?.failWith(error);
      },
      ...guestWarnings(this.#logger),
    };
    this.#machine = new GuestMachine(spec, events, { module, bindings: bindingsOf(args, THIS_HOST_ONLY) });
  }

  async run(): Promise<void> {
    process.on('message', (order) => {
      this.#events.push(order as GuestOrder);
    });
    const end = (): void => {
      this.#events.push({ kind: 'end' });
    };
    onParentGone(end);
    process.on('SIGINT', end);
    process.on('SIGTERM', end);
    process.on('SIGCONT', () => {
      if (this.#machine.isPaused && this.#whyNot() === undefined)
        this.#begin('resume', () => this.#machine.setPaused(false));
    });
    this.#begin('boot', async () => {
      await bootGuest(this.#machine, this.#spec, new Progress(), this.#logger, this.#isBootedPaused);
      answer({ kind: 'running' });
    });
    try {
      while (this.#end === undefined || this.#underWay !== undefined) this.#take(await this.#events.next());
      answer(this.#end);
    } finally {
      await (this.#closing ?? this.#machine.close());
      leaveParent();
    }
  }

  #take(event: Event): void {
    switch (event.kind) {
      case 'over':
        return;
      case 'end':
        this.#finish('ended');
        this.#migration?.cancel('the guest was told to end');
        if (this.#underWay === 'boot') this.#closing ??= this.#machine.close();
        return;
      case 'cancel':
        this.#migration?.cancel(event.reason);
        return;
      case 'counters':
        answer({ kind: 'counters', id: event.id, counters: this.#counters() });
        return;
      default:
        this.#obey(event);
    }
  }

  #obey(order: Exclude<GuestOrder, { kind: 'end' | 'cancel' | 'counters' }>): void {
    const { id } = order;
    const why = this.#whyNot();
    if (why !== undefined) {
      answer({ kind: 'refused', id, error: { code: 'USAGE', message: why } });
      return;
    }
    switch (order.kind) {
      case 'migrate':
        this.#migrate(id, order.flags);
        return;
      case 'audit':
        this.#begin('audit', async () => {
          answer({ kind: 'audited', id, audit: await this.#audit() });
        });
        return;
      case 'pause':
        this.#begin('pause', async () => {
          await this.#machine.setPaused(true);
          answer({ kind: 'done', id });
        });
        return;
      case 'resume':
        this.#begin('resume', async () => {
          await this.#machine.setPaused(false);
          answer({ kind: 'done', id });
        });
        return;
      default:
        unreachable(order);
    }
  }

  #whyNot(): string | undefined {
    if (this.#end !== undefined) return 'the guest is no more in this process; start another';
    if (this.#underWay !== undefined)
      return `a ${this.#underWay} of this guest is under way; wait for its end`;
    return undefined;
  }

  #migrate(id: number, flags: readonly string[]): void {
    let ordered: OrderedMigration;
    try {
      ordered = orderedMigration(flags, this.#machine, this.#logLevel, this.#logger);
    } catch (error) {
      answer({ kind: 'refused', id, error: told(error) });
      return;
    }
    const { migration, args } = ordered;
    this.#migration = migration;
    this.#begin('migration', async () => {
      const news = new NewsOfMigration(migration, (one) => {
        answer({ kind: 'news', id, news: one });
      });
      const result = await migration.run();
      news.end();
      this.#migration = undefined;
      const end = await endOf(result, this.#machine, args);
      answer({ kind: 'migrated', id, end });
      if (result.kind === 'completed' || result.owner !== 'source') this.#finish('left');
    });
  }

  async #audit(): Promise<AuditResult> {
    await this.#machine.park();
    const audit = await this.#machine.audit();
    await this.#machine.resume();
    return audit;
  }

  #counters(): ToldCounters {
    const { slices, work, pageFires, throttledUs } = this.#machine.counters();
    return { slices, pagesWritten: work, pageFires, throttledMs: throttledUs / 1000 };
  }

  /** Whatever `work` throws ends the guest. */
  #begin(what: Work, work: () => Promise<void>): void {
    this.#underWay = what;
    const over = (): void => {
      this.#underWay = undefined;
      this.#events.push({ kind: 'over' });
    };
    work().then(over, (error: unknown) => {
      this.#finish('failed', error);
      over();
    });
  }

  // The first reason counts.
  #finish(why: End['why'], error?: unknown): void {
    this.#end ??= { kind: 'ended', why, error: error === undefined ? null : told(error) };
    this.#events.push({ kind: 'over' });
  }
}

function answer(one: GuestAnswer): void {
  tellParent(one);
}

function told(error: unknown): ToldError {
  const { code, message } = asMicrostunError(error, 'WORKER_FAILED');
  return { code, message };
}
