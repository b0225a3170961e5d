// A migration that was ordered over IPC: its flags parsed as those of the command line, its course and its end told.
// Knows one migration; what becomes of the guest then is ordered-guest.ts's.
import type { Logger } from 'pino';
import yargs from 'yargs';
import type { FailureReport, MigrationReport } from '../../report/document.js';
import type { ErrorCode } from '../../shared/errors.js';
import type { GuestMachine } from '../../shared/guest/machine.js';
import type { Address } from '../../shared/wire/sockets.js';
import type { MigrationResult, OutgoingMigration } from '../../source/outgoing.js';
import { migrateOrderFlags } from '../command-flags.js';
import { checkPortRow } from '../flag-values.js';
import type { LogLevel } from '../logger.js';
import { conclude, planMigration, type MigrationArguments } from '../migration-run.js';
import { hostToListenOn, refuseClearText } from '../reach.js';
import { securityOf } from '../security.js';
import { strictly } from '../strict-parser.js';
import type { MigrationEnd, MigrationNews } from './orders.js';

/** Whoever orders a migration decides by itself on the next; between two there is no waiting. */
const ORDERED = { migrateAfter: 0, retries: 0, once: false, json: false } as const;

export interface OrderedMigration {
  readonly migration: OutgoingMigration;
  readonly args: MigrationArguments;
}

/**
 * What `flags` order, ready to run.
 * @throws MicrostunError USAGE when they make no sense.
 */
export function orderedMigration(
  flags: readonly string[],
  machine: GuestMachine,
  logLevel: LogLevel,
  logger: Logger,
): OrderedMigration {
  const parser = strictly(
    migrateOrderFlags(
      yargs([...flags])
        .version(false)
        .help(false),
    ),
  );
  const { to, listen, ...rest } = parser.parseSync();
  checkPortRow(listen, rest.connections);
  const args: MigrationArguments = { ...rest, ...ORDERED, logLevel };
  const security = securityOf(args, [to.host]);
  refuseClearText(security, to, listen);
  const from: Address = listen ?? { host: hostToListenOn(security, to.host), port: 0 };
  return { migration: planMigration(machine, to, from, args, security, logger), args };
}

/** How the migration ended, as whoever ordered it is told; a guest that is still here was audited for that, and runs. */
export async function endOf(
  result: MigrationResult,
  machine: GuestMachine,
  args: MigrationArguments,
): Promise<MigrationEnd> {
  let told: MigrationReport | FailureReport | undefined;
  const tell = (document: MigrationReport | FailureReport): void => {
    told = document;
  };
  await conclude(result, machine, args, 'stays', tell, { prints: false });
  if (result.kind === 'completed') return { outcome: 'completed', report: result.report };
  // Stopped for its audit, perhaps.
  if (result.owner === 'source' && machine.isStopped && !machine.isFailed) await machine.resume();
  const failure = told as FailureReport;
  return { outcome: 'failed', failure: { ...failure, error: failure.error as ErrorOf<typeof failure> } };
}

type ErrorOf<Failure extends FailureReport> = Failure['error'] & { readonly code: ErrorCode };

/** How often it is looked what has changed. Phases and rounds are told all the same: what passed in between is told then. */
const NEWS_MS = 50;

/** Tells how a migration gets on: every phase, every round, and now and then where it stands. */
export class NewsOfMigration {
  readonly #migration: Pick<OutgoingMigration, 'phases' | 'rounds' | 'snapshot'>;
  readonly #tell: (news: MigrationNews) => void;
  readonly #timer: NodeJS.Timeout;
  #phasesTold = 0;
  #roundsTold = 0;
  #snapshotTold = '';

  constructor(
    migration: Pick<OutgoingMigration, 'phases' | 'rounds' | 'snapshot'>,
    tell: (news: MigrationNews) => void,
  ) {
    this.#migration = migration;
    this.#tell = tell;
    this.#timer = setInterval(() => {
      this.#look();
    }, NEWS_MS);
  }

  /** Tells the rest, and no more. */
  end(): void {
    clearInterval(this.#timer);
    this.#look();
  }

  #look(): void {
    const { phases, rounds, snapshot } = this.#migration;
    const beganUs = phases[0]?.fromUs ?? 0;
    for (const { name, fromUs } of phases.slice(this.#phasesTold)) {
      const phase = name as (typeof snapshot)['phase'];
      this.#tell({ kind: 'phase', phase, atMs: (fromUs - beganUs) / 1000 });
    }
    for (const round of rounds.slice(this.#roundsTold)) this.#tell({ kind: 'round', round });
    this.#phasesTold = phases.length;
    this.#roundsTold = rounds.length;
    // What passes by itself is no news.
    const text = JSON.stringify({ ...snapshot, roundElapsedMs: 0 });
    if (text === this.#snapshotTold) return;
    this.#snapshotTold = text;
    this.#tell({ kind: 'snapshot', snapshot });
  }
}
