// Runs a source: boots the guest, lets it run, migrates it, prints the report. Shared by `source` and the demo.
import { setTimeout as sleep } from 'node:timers/promises';
import { MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { GuestMachine } from '../shared/guest/machine.js';
import { createLogger, type LogLevel } from '../shared/logger.js';
import type { BitmapFormat } from '../shared/memory/compacted-bitmap.js';
import { REPORT_VERSION, type FailureReport } from '../shared/report/report.js';
import { renderFailure, renderReport } from '../shared/report/text-report.js';
import { formatBytes } from '../shared/units.js';
import type { Address } from '../shared/wire/sockets.js';
import type { MigrationMode } from '../source/migration.js';
import { OutgoingMigration, type MigrationResult } from '../source/migrate.js';
import { exitStatusOf } from './exit-status.js';
import { Progress } from './progress.js';

export interface SourceArguments {
  readonly mode: MigrationMode;
  readonly trace: 'dedicated';
  readonly bitmap: BitmapFormat;
  readonly connections: number;
  readonly maxRounds: number;
  readonly stunBudget: number;
  readonly migrateAfter: number;
  readonly audit: boolean;
  readonly auditAfter: number;
  readonly connectTimeout: number;
  readonly json: boolean;
  readonly logLevel: LogLevel;
}

/** Answers the exit status. Prints the report, or the failure, on standard output. */
export async function runSource(
  spec: GuestSpec,
  to: Address,
  listen: Address,
  args: SourceArguments,
): Promise<number> {
  const progress = new Progress();
  const logger = createLogger('source', args.logLevel);
  let migration: OutgoingMigration | undefined;
  let guestFailure: MicrostunError | undefined;
  const interrupted = new AbortController();
  const machine = new GuestMachine(spec, {
    failed: (error) => {
      guestFailure = error;
      migration?.failWith(error);
      interrupted.abort(error);
    },
  });
  const unlisten = onInterrupt((signal) => {
    if (migration === undefined) interrupted.abort(new MicrostunError('CANCELLED', `cancelled by ${signal}`));
    else migration.cancel(signal);
  });
  try {
    progress.say(`booting guest "${spec.program}": ${formatBytes(spec.memoryBytes)}, ${spec.vcpus} vCPUs`);
    await machine.start(true);
    await machine.resume();
    progress.say('the guest runs');
    await sleep(args.migrateAfter, undefined, { signal: interrupted.signal });
    const { mode, trace, bitmap, connections } = args;
    migration = new OutgoingMigration(machine, {
      to,
      listen,
      connections,
      bitmapFormat: bitmap,
      trace,
      auditAfterMs: args.auditAfter,
      logger,
      plan: {
        mode,
        roundsMax: args.maxRounds,
        stunBudgetMs: args.stunBudget,
        audits: args.audit,
        link: { connectMs: args.connectTimeout, reconnectMs: 10_000, retryMs: 50, retryMsMax: 1000 },
        prepareMs: 60_000,
        answerMs: 5000,
        doubtMs: 15_000,
        pagesLostMs: 10_000,
        auditMs: args.auditAfter + 600_000,
      },
    });
    progress.follow(migration);
    const result = await migration.run();
    progress.stop();
    return await conclude(result, machine, args);
  } catch (error) {
    progress.stop();
    if (guestFailure !== undefined) throw guestFailure;
    if (interrupted.signal.aborted && interrupted.signal.reason instanceof MicrostunError)
      throw interrupted.signal.reason;
    throw error;
  } finally {
    unlisten();
    await machine.close();
  }
}

async function conclude(
  result: MigrationResult,
  machine: GuestMachine,
  { json, audit }: SourceArguments,
): Promise<number> {
  if (result.kind === 'completed') {
    const { report } = result;
    process.stdout.write(json ? `${JSON.stringify(report, undefined, 2)}\n` : `${renderReport(report)}\n`);
    return report.audit?.passed === false ? exitStatusOf('AUDIT_FAILED') : 0;
  }
  const { error, owner, phase } = result;
  const failure: FailureReport = {
    version: REPORT_VERSION,
    outcome: 'failed',
    phase,
    error: { code: error.code, message: error.message },
    owner,
    safeNext: await safeNextOf(owner, machine, audit),
    source: { pid: process.pid },
  };
  process.stdout.write(json ? `${JSON.stringify(failure, undefined, 2)}\n` : `${renderFailure(failure)}\n`);
  return exitStatusOf(error.code);
}

async function safeNextOf(owner: string, machine: GuestMachine, audits: boolean): Promise<string> {
  switch (owner) {
    case 'source': {
      if (machine.isFailed) return 'mend the guest; it stopped by itself';
      if (!audits) return 'the guest ran on here unharmed; migrate again';
      await machine.park();
      const { passed, checked } = await machine.audit();
      return passed
        ? `migrate again: the guest ran on here and its audit passed (${checked} pages)`
        : 'nothing: the audit of the guest failed here';
    }
    case 'in doubt':
      return 'look at the destination; run the guest at one side only';
    case 'lost':
      return 'start the guest anew; neither side has all of it';
    default:
      return 'use the guest at the destination; this source is not needed any more';
  }
}

/** Calls `onFirst` at the first SIGINT or SIGTERM; the second ends the process. Answers how to stop listening. */
export function onInterrupt(onFirst: (signal: string) => void): () => void {
  let count = 0;
  const listener = (signal: string): void => {
    count++;
    if (count === 1) onFirst(signal);
    else process.exit(exitStatusOf('CANCELLED'));
  };
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return () => {
    process.off('SIGINT', listener);
    process.off('SIGTERM', listener);
  };
}
