// Gathers what a migration measures while it runs, in the stages in which it is known.
// Knows instants and counts; takes part in nothing. The report is made of it by report.ts.
import type { Security } from '../../shared/wire/security.js';
import { MicrostunError } from '../../shared/errors.js';
import type { GuestSpec } from '../../shared/guest/guest-program.js';
import type { MachineCounters } from '../../shared/guest/machine-counters.js';
import type { GuestSample } from '../../shared/guest/samples.js';
import { guestSampleOf, ToldSamples } from '../../shared/guest/told-samples.js';
import type { MessageOf } from '../../shared/wire/messages.js';
import type { NoticeReport, ReportedProcess, RoundReport } from '../../report/document.js';
import type { Emulation, ScriptedCut } from '../../lab/emulated-link.js';
import type { RoundTotal } from '../pages/copiers.js';
import type { Course, Forecast } from '../states/convergence.js';
import type { MigrationPlan } from '../states/plan.js';
import type { Departed } from '../tracer/departure.js';
import type { BitmapLogic } from '../tracer/tracer.js';
import { ClockSamples, offsetWithin, type ClockOffset, type ClockSample } from './clock-offset.js';
import { NoticeLog } from './notice-log.js';
import type { PhaseBegin } from './phase-times.js';
import { RoundLog } from './round-log.js';

/** What was asked for, as far as the report says so. */
export interface Settings {
  readonly trace: string;
  readonly bitmapLogic: BitmapLogic;
  readonly connections: number;
  readonly bytesPerSecond: number | undefined;
  readonly faultBytesPerSecond: number | undefined;
  readonly pageChecks: boolean;
  readonly emulation: Emulation | undefined;
  readonly security: Security;
}

/** The guest's counters and its gaps between slices, at an instant. */
export interface GuestCounts {
  readonly counters: MachineCounters;
  readonly gaps: Float64Array;
}

/** The guest has stopped, and was handed over. */
export interface Stopped extends Departed {
  readonly why: string;
  /** The guest's counters before it was stopped. */
  readonly before: MachineCounters;
}

/** The guest runs at the destination. */
export interface Resumed {
  readonly message: MessageOf<'RESUMED'>;
  /** When it was known here. */
  readonly receivedAt: number;
  /** After its last slice here. */
  readonly parked: GuestCounts;
}

type Stage =
  | { readonly name: 'under way' }
  | { readonly name: 'stopped'; readonly stopped: Stopped }
  | { readonly name: 'resumed'; readonly stopped: Stopped; readonly resumed: Resumed };

/** What the connections carried besides pages, and what their sockets counted in all. */
export interface CarriedBytes {
  readonly control: number;
  readonly faults: number;
  /** Of the switch-over: bitmaps, those that went ahead among them, and the rest. */
  readonly bitmap: number;
  readonly checkpoint: number;
  readonly sockets: number;
  /** The same as they went over the network: encrypted, perhaps. */
  readonly wire: number;
  /** How often connections were cut. */
  readonly cuts: number;
}

/** All that a migration measured whose guest has gone. */
export interface Measured {
  readonly settings: Settings;
  readonly plan: MigrationPlan;
  readonly guest: GuestSpec;
  readonly beganAt: number;
  /** When the migration began: none of it is its doing. */
  readonly atBeginning: GuestCounts;
  readonly installMs: number;
  readonly rounds: readonly RoundReport[];
  readonly forecastStunMs: number | null;
  readonly phases: readonly PhaseBegin[];
  readonly clock: ClockOffset;
  readonly stopped: Stopped;
  readonly resumed: Resumed;
  readonly arrived: MessageOf<'ARRIVED'> | undefined;
  readonly audit: MessageOf<'AUDITED'> | undefined;
  readonly verified: MessageOf<'VERIFIED'> | undefined;
  /** Of the hashes that were sent for it. */
  readonly hashBytes: number;
  /** The guest here, and at the destination as it was told on the way. */
  readonly samples: Float64Array;
  readonly toldSamples: Float64Array;
  readonly cuts: readonly ScriptedCut[];
  readonly notice: NoticeReport | null;
  readonly destination: ReportedProcess;
  readonly bytes: CarriedBytes;
}

export class Measurement {
  readonly #settings: Settings;
  readonly #plan: MigrationPlan;
  readonly #guest: GuestSpec;
  readonly #nowUs: () => number;
  readonly #beganAt: number;
  readonly #atBeginning: GuestCounts;
  readonly #rounds = new RoundLog();
  readonly #clockSamples = new ClockSamples();
  readonly #phases: PhaseBegin[] = [];
  readonly #cuts: ScriptedCut[] = [];
  readonly #told: ToldSamples;
  #stage: Stage = { name: 'under way' };
  #audit: MessageOf<'AUDITED'> | undefined;
  #arrived: MessageOf<'ARRIVED'> | undefined;
  #verified: MessageOf<'VERIFIED'> | undefined;
  #hashBytes = 0;
  #takenOverAt: number | undefined;
  /** What the guest was asked before its stop. */
  readonly notice: NoticeLog;
  installMs = 0;
  destination: ReportedProcess = { pid: 0, host: '' };

  /** The migration begins now; `atBeginning`: its guest. */
  constructor(
    settings: Settings,
    plan: MigrationPlan,
    guest: GuestSpec,
    atBeginning: GuestCounts,
    nowUs: () => number,
  ) {
    this.#settings = settings;
    this.#plan = plan;
    this.#guest = guest;
    this.#atBeginning = atBeginning;
    this.#nowUs = nowUs;
    this.#beganAt = nowUs();
    this.#told = new ToldSamples(guest.vcpus);
    this.notice = new NoticeLog(plan.noticeMs, nowUs);
  }

  get rounds(): readonly RoundReport[] {
    return this.#rounds.all;
  }

  /** How the rounds are expected to go on. */
  get course(): Course | undefined {
    return this.#rounds.course;
  }

  /** Of its time that each vCPU is made to sleep. */
  get throttledShare(): number {
    return this.#rounds.throttledShare;
  }

  get phases(): readonly PhaseBegin[] {
    return this.#phases;
  }

  get forecastStunMs(): number | null {
    const { forecast } = this.#rounds;
    if (forecast === undefined) return null;
    // A pre-copy that went over to post-copy: its pages follow after all.
    const pagesFollow = this.#stage.name !== 'under way' && this.#stage.stopped.pagesFollow;
    return pagesFollow ? forecast.stunWithoutCopyMs : forecast.stunMs;
  }

  /** A phase has begun. */
  notePhase(name: string): void {
    this.#phases.push({ name, fromUs: this.#nowUs() });
  }

  noteClock(sample: ClockSample): void {
    this.#clockSamples.note(sample);
  }

  /** How far the destination's clock is ahead now; by the samples so far, of which there are some before any stop. */
  get aheadUs(): number {
    const nowUs = this.#nowUs();
    return offsetWithin(this.#clockSamples.all, nowUs, nowUs).offsetUs;
  }

  /** Made before a round, or before the stop: then there is no course. */
  noteForecast(forecast: Forecast, course: Course | undefined): void {
    this.#rounds.noteForecast(forecast, course, (this.#nowUs() - this.#beganAt) / 1000);
  }

  noteThrottle(share: number): void {
    this.#rounds.noteThrottle(share);
  }

  noteRound(total: RoundTotal, dirtyPages: number, durationMs: number): RoundReport {
    const stage = this.#stage.name === 'under way' ? 'copy' : 'last';
    return this.#rounds.noteRound(total, stage, dirtyPages, durationMs);
  }

  noteScriptedCut(cut: ScriptedCut): void {
    this.#cuts.push(cut);
  }

  noteStopped(stopped: Stopped): void {
    this.#stage = { name: 'stopped', stopped };
  }

  /** The destination has said at once that it runs the guest; how it began there comes with RESUMED. */
  noteTakenOver(receivedAt: number): void {
    this.#takenOverAt ??= receivedAt;
  }

  /** Nothing where it is not known how the guest was stopped: there is no report then. */
  noteResumed(resumed: Resumed): void {
    if (this.#stage.name !== 'stopped') return;
    this.#clockSamples.noteResumed();
    const receivedAt = this.#takenOverAt ?? resumed.receivedAt;
    this.#stage = { name: 'resumed', stopped: this.#stage.stopped, resumed: { ...resumed, receivedAt } };
  }

  noteArrived(arrived: MessageOf<'ARRIVED'>): void {
    this.#arrived = arrived;
  }

  /** The hashes of all pages were sent, in so many bytes. */
  noteHashes(bytes: number): void {
    this.#hashBytes = bytes;
  }

  noteVerified(verified: MessageOf<'VERIFIED'>): void {
    this.#verified = verified;
  }

  noteAudit(audit: MessageOf<'AUDITED'>): void {
    this.#audit = audit;
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

  /**
   * All of it, of a guest that has gone; `samples`: the guest's throughput here, whole.
   * @throws MicrostunError MEASUREMENT when it is not known how it went.
   */
  measured(samples: Float64Array, bytes: CarriedBytes): Measured {
    if (this.#stage.name !== 'resumed')
      throw new MicrostunError(
        'MEASUREMENT',
        'the thread that handed the guest over has failed, and what it measured is lost',
      );
    const { stopped, resumed } = this.#stage;
    return {
      settings: this.#settings,
      plan: this.#plan,
      guest: this.#guest,
      beganAt: this.#beganAt,
      atBeginning: this.#atBeginning,
      installMs: this.installMs,
      rounds: this.#rounds.all,
      forecastStunMs: this.forecastStunMs,
      phases: this.#phases,
      clock: this.#clock(),
      stopped,
      resumed,
      arrived: this.#arrived,
      audit: this.#audit,
      verified: this.#verified,
      hashBytes: this.#hashBytes,
      samples,
      toldSamples: this.#told.all,
      cuts: this.#cuts,
      notice: this.notice.report,
      destination: this.destination,
      bytes,
    };
  }

  // At the instants of the stun; of a long stun the samples on either side are further away, and the error larger.
  #clock(): ClockOffset {
    const stage = this.#stage;
    const stopAt = stage.name === 'under way' ? 0 : stage.stopped.stopAt;
    return offsetWithin(
      this.#clockSamples.all,
      stopAt,
      stage.name === 'resumed' ? stage.resumed.receivedAt : stopAt,
    );
  }
}
