// The report of a migration whose guest has gone, from all that was measured.
// Pure, but for who writes it. Two views of the same thing that contradict each other are an error and no report.
import { MicrostunError } from '../../shared/errors.js';
import { faultBucketBoundUs } from '../../shared/guest/fault-latency.js';
import { rawBitmapBytes } from '../../shared/memory/compacted-bitmap.js';
import { PAGE_BYTES } from '../../shared/memory/pages.js';
import type { Security } from '../../shared/wire/security.js';
import { hostName, type MessageOf } from '../../shared/wire/messages.js';
import {
  addUp,
  REPORT_VERSION,
  type ByteLedger,
  type MigrationReport,
  type PostcopyReport,
  type RoundReport,
  type SettingsReport,
  type StunReport,
} from '../../report/document.js';
import { dirtyRegionsOf } from '../tracer/dirty-snapshot.js';
import { gapsReportOf, guestCostReportOf, recoveryReportOf, timelineReportOf } from './guest-report.js';
import type { Measured } from './measurement.js';
import { timesOf } from './phase-times.js';
import { stunOf } from './stun.js';

/**
 * The report of a completed migration.
 * @throws MicrostunError MEASUREMENT when two views of the same thing contradict each other.
 */
export function reportOf(measured: Measured): MigrationReport {
  const { settings, guest, beganAt, phases, stopped, resumed, audit, verified, bytes } = measured;
  const { emulation } = settings;
  const timeline = timelineReportOf(measured);
  const guestCost = guestCostReportOf(measured, timeline);
  return {
    version: REPORT_VERSION,
    outcome: 'completed',
    mode: measured.plan.mode,
    guest: {
      program: guest.program,
      memoryBytes: guest.memoryBytes,
      pageBytes: PAGE_BYTES,
      vcpus: guest.vcpus,
      seed: guest.seed,
      writeRate: guest.writeRate === Infinity ? 'max' : guest.writeRate,
      hotSetBytes: guest.hotSetBytes,
      residentBytes: guest.residentBytes,
    },
    connections: settings.connections,
    settings: settingsReportOf(measured),
    link:
      emulation === undefined ? null : { emulated: true, delayMs: emulation.delayMs, cuts: measured.cuts },
    switchOverReason: stopped.why,
    rounds: measured.rounds,
    forecastStunMs: measured.forecastStunMs,
    stun: stunReportOf(measured),
    recovery: recoveryReportOf(measured, guestCost),
    trace: traceReportOf(measured),
    bitmap: {
      format: settings.bitmapLogic,
      rawBytes: rawBitmapBytes(guest.memoryBytes / PAGE_BYTES),
      sentBytes: stopped.last.chunks.reduce((sum, { length }) => sum + length, stopped.last.bitmap.length),
      ahead: stopped.announced,
      dirtyRegions: dirtyRegionsOf(stopped.dirty),
    },
    bytes: ledgerOf(measured),
    timeline,
    postcopy: measured.arrived === undefined ? null : postcopyReportOf(measured.arrived),
    cuts: bytes.cuts,
    totalMs: (resumed.receivedAt - beganAt) / 1000,
    times: timesOf(phases, beganAt, resumed.receivedAt),
    gaps: gapsReportOf(measured),
    guestCost,
    notice: measured.notice,
    audit:
      audit === undefined
        ? null
        : { passed: audit.passed, checked: audit.checked, failed: audit.failed, findings: audit.findings },
    verify:
      verified === undefined
        ? null
        : {
            windows: verified.windows,
            pages: verified.pages,
            rereadPages: verified.rereadPages,
            mismatchedPages: verified.mismatchedPages,
            mismatched: verified.mismatched,
          },
    source: { pid: process.pid, host: hostName() },
    destination: measured.destination,
  };
}

function settingsReportOf({ plan, settings }: Measured): SettingsReport {
  const { stunBudgetMs, roundsMax, timeLimitMs, onTimeout } = plan;
  return {
    bandwidthBytesPerSecond: settings.bytesPerSecond ?? null,
    faultBandwidthBytesPerSecond: settings.faultBytesPerSecond ?? null,
    pageChecks: settings.pageChecks,
    stunBudgetMs,
    roundsMax,
    timeLimitMs,
    onTimeout,
    security: protectionOf(settings.security),
  };
}

function protectionOf(security: Security): SettingsReport['security'] {
  if (security.kind !== 'none') return security.kind;
  return security.reach === 'this-host' ? 'this-host' : 'insecure';
}

function stunReportOf({ stopped, resumed, clock }: Measured): StunReport {
  return stunOf({
    stopAt: stopped.stopAt,
    last: stopped.last,
    lastSliceEndAt: stopped.lastSliceEndAt,
    sentAt: stopped.sentAt,
    answer: resumed.message,
    answerReceivedAt: resumed.receivedAt,
    clock,
  });
}

// Of this migration alone: the same guest may have been through attempts that failed.
function traceReportOf({
  settings,
  installMs,
  atBeginning,
  stopped,
  resumed,
}: Measured): MigrationReport['trace'] {
  const from = atBeginning.counters;
  const to = resumed.parked.counters;
  return {
    mode: settings.trace,
    installMs,
    longestVcpuPauseMs: stopped.before.longestGapUs / 1000,
    pageFires: to.pageFires - from.pageFires,
    stoppedMs: (to.traceStoppedUs - from.traceStoppedUs) / 1000,
    longestStopMs: to.longestTraceStopUs / 1000,
    throttledMs: (to.throttledUs - from.throttledUs) / 1000,
  };
}

// Every byte belongs to a row, and the rows add up to what the sockets counted.
function ledgerOf({ rounds, hashBytes, bytes, settings }: Measured): ByteLedger {
  const first = rounds.filter((round) => round.round === 0);
  const later = rounds.filter((round) => round.round > 0);
  const ledger = addUp({
    firstCopy: sum(first, pageBytesOf),
    resend: sum(later, pageBytesOf),
    regionHeads: sum(rounds, (round) => round.sentBytes - pageBytesOf(round)),
    bitmap: bytes.bitmap,
    checkpoint: bytes.checkpoint,
    faults: bytes.faults,
    hashes: hashBytes,
    control: bytes.control,
    sockets: bytes.sockets,
    wire: bytes.wire,
  });
  // A connection that was cut had taken bytes that never became a whole frame; without cuts there is no such excuse.
  if (ledger.total !== ledger.sockets && bytes.cuts === 0)
    throw new MicrostunError(
      'MEASUREMENT',
      `the byte ledger adds up to ${ledger.total}, the sockets counted ${ledger.sockets}; please report this`,
    );
  if (ledger.encryption < leastEncryption(settings, bytes.sockets) && bytes.cuts === 0)
    throw new MicrostunError(
      'MEASUREMENT',
      `the sockets counted ${ledger.sockets} bytes before and ${ledger.wire} after encryption, which is too few; please report this`,
    );
  return ledger;
}

/** RFC 8446, 5.1 and 5.2: a record holds no more than this, and is by its head, its type and its seal longer. */
const RECORD_BYTES_MAX = 1 << 14;
const RECORD_MORE_BYTES = 5 + 1 + 16;

// What is encrypted cannot be shorter than this makes it; what is not is as long as it was.
function leastEncryption({ security }: Measured['settings'], bytes: number): number {
  return security.kind === 'none' ? 0 : Math.floor(bytes / RECORD_BYTES_MAX) * RECORD_MORE_BYTES;
}

function postcopyReportOf(arrived: MessageOf<'ARRIVED'>): PostcopyReport {
  return {
    remotePageFaults: arrived.remotePageFaults,
    fetchedPages: arrived.fetchedPages,
    pushedPages: arrived.pushedPages,
    durationMs: arrived.durationMs,
    faultLatencyUs: { p50: arrived.latencyP50Us, p99: arrived.latencyP99Us, max: arrived.latencyMaxUs },
    histogram: arrived.latencyBuckets
      .map((count, bucket) => ({ belowUs: faultBucketBoundUs(bucket), count }))
      .filter(({ count }) => count > 0),
  };
}

function pageBytesOf(round: RoundReport): number {
  return round.sentPages * PAGE_BYTES;
}

function sum<T>(items: readonly T[], pick: (item: T) => number): number {
  return items.reduce((total, item) => total + pick(item), 0);
}
