// The history of a run that is watched live: the guest and its migration, sampled from outside, at a bounded size.
// Pure; knows neither threads nor pages. Who looks late gets all of it, who looks on gets what is new.
import type { ChartBand, Tone } from '../charts.js';
import { toneOf } from '../sections/timeline.js';
import type { ProgressFacts } from '../../report/progress-lines.js';
import type { GuestSample } from '../../shared/guest/samples.js';
import type { RoundReport } from '../../report/document.js';
import { RemoteGuest } from './remote-guest.js';

/** More rows than this are thinned to half of them. */
export const ROWS_MAX = 1200;
/** Rounds beyond so many leave the history, the oldest first. */
export const ROUNDS_SHOWN = 48;
/** What the destination tells comes late: points younger than so many may still change. */
export const UNSETTLED_POINTS = 20;
/** More stretches than this are merged with their neighbours. */
export const STRETCHES_MAX = 160;

export interface LiveProgress extends ProgressFacts {
  readonly forecastStunMs: number | null;
}

/** A migration as it can be watched. */
export interface WatchedMigration {
  readonly snapshot: LiveProgress;
  readonly rounds: readonly RoundBar[];
  /** Each ends where the next begins. */
  readonly phases: readonly { readonly name: string; readonly fromUs: number }[];
  /** The guest at the destination, on this host's clock, since this was last asked; its pages count from its resume. */
  takeDestinationSamples(): readonly GuestSample[];
}

/** What lies between two samples, at the later one's instant. */
export interface LivePoint {
  readonly atMs: number;
  /** null once the guest runs elsewhere. */
  readonly pagesPerSecond: number | null;
  readonly longestStallUs: number | null;
  /** The same at the destination; null where nothing was told of it, or not yet. */
  readonly remotePagesPerSecond: number | null;
  readonly remoteStallUs: number | null;
  readonly bytesPerSecond: number;
}

export type RoundBar = Pick<RoundReport, 'round' | 'dirtyPages' | 'sentPages'>;

interface Row {
  readonly atMs: number;
  readonly pages: number;
  readonly sentBytes: number;
  readonly longestStallUs: number;
  readonly isHere: boolean;
  /** As of this instant at the destination, and the longest stall there since the row before. */
  readonly remotePages: number | null;
  readonly remoteStallUs: number | null;
}

/** From an instant to where the next one begins; without a tone nothing is shaded. */
interface Stretch {
  readonly label: string;
  readonly fromMs: number;
  readonly tone: Tone | undefined;
}

export class LiveHistory {
  readonly #beganAtUs: number;
  #rows: Row[] = [];
  readonly #remote = new RemoteGuest();
  #rounds: RoundBar[] = [];
  #roundsSeen = 0;
  #stretches: Stretch[] = [{ label: 'booting', fromMs: 0, tone: 'setup' }];
  #phasesSeen = 0;
  #copies = 0;
  #progress: LiveProgress | undefined;
  #migrationFromMs: number | undefined;
  #isBooted = false;
  #isAway = false;
  #longestStallUs = 0;
  #generation = 0;

  /** `beganAtUs`: where its time begins. */
  constructor(beganAtUs: number) {
    this.#beganAtUs = beganAtUs;
  }

  /** Another number when points that were given out count no more. */
  get generation(): number {
    return this.#generation;
  }

  /** The guest has begun to run. */
  get isBooted(): boolean {
    return this.#isBooted;
  }

  /** The guest runs at the destination. */
  get isAway(): boolean {
    return this.#isAway;
  }

  /** Where the migration stands; undefined before there is one. */
  get progress(): LiveProgress | undefined {
    return this.#progress;
  }

  /** How long the migration has run; undefined before there is one. */
  get migratingMs(): number | undefined {
    const from = this.#migrationFromMs;
    return from === undefined ? undefined : Math.max(0, this.#lastMs - from);
  }

  /** Of all samples. */
  get longestStallUs(): number {
    return this.#longestStallUs;
  }

  get pointCount(): number {
    return Math.max(0, this.#rows.length - 1);
  }

  /** Points before this index do not change any more. */
  get settledCount(): number {
    return this.#progress === undefined ? this.pointCount : Math.max(0, this.pointCount - UNSETTLED_POINTS);
  }

  /** The points from the one at `index` on. */
  pointsFrom(index: number): LivePoint[] {
    return this.#rows.slice(index + 1).map((row, at) => pointOf(this.#rows[index + at]!, row));
  }

  /** The last rounds, with the one that is under way. */
  get rounds(): readonly RoundBar[] {
    const { phase, round, roundPages, roundPagesSent } = this.#progress ?? NO_PROGRESS;
    const isUnderWay = (phase === 'copying' || phase === 'pushing') && round >= this.#roundsSeen;
    if (!isUnderWay) return this.#rounds;
    const sentPages = Math.min(roundPages, Math.max(0, roundPagesSent));
    return [...this.#rounds, { round, dirtyPages: roundPages, sentPages }];
  }

  get bands(): readonly ChartBand[] {
    return this.#stretches.flatMap(({ label, fromMs, tone }, at) => {
      const to = Math.max(fromMs, this.#stretches[at + 1]?.fromMs ?? this.#lastMs);
      return tone === undefined ? [] : [{ label, from: fromMs, to, tone }];
    });
  }

  note(sample: GuestSample, isRunning: boolean, migration: WatchedMigration | undefined): void {
    const atMs = this.#msOf(sample.atUs);
    if (isRunning && !this.#isBooted) {
      this.#isBooted = true;
      this.#stretches.push({ label: '', fromMs: atMs, tone: undefined });
    }
    this.#progress = migration?.snapshot;
    if (migration !== undefined) this.#noteMigration(migration);
    this.#longestStallUs = Math.max(this.#longestStallUs, sample.longestStallUs);
    const { phase, sentBytes } = this.#progress ?? NO_PROGRESS;
    // Where the guest was when the migration ended, there it is.
    if (phase !== 'ended') this.#isAway = phase === 'pushing' || phase === 'awaiting-audit';
    this.#rows.push({
      atMs,
      pages: sample.pages,
      longestStallUs: sample.longestStallUs,
      sentBytes,
      isHere: !this.#isAway,
      remotePages: null,
      remoteStallUs: null,
    });
    if (migration !== undefined) this.#noteRemote(migration.takeDestinationSamples());
    if (this.#rows.length > ROWS_MAX) this.#thinRows();
  }

  // What was told now may belong to rows of a while ago.
  #noteRemote(samples: readonly GuestSample[]): void {
    for (const sample of samples) {
      this.#remote.note({ ...sample, atMs: (sample.atUs - this.#beganAtUs) / 1000 });
      this.#longestStallUs = Math.max(this.#longestStallUs, sample.longestStallUs);
    }
    if (samples.length === 0) return;
    const settled = Math.max(1, this.#rows.length - UNSETTLED_POINTS);
    this.#rows = this.#rows.map((row, at) => {
      if (at < settled || row.remotePages !== null) return row;
      const remote = this.#remote.between(this.#rows[at - 1]!.atMs, row.atMs);
      return remote === undefined
        ? row
        : { ...row, remotePages: remote.pages, remoteStallUs: remote.longestStallUs };
    });
  }

  #noteMigration({ phases, rounds }: WatchedMigration): void {
    for (const { name, fromUs } of phases.slice(this.#phasesSeen)) {
      const fromMs = this.#msOf(fromUs);
      this.#migrationFromMs ??= fromMs;
      const tone = name === 'ended' ? undefined : toneOf(name);
      // Rounds stand side by side: every other one is a shade lighter.
      const isOdd = tone === 'copy' && this.#copies++ % 2 === 1;
      this.#stretches.push({ label: name, fromMs, tone: isOdd ? 'copy-odd' : tone });
    }
    this.#phasesSeen = phases.length;
    if (this.#stretches.length > STRETCHES_MAX) this.#mergeStretches();
    for (const { round, dirtyPages, sentPages } of rounds.slice(this.#roundsSeen))
      this.#rounds.push({ round, dirtyPages, sentPages });
    this.#roundsSeen = rounds.length;
    this.#rounds = this.#rounds.slice(-ROUNDS_SHOWN);
  }

  // Keeps every other row, with the longer stall of two: sums stay exact, and any length fits.
  #thinRows(): void {
    const rows = this.#rows;
    this.#rows = rows.flatMap((row, at) => {
      if (at % 2 === 1) return [];
      const before = rows[at - 1];
      const remoteStallUs = longer(row.remoteStallUs, before?.remoteStallUs ?? null);
      return [
        { ...row, longestStallUs: longer(row.longestStallUs, before?.longestStallUs ?? 0), remoteStallUs },
      ];
    });
    this.#generation++;
  }

  // A harvest joins its round; rounds that are still too many join each other. What is left out belongs to the one before.
  #mergeStretches(): void {
    const isCopy = ({ tone }: Stretch): boolean => tone === 'copy' || tone === 'copy-odd';
    const before = (all: readonly Stretch[], at: number): boolean => at > 0 && isCopy(all[at - 1]!);
    this.#stretches = this.#stretches.filter(({ tone }, at, all) => tone !== 'trace' || !before(all, at));
    if (this.#stretches.length <= STRETCHES_MAX / 2) return;
    this.#stretches = this.#stretches.filter(
      (one, at, all) => !isCopy(one) || !before(all, at) || at % 2 === 0,
    );
  }

  get #lastMs(): number {
    return this.#rows.at(-1)?.atMs ?? 0;
  }

  #msOf(us: number): number {
    return Math.round((us - this.#beganAtUs) / 100) / 10;
  }
}

const NO_PROGRESS: LiveProgress = {
  phase: '',
  round: 0,
  roundPages: 0,
  roundPagesSent: 0,
  sentBytes: 0,
  dirtyPages: 0,
  forecastStunMs: null,
};

function longer<Stall extends number | null>(one: Stall, other: Stall): Stall {
  return one !== null && (other === null || one >= other) ? one : other;
}

function pointOf(before: Row, row: Row): LivePoint {
  const seconds = (row.atMs - before.atMs) / 1000;
  const rate = (from: number, to: number): number => (seconds > 0 ? Math.max(0, to - from) / seconds : 0);
  return {
    atMs: row.atMs,
    pagesPerSecond: row.isHere ? Math.round(rate(before.pages, row.pages)) : null,
    longestStallUs: row.isHere ? Math.round(row.longestStallUs * 10) / 10 : null,
    remotePagesPerSecond:
      row.remotePages === null || before.remotePages === null
        ? null
        : Math.round(rate(before.remotePages, row.remotePages)),
    remoteStallUs: row.remoteStallUs === null ? null : Math.round(row.remoteStallUs * 10) / 10,
    bytesPerSecond: Math.round(rate(before.sentBytes, row.sentBytes)),
  };
}
