// Gathers what a migration measures while it runs and makes the report of it.
// Knows instants and counts; takes part in nothing.
import { monotonicUs } from '../shared/clock.js';
import { MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import type { MachineCounters } from '../shared/guest/machine.js';
import { faultBucketBoundUs } from '../shared/guest/fault-latency.js';
import { expand, rawBitmapBytes, type BitmapFormat } from '../shared/memory/compacted-bitmap.js';
import { throughputOf } from '../shared/guest/samples.js';
import { bitCount32 } from '../shared/memory/page-bitmap.js';
import { PAGE_BYTES, REGION_PAGES, regionCountOf } from '../shared/memory/pages.js';
import {
  addUp,
  REPORT_VERSION,
  type MigrationReport,
  type PostcopyReport,
  type RoundReport,
  type StunReport,
  type TimelineReport,
} from '../shared/report/report.js';
import type { MessageOf } from '../shared/wire/messages.js';
import type { Forecast } from './convergence.js';
import type { RoundTotal } from './migration-workers.js';
import type { ClockSample } from './migration.js';
import type { LastHarvest } from './tracer.js';

/** A timer that fires late by more than this is no contradiction between two clocks' views. */
const MEASUREMENT_SLACK_US = 50;

/** The best clock exchange: how far the destination's clock is ahead, and how wrong that may be. */
export function clockOffset(samples: readonly ClockSample[]): { offsetUs: number; errorUs: number } {
  const best = samples.reduce((one, other) =>
    other.receivedAt - other.sentAt < one.receivedAt - one.sentAt ? other : one,
  );
  return {
    offsetUs: best.answeredAt - (best.sentAt + best.receivedAt) / 2,
    errorUs: (best.receivedAt - best.sentAt) / 2,
  };
}

export interface Settings {
  readonly mode: string;
  readonly trace: string;
  readonly bitmapFormat: BitmapFormat;
  readonly connections: number;
}

export class Measurement {
  readonly #settings: Settings;
  readonly #beganAt = monotonicUs();
  readonly #rounds: RoundReport[] = [];
  #clock = { offsetUs: 0, errorUs: 0 };
  #forecast: Forecast | undefined;
  #switchOverReason = '';
  #stopAt = 0;
  #sentAt = 0;
  #last: LastHarvest | undefined;
  #lastSliceEndAt: readonly number[] = [];
  #resumed: { message: MessageOf<'RESUMED'>; receivedAt: number } | undefined;
  #audit: MessageOf<'AUDITED'> | undefined;
  #arrived: MessageOf<'ARRIVED'> | undefined;
  #handOverBytes = 0;
  readonly #phases: { readonly name: string; readonly fromUs: number }[] = [];
  #samples: Float64Array = new Float64Array(0);
  #totalMs = 0;
  installMs = 0;
  longestGapUs = 0;
  pageFires = 0;
  traceStoppedUs = 0;
  longestTraceStopUs = 0;
  throttledUs = 0;
  destinationPid = 0;

  constructor(settings: Settings) {
    this.#settings = settings;
  }

  get rounds(): readonly RoundReport[] {
    return this.#rounds;
  }

  get phases(): readonly { readonly name: string; readonly fromUs: number }[] {
    return this.#phases;
  }

  get forecastStunMs(): number | null {
    return this.#forecast?.stunMs ?? null;
  }

  noteClock(samples: readonly ClockSample[]): void {
    this.#clock = clockOffset(samples);
  }

  noteForecast(forecast: Forecast): void {
    this.#forecast = forecast;
  }

  noteRound(total: RoundTotal, dirtyPages: number, durationMs: number): RoundReport {
    const report: RoundReport = {
      round: total.round,
      dirtyPages,
      sentPages: total.sentPages,
      zeroPages: total.zeroPages,
      sentBytes: total.sentPages * PAGE_BYTES + total.framingBytes,
      durationMs,
    };
    this.#rounds.push(report);
    return report;
  }

  noteStop(stopAt: number, why: string): void {
    this.#stopAt = stopAt;
    this.#switchOverReason = why;
  }

  noteTaken(last: LastHarvest, lastSliceEndAt: readonly number[]): void {
    this.#last = last;
    this.#lastSliceEndAt = lastSliceEndAt;
  }

  noteHandedOver(sentAt: number, bytes: number): void {
    this.#sentAt = sentAt;
    this.#handOverBytes += bytes;
  }

  noteResumed(message: MessageOf<'RESUMED'>, receivedAt: number): void {
    this.#resumed = { message, receivedAt };
    this.#totalMs = (receivedAt - this.#beganAt) / 1000;
  }

  noteArrived(arrived: MessageOf<'ARRIVED'>): void {
    this.#arrived = arrived;
  }

  noteAudit(audit: MessageOf<'AUDITED'>): void {
    this.#audit = audit;
  }

  /**
   * The report of a completed migration.
   * @throws MicrostunError MEASUREMENT when two views of the same thing contradict each other.
   */
  report(
    spec: GuestSpec,
    bytes: { control: number; faults: number; sockets: number; cuts: number },
  ): MigrationReport {
    const { bitmapFormat, mode, trace, connections } = this.#settings;
    const stun = this.#stun();
    const bitmapBytes = this.#last?.bitmap.length ?? 0;
    const ledger = addUp({
      firstCopy: sum(
        this.#rounds.filter((round) => round.round === 0),
        pageBytesOf,
      ),
      resend: sum(
        this.#rounds.filter((round) => round.round > 0),
        pageBytesOf,
      ),
      windowHeads: sum(this.#rounds, (round) => round.sentBytes - pageBytesOf(round)),
      bitmap: bitmapBytes,
      checkpoint: this.#handOverBytes - bitmapBytes,
      faults: bytes.faults,
      control: bytes.control - this.#handOverBytes,
      sockets: bytes.sockets,
    });
    // A connection that was cut had taken bytes that never became a whole frame; without cuts there is no such excuse.
    if (ledger.total !== ledger.sockets && bytes.cuts === 0) {
      throw new MicrostunError(
        'MEASUREMENT',
        `the byte ledger adds up to ${ledger.total}, the sockets counted ${ledger.sockets}; please report this`,
      );
    }
    const audit = this.#audit;
    return {
      version: REPORT_VERSION,
      outcome: 'completed',
      mode,
      guest: {
        program: spec.program,
        memoryBytes: spec.memoryBytes,
        pageBytes: PAGE_BYTES,
        vcpus: spec.vcpus,
        seed: spec.seed,
        writeRate: spec.writeRate === Infinity ? 'max' : spec.writeRate,
      },
      connections,
      switchOverReason: this.#switchOverReason,
      rounds: this.#rounds,
      forecastStunMs: this.#forecast?.stunMs ?? null,
      stun,
      trace: {
        mode: trace,
        installMs: this.installMs,
        longestVcpuPauseMs: this.longestGapUs / 1000,
        pageFires: this.pageFires,
        stoppedMs: this.traceStoppedUs / 1000,
        longestStopMs: this.longestTraceStopUs / 1000,
        throttledMs: this.throttledUs / 1000,
      },
      bitmap: {
        format: bitmapFormat,
        rawBytes: rawBitmapBytes(spec.memoryBytes / PAGE_BYTES),
        sentBytes: bitmapBytes,
        dirtyPerRegion: this.#dirtyPerRegion(spec.memoryBytes / PAGE_BYTES),
      },
      bytes: ledger,
      timeline: this.#timeline(),
      postcopy: this.#postcopy(),
      cuts: bytes.cuts,
      totalMs: this.#totalMs,
      audit:
        audit === undefined
          ? null
          : { passed: audit.passed, checked: audit.checked, failed: audit.failed, findings: audit.findings },
      source: { pid: process.pid },
      destination: { pid: this.destinationPid },
    };
  }

  /** The guest's counters before the stop, and after the park. */
  noteGuest(before: MachineCounters, after: MachineCounters): void {
    this.longestGapUs = before.longestGapUs;
    this.pageFires = after.pageFires;
    this.traceStoppedUs = after.traceStoppedUs;
    this.longestTraceStopUs = after.longestTraceStopUs;
    this.throttledUs = after.throttledUs;
  }

  /** A phase has begun. */
  notePhase(name: string): void {
    this.#phases.push({ name, fromUs: monotonicUs() });
  }

  /** The guest's throughput here, whole. */
  noteSamples(samples: Float64Array): void {
    this.#samples = samples;
  }

  #timeline(): TimelineReport {
    const toMs = (us: number): number => (us - this.#beganAt) / 1000;
    const phases = this.#phases.slice(0, -1).map(({ name, fromUs }, index) => ({
      name,
      fromMs: toMs(fromUs),
      toMs: toMs(this.#phases[index + 1]!.fromUs),
    }));
    return {
      phases,
      source: throughputOf(this.#samples, this.#beganAt),
      destination: throughputOf(
        this.#audit?.samples ?? new Float64Array(0),
        this.#beganAt + this.#clock.offsetUs,
      ),
    };
  }

  #dirtyPerRegion(pageCount: number): number[] {
    if (this.#last === undefined) return [];
    const { words } = expand(this.#last.bitmap, pageCount);
    const perRegion = REGION_PAGES / 32;
    return Array.from({ length: regionCountOf(pageCount) }, (_, region) => {
      const ofRegion = words.subarray(region * perRegion, (region + 1) * perRegion);
      return ofRegion.reduce((total, word) => total + bitCount32(word), 0);
    });
  }

  #postcopy(): PostcopyReport | null {
    const arrived = this.#arrived;
    if (arrived === undefined) return null;
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

  #stun(): StunReport {
    const last = this.#last;
    const resumed = this.#resumed;
    if (last === undefined || resumed === undefined)
      throw new Error('a stun is reported only after the guest resumed');
    const { message, receivedAt } = resumed;
    const destinationUs = message.answeredAt - message.receivedAt;
    const stunMs = (receivedAt - this.#stopAt) / 1000;
    const { offsetUs, errorUs } = this.#clock;
    // A vCPU that was asleep by its own wish when it was stopped stood still from the stop on, not from its last slice.
    const gapsUs = message.firstSliceAt.map(
      (firstAt, vcpu) => firstAt - offsetUs - Math.max(this.#lastSliceEndAt[vcpu] ?? 0, this.#stopAt),
    );
    const guestGapMs = Math.max(...gapsUs) / 1000;
    const clockErrorMs = errorUs / 1000;
    if (guestGapMs - clockErrorMs - MEASUREMENT_SLACK_US / 1000 > stunMs) {
      throw new MicrostunError(
        'MEASUREMENT',
        `the guest stood still for ${guestGapMs} ms (±${clockErrorMs} ms) although its stun took at most ${stunMs} ms; a clock jumped`,
      );
    }
    return {
      stunMs,
      guestGapMs,
      clockErrorMs,
      parts: {
        parkMs: (last.parkedAt - this.#stopAt) / 1000,
        harvestMs: (last.harvestedAt - last.parkedAt) / 1000,
        compactionMs: (last.compactedAt - last.harvestedAt) / 1000,
        sendMs: (this.#sentAt - last.compactedAt) / 1000,
        networkMs: (receivedAt - this.#sentAt - destinationUs) / 1000,
        validationMs: message.validationMs,
        placementMs: message.placementMs,
        resumeMs: message.resumeMs,
      },
    };
  }
}

function pageBytesOf(round: RoundReport): number {
  return round.sentPages * PAGE_BYTES;
}

function sum<T>(items: readonly T[], pick: (item: T) => number): number {
  return items.reduce((total, item) => total + pick(item), 0);
}
