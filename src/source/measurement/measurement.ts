// Gathers what a migration measures while it runs and makes the report of it.
// Knows instants and counts; takes part in nothing.
import { monotonicUs } from '../../shared/clock.js';
import { MicrostunError } from '../../shared/errors.js';
import type { GuestSpec } from '../../shared/guest/guest-program.js';
import type { MachineCounters } from '../../shared/guest/machine.js';
import { faultBucketBoundUs } from '../../shared/guest/fault-latency.js';
import { expand, rawBitmapBytes, type BitmapFormat } from '../../shared/memory/compacted-bitmap.js';
import { countsOf } from '../../shared/guest/gap-buckets.js';
import { areSensible, ToldSamples } from '../../shared/guest/told-samples.js';
import { timelineOf } from '../../shared/guest/samples.js';
import { bitCount32 } from '../../shared/memory/page-bitmap.js';
import { PAGE_BYTES, REGION_PAGES, regionCountOf } from '../../shared/memory/pages.js';
import type { GuestSample } from '../../shared/guest/samples.js';
import { countsSince, gapHistogramOf } from '../../report/gap-histogram.js';
import { lossOf } from '../../report/throughput-loss.js';
import {
  addUp,
  REPORT_VERSION,
  type GapsReport,
  type GuestCostReport,
  type MigrationReport,
  type PostcopyReport,
  type RoundForecast,
  type RoundReport,
  type SettingsReport,
  type StunReport,
  type TimelineReport,
} from '../../report/document.js';
import type { Emulation, ScriptedCut } from '../../lab/emulated-link.js';
import { hostName, type MessageOf } from '../../shared/wire/messages.js';
import { HandOverBytes } from './hand-over-bytes.js';
import type { Course, Forecast } from '../states/convergence.js';
import type { RoundTotal } from '../pages/copiers.js';
import { ClockSamples, offsetWithin, type ClockOffset, type ClockSample } from './clock-offset.js';
import type { MigrationPlan } from '../states/plan.js';
import { timesOf } from './phase-times.js';
import { stunOf } from './stun.js';
import type { LastHarvest } from '../tracer/tracer.js';

/** What was asked for, as far as the report says so. */
export interface Settings {
  readonly trace: string;
  readonly bitmapFormat: BitmapFormat;
  readonly connections: number;
  readonly bytesPerSecond: number | undefined;
  readonly faultBytesPerSecond: number | undefined;
  readonly emulation: Emulation | undefined;
}

/** The guest's throughput before the migration is the mean of so long. */
const BEFORE_MS = 1000;

export class Measurement {
  readonly #settings: Settings;
  readonly #plan: MigrationPlan;
  readonly #beganAt = monotonicUs();
  readonly #rounds: RoundReport[] = [];
  readonly #clockSamples = new ClockSamples();
  #forecast: Forecast | undefined;
  #roundForecast: RoundForecast | null = null;
  #throttledShare = 0;
  #switchOverReason = '';
  #stopAt = 0;
  #pagesFollow = false;
  #last: LastHarvest | undefined;
  #lastSliceEndAt: readonly number[] = [];
  #resumed: { message: MessageOf<'RESUMED'>; receivedAt: number } | undefined;
  #audit: MessageOf<'AUDITED'> | undefined;
  #arrived: MessageOf<'ARRIVED'> | undefined;
  readonly #handOver = new HandOverBytes();
  readonly #phases: { readonly name: string; readonly fromUs: number }[] = [];
  #samples: Float64Array = new Float64Array(0);
  readonly #cuts: ScriptedCut[] = [];
  #longestGapUs = 0;
  #before: MachineCounters | undefined;
  #parked: MachineCounters | undefined;
  #gapsBefore: Float64Array = new Float64Array(0);
  #gapsAtStop: Float64Array = new Float64Array(0);
  installMs = 0;
  destination: MigrationReport['destination'] = { pid: 0, host: '' };

  /** The guest at the destination, as it is told while it runs there. */
  readonly #told: ToldSamples;

  /** `vcpus` of the guest. */
  constructor(settings: Settings, plan: MigrationPlan, vcpus: number) {
    this.#told = new ToldSamples(vcpus);
    this.#settings = settings;
    this.#plan = plan;
  }

  get rounds(): readonly RoundReport[] {
    return this.#rounds;
  }

  get phases(): readonly { readonly name: string; readonly fromUs: number }[] {
    return this.#phases;
  }

  get forecastStunMs(): number | null {
    const forecast = this.#forecast;
    if (forecast === undefined) return null;
    // A pre-copy that went over to post-copy: its pages follow after all.
    return this.#pagesFollow ? forecast.stunWithoutCopyMs : forecast.stunMs;
  }

  noteClock(sample: ClockSample): void {
    this.#clockSamples.note(sample);
  }

  /** Made before a round, or before the stop: then there is no course. */
  noteForecast(forecast: Forecast, course: Course | undefined): void {
    this.#forecast = forecast;
    const elapsedMs = (monotonicUs() - this.#beganAt) / 1000;
    this.#roundForecast =
      course === undefined
        ? null
        : { rounds: course.rounds, totalMs: elapsedMs + course.remainingMs, stunMs: course.stunMs };
  }

  noteScriptedCut(cut: ScriptedCut): void {
    this.#cuts.push(cut);
  }

  noteThrottle(share: number): void {
    this.#throttledShare = share;
  }

  noteRound(total: RoundTotal, dirtyPages: number, durationMs: number): RoundReport {
    const report: RoundReport = {
      round: total.round,
      stage: this.#stopAt === 0 ? 'copy' : 'last',
      dirtyPages,
      sentPages: total.sentPages,
      zeroPages: total.zeroPages,
      sentBytes: total.sentPages * PAGE_BYTES + total.framingBytes,
      durationMs,
      forecast: this.#roundForecast,
      throttledShare: this.#stopAt === 0 ? this.#throttledShare : 0,
    };
    this.#roundForecast = null;
    this.#rounds.push(report);
    return report;
  }

  /** `before`: the guest's counters before it was stopped. `pagesFollow`: what is left is not part of the stun. */
  noteStop(stopAt: number, why: string, pagesFollow: boolean, before: MachineCounters): void {
    this.#stopAt = stopAt;
    this.#pagesFollow = pagesFollow;
    this.#switchOverReason = why;
    this.#longestGapUs = before.longestGapUs;
  }

  noteTaken(last: LastHarvest, lastSliceEndAt: readonly number[]): void {
    this.#last = last;
    this.#lastSliceEndAt = lastSliceEndAt;
  }

  /** The hand-over was given to a connection, or there was none: `bytes` is 0 then. It may be sent more than once. */
  noteHandedOver(sentAt: number, bytes: number, bitmap: Uint8Array): void {
    this.#handOver.note(sentAt, bytes, bitmap.length);
  }

  noteResumed(message: MessageOf<'RESUMED'>, receivedAt: number): void {
    this.#clockSamples.noteResumed();
    this.#resumed = { message, receivedAt };
  }

  noteArrived(arrived: MessageOf<'ARRIVED'>): void {
    this.#arrived = arrived;
  }

  /** A few samples of the guest at the destination; answers whether they make sense. */
  noteDestinationSamples(samples: Float64Array): boolean {
    return this.#told.note(samples);
  }

  /** What came of them since this was last asked, on this host's clock. */
  takeDestinationSamples(): GuestSample[] {
    const { offsetUs } = this.#clock();
    return this.#told.takeFresh().map((row) => guestSampleOf(row, offsetUs));
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
    const { bitmapFormat, trace, connections, emulation } = this.#settings;
    const timeline = this.#timeline(spec.vcpus);
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
      bitmap: this.#handOver.bitmap,
      checkpoint: this.#handOver.checkpoint,
      faults: bytes.faults,
      control: bytes.control - this.#handOver.all,
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
    const resumedAt = this.#resumed?.receivedAt ?? this.#beganAt;
    return {
      version: REPORT_VERSION,
      outcome: 'completed',
      mode: this.#plan.mode,
      guest: {
        program: spec.program,
        memoryBytes: spec.memoryBytes,
        pageBytes: PAGE_BYTES,
        vcpus: spec.vcpus,
        seed: spec.seed,
        writeRate: spec.writeRate === Infinity ? 'max' : spec.writeRate,
      },
      connections,
      settings: this.#settingsReport(),
      link: emulation === undefined ? null : { emulated: true, delayMs: emulation.delayMs, cuts: this.#cuts },
      switchOverReason: this.#switchOverReason,
      rounds: this.#rounds,
      forecastStunMs: this.forecastStunMs,
      stun,
      trace: {
        mode: trace,
        installMs: this.installMs,
        longestVcpuPauseMs: this.#longestGapUs / 1000,
        pageFires: this.#countOf('pageFires'),
        stoppedMs: this.#countOf('traceStoppedUs') / 1000,
        longestStopMs: (this.#parked?.longestTraceStopUs ?? 0) / 1000,
        throttledMs: this.#countOf('throttledUs') / 1000,
      },
      bitmap: {
        format: bitmapFormat,
        rawBytes: rawBitmapBytes(spec.memoryBytes / PAGE_BYTES),
        sentBytes: bitmapBytes,
        dirtyPerRegion: this.#dirtyPerRegion(spec.memoryBytes / PAGE_BYTES),
      },
      bytes: ledger,
      timeline,
      postcopy: this.#postcopy(),
      cuts: bytes.cuts,
      totalMs: (resumedAt - this.#beganAt) / 1000,
      times: timesOf(this.#phases, this.#beganAt, resumedAt),
      gaps: this.#gaps(),
      guestCost: this.#guestCost(timeline),
      audit:
        audit === undefined
          ? null
          : { passed: audit.passed, checked: audit.checked, failed: audit.failed, findings: audit.findings },
      source: { pid: process.pid, host: hostName() },
      destination: this.destination,
    };
  }

  /** The guest's counters, and its gaps between slices so far, when the migration begins: none of it is its doing. */
  noteBefore(counters: MachineCounters, gaps: Float64Array): void {
    this.#before = counters;
    this.#gapsBefore = gaps;
  }

  /** The guest's counters and gaps after its last slice here. */
  noteParkedGuest(counters: MachineCounters, gaps: Float64Array): void {
    this.#parked = counters;
    this.#gapsAtStop = gaps;
  }

  /** A phase has begun. */
  notePhase(name: string): void {
    this.#phases.push({ name, fromUs: monotonicUs() });
  }

  /** The guest's throughput here, whole. */
  noteSamples(samples: Float64Array): void {
    this.#samples = samples;
  }

  // Of this migration alone: the same guest may have been through attempts that failed.
  #countOf(counter: 'pageFires' | 'traceStoppedUs' | 'throttledUs'): number {
    return (this.#parked?.[counter] ?? 0) - (this.#before?.[counter] ?? 0);
  }

  #settingsReport(): SettingsReport {
    const { stunBudgetMs, roundsMax, timeLimitMs, onTimeout } = this.#plan;
    return {
      bandwidthBytesPerSecond: this.#settings.bytesPerSecond ?? null,
      faultBandwidthBytesPerSecond: this.#settings.faultBytesPerSecond ?? null,
      stunBudgetMs,
      roundsMax,
      timeLimitMs,
      onTimeout,
    };
  }

  #gaps(): GapsReport {
    // A peer's counts that make no sense are none.
    const after = this.#audit && countsOf(this.#audit.gaps);
    return {
      before: gapHistogramOf(this.#gapsBefore),
      during: gapHistogramOf(countsSince(this.#gapsBefore, this.#gapsAtStop)),
      after: after === undefined ? null : gapHistogramOf(after),
    };
  }

  #guestCost({ phases, source }: TimelineReport): GuestCostReport {
    const tracedMs = phases.find(({ name }) => name === 'installing-traces')?.fromMs;
    const stoppedMs = phases.find(({ name }) => name === 'stopping')?.fromMs ?? 0;
    return {
      ...lossOf(
        source,
        { fromMs: -BEFORE_MS, toMs: 0 },
        tracedMs === undefined ? undefined : { fromMs: tracedMs, toMs: stoppedMs },
      ),
      longestStallBeforeStunMs: this.#longestGapUs / 1000,
      longestStallAfterStunMs: this.#audit === undefined ? null : this.#audit.longestStallUs / 1000,
    };
  }

  #timeline(vcpus: number): TimelineReport {
    const toMs = (us: number): number => (us - this.#beganAt) / 1000;
    const phases = this.#phases.slice(0, -1).map(({ name, fromUs }, index) => ({
      name,
      fromMs: toMs(fromUs),
      toMs: toMs(this.#phases[index + 1]!.fromUs),
    }));
    return {
      phases,
      source: timelineOf(this.#samples, vcpus, this.#beganAt),
      destination: timelineOf(this.#destinationSamples(vcpus), vcpus, this.#beganAt + this.#clock().offsetUs),
    };
  }

  // At the instants of the stun; of a long stun the samples on either side are further away, and the error larger.
  #clock(): ClockOffset {
    return offsetWithin(this.#clockSamples.all, this.#stopAt, this.#resumed?.receivedAt ?? this.#stopAt);
  }

  // Those that come with an audit are finer than those that were told on the way.
  #destinationSamples(vcpus: number): Float64Array {
    const samples = this.#audit?.samples;
    return samples !== undefined && samples.length > 0 && areSensible(samples, vcpus)
      ? samples
      : this.#told.all;
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
    return stunOf({
      stopAt: this.#stopAt,
      last,
      lastSliceEndAt: this.#lastSliceEndAt,
      sentAt: this.#handOver.sentAt,
      answer: resumed.message,
      answerReceivedAt: resumed.receivedAt,
      clock: this.#clock(),
    });
  }
}

// Of all vCPUs together.
function guestSampleOf(row: Float64Array, aheadUs: number): GuestSample {
  let pages = 0;
  let longestStallUs = 0;
  for (let work = 1; work < row.length; work += 2) {
    pages += row[work]!;
    longestStallUs = Math.max(longestStallUs, row[work + 1]!);
  }
  return { atUs: row[0]! - aheadUs, pages, longestStallUs };
}

function pageBytesOf(round: RoundReport): number {
  return round.sentPages * PAGE_BYTES;
}

function sum<T>(items: readonly T[], pick: (item: T) => number): number {
  return items.reduce((total, item) => total + pick(item), 0);
}
