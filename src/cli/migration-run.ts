// One outgoing migration as the command line asks for it: flags to a plan, result to a printed report and an exit status.
// Shared by whatever sends a guest away: `source`, the demo and a forwarding `destination`.
import type { Logger } from 'pino';
import { MicrostunError, messageOf } from '../shared/errors.js';
import { rawBitmapBytes } from '../shared/memory/compacted-bitmap.js';
import { PAGE_BYTES } from '../shared/memory/pages.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import type { LogLevel } from './logger.js';
import { reportText, REPORT_VERSION, type FailureReport, type MigrationReport } from '../report/document.js';
import { INSECURE, renderFailure, renderReport } from '../report/text-report.js';
import type { Emulation } from '../lab/emulated-link.js';
import { hostName } from '../shared/wire/messages.js';
import { formatCount } from '../shared/units.js';
import type { Dials } from '../shared/wire/connection-end.js';
import type { Security } from '../shared/wire/security.js';
import type { Address } from '../shared/wire/sockets.js';
import type { MigrationMode, TimeoutStrategy } from '../source/states/plan.js';
import { hostHands } from '../source/hands.js';
import { OutgoingMigration, type MigrationResult } from '../source/outgoing.js';
import { ownerIn } from '../source/states/states.js';
import { phaseLimits } from '../source/states/phase-limits.js';
import type { BitmapLogic, TraceMode } from '../source/tracer/tracer.js';
import type { CutScript } from './flag-values.js';
import { exitStatusOf } from './exit-status.js';
import { complain, standardOutput } from './output.js';
import { notePhase } from './supervised.js';
import type { SecurityArguments } from './security-options.js';
import { writeHtmlReport } from './report-run.js';
import {
  CONTROL_RETRY_MS,
  CONTROL_RETRY_MS_MAX,
  PREPARED_MS_MAX,
  AUDITED_MS_MAX,
  answerMsMax,
  verifiedMsMax,
} from '../shared/limits.js';

/** The flags that shape a migration, parsed. */
export interface MigrationArguments extends SecurityArguments {
  readonly mode: MigrationMode;
  readonly trace: TraceMode;
  readonly bitmap: BitmapLogic;
  readonly connections: number;
  readonly dial: Dials;
  readonly bandwidth: number | undefined;
  readonly faultBandwidth: number | undefined;
  readonly delay: number | undefined;
  readonly cut: CutScript | undefined;
  readonly maxRounds: number;
  readonly timeLimit: number;
  readonly onTimeout: TimeoutStrategy;
  readonly stunBudget: number;
  readonly guestNotice: number;
  readonly migrateAfter: number;
  /** Whether pages carry a check of their bytes; `--no-checksums` says no. */
  readonly checksums: boolean;
  readonly verify: boolean;
  readonly audit: boolean;
  readonly auditAfter: number;
  readonly connectTimeout: number;
  readonly reconnectTimeout: number;
  readonly inDoubtAfter: number;
  /** Attempts after the first one that failed. */
  readonly retries: number;
  /** Whether one attempt is all, and each wait for a peer that is gone has an end. */
  readonly once: boolean;
  /** What a doubt that lasts ends in. */
  readonly inDoubt: 'wait' | 'end';
  /** File that the HTML report goes to; only some commands have it. */
  readonly report?: string | undefined;
  /** Where the live view is served; only some commands have it. */
  readonly dashboard?: Address | undefined;
  readonly json: boolean;
  readonly logLevel: LogLevel;
}

/** A migration of `machine` that is ready to run. */
export function planMigration(
  machine: GuestMachine,
  to: Address,
  listen: Address,
  args: MigrationArguments,
  security: Security,
  logger: Logger,
): OutgoingMigration {
  const { mode, trace, bitmap, connections } = args;
  const bitmapBytes = bitmap === 'raw' ? rawBitmapBytes(machine.spec.memoryBytes / PAGE_BYTES) : 0;
  return new OutgoingMigration(hostHands(machine, security), {
    to,
    listen,
    connections,
    bytesPerSecond: args.bandwidth,
    // Where every record is authenticated, a check of the pages would be one more.
    pageChecks: args.checksums && security.kind === 'none',
    faultBytesPerSecond: args.faultBandwidth,
    emulation: emulationOf(args),
    bitmapLogic: bitmap,
    trace,
    auditAfterMs: args.auditAfter,
    security,
    logger,
    entered: (phase) => {
      notePhase(phase.name, ownerIn(phase));
    },
    plan: {
      mode,
      dials: args.dial,
      roundsMax: args.maxRounds,
      timeLimitMs: args.timeLimit,
      onTimeout: args.onTimeout,
      stunBudgetMs: args.stunBudget,
      noticeMs: args.guestNotice,
      bitmapBytes,
      audits: args.audit,
      verifies: args.verify,
      verifyMs: verifiedMsMax(machine.touchedBytes),
      control: {
        connectMs: args.connectTimeout,
        reconnectMs: args.reconnectTimeout,
        retryMs: CONTROL_RETRY_MS,
        retryMsMax: CONTROL_RETRY_MS_MAX,
      },
      prepareMs: PREPARED_MS_MAX,
      answerMs: answerMsMax(bitmapBytes),
      doubtMs: args.inDoubtAfter,
      endsInDoubt: args.once || args.inDoubt === 'end',
      endsStillPush: args.once,
      phases: phaseLimits(args.reconnectTimeout),
      pagesLostMs: args.reconnectTimeout,
      auditMs: args.auditAfter + AUDITED_MS_MAX,
    },
  });
}

/** Any of its flags asks for an emulated link. */
function emulationOf({ delay, cut }: MigrationArguments): Emulation | undefined {
  return delay === undefined && cut === undefined
    ? undefined
    : { delayMs: delay ?? 0, cuts: cut?.cuts ?? [] };
}

/** What becomes of a guest that could not leave once its failure is told: it ends with the process, or runs on. */
export type Fate = 'ends' | 'stays';
export const ENDS: Fate = 'ends';

/** Prints the report, or the failure, on standard output unless it is not to, and has `show` show it; answers the exit status. */
export async function conclude(
  result: MigrationResult,
  machine: GuestMachine,
  { json, audit, report: htmlFile }: MigrationArguments,
  fate: Fate,
  show?: (document: MigrationReport | FailureReport) => void,
  { prints } = { prints: true },
): Promise<number> {
  if (result.kind === 'completed') {
    const { report } = result;
    if (prints && json) standardOutput.print(reportText(report));
    else if (prints)
      standardOutput.printText(
        renderReport(report).replace(INSECURE, (warning) => standardOutput.warning(warning)),
      );
    show?.(report);
    const isDrawn = htmlFile === undefined || (await drawReport(report, htmlFile));
    if ((report.verify?.mismatchedPages ?? 0) > 0) return exitStatusOf('VERIFY_FAILED');
    if (report.audit?.passed === false) return exitStatusOf('AUDIT_FAILED');
    return isDrawn ? 0 : exitStatusOf('OUTPUT_FAILED');
  }
  const { error, owner, phase } = result;
  const failure: FailureReport = {
    version: REPORT_VERSION,
    outcome: 'failed',
    phase,
    error: { code: error.code, message: error.message },
    owner,
    safeNext: await safeNextOf(result, machine, audit, fate),
    source: { pid: process.pid, host: hostName() },
  };
  if (prints && json) standardOutput.print(reportText(failure));
  else if (prints) standardOutput.printText(renderFailure(failure));
  show?.(failure);
  if (htmlFile !== undefined)
    complain(`${htmlFile} was not written: only a migration that completed can be drawn`);
  return exitStatusOf(error.code);
}

/** Answers whether the page could be written; the migration is over either way. */
async function drawReport(report: MigrationReport, htmlFile: string): Promise<boolean> {
  try {
    await writeHtmlReport(report, htmlFile);
    return true;
  } catch (error) {
    if (!(error instanceof MicrostunError)) throw error;
    complain(`${error.message}; the migration itself completed`);
    return false;
  }
}

async function safeNextOf(
  { owner, phase }: Extract<MigrationResult, { kind: 'failed' }>,
  machine: GuestMachine,
  audits: boolean,
  fate: Fate,
): Promise<string> {
  switch (owner) {
    case 'source': {
      if (machine.isFailed) return 'mend the guest; it stopped by itself';
      const then =
        fate === 'stays' ? 'it runs on here: migrate again' : 'it ended with this process: start it again';
      if (!audits) return `the guest was not harmed; ${then}`;
      try {
        await machine.park();
      } catch (error) {
        return `mend the guest, which could not be stopped for its audit: ${messageOf(error)}`;
      }
      const { passed, checked } = await machine.audit();
      return passed
        ? `the guest ran on here and its audit passed (${formatCount(checked)} pages); ${then}`
        : 'nothing: the audit of the guest failed here';
    }
    case 'in doubt':
      return (
        'look at the destination: if it runs the guest ("runs here"), use it there; if it says that it refused the guest, ' +
        'or has no guest, start it anew: the copy that was paused here ended with this process'
      );
    case 'lost':
      return 'start the guest anew; neither side has all of it';
    default:
      return phase === 'pushing'
        ? 'look at the destination, which owns the guest: pages that had not arrived there were only here, and it says which it lacks'
        : 'use the guest at the destination; this source is not needed any more';
  }
}
