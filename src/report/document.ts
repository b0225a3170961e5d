// What a migration measured: the one document that `--json` prints and everything else is drawn from.
// Types and sums only; how it is shown is text-report.ts.
import type { GuestTimeline } from '../shared/guest/samples.js';
import type { BitmapFormat } from '../shared/memory/compacted-bitmap.js';

/** Bumped when a field changes its meaning or goes, or one comes that a reader needs. */
export const REPORT_VERSION = 3;

/** What was expected when a round began, of the whole migration: compared with what came of it by forecast-error.ts. */
export interface RoundForecast {
  /** Rounds in all, this one and those before it included, without the last pages of a pre-copy. */
  readonly rounds: number;
  /** From the start of the migration until the guest runs at the destination. */
  readonly totalMs: number;
  readonly stunMs: number;
}

export interface RoundReport {
  readonly round: number;
  /** `copy`: while the guest ran at the source. `last`: what was left then, within the stun or after it. */
  readonly stage: 'copy' | 'last';
  /** Pages that the round had to bring. */
  readonly dirtyPages: number;
  /** Pages sent with their bytes, and pages sent as a zero bit: together the dirty ones. */
  readonly sentPages: number;
  readonly zeroPages: number;
  readonly sentBytes: number;
  readonly durationMs: number;
  /** null where nothing was known yet, and for the pages that follow the last round. */
  readonly forecast: RoundForecast | null;
  /** Share of its time that each vCPU was made to sleep while the round was copied; 0 where it was not throttled. */
  readonly throttledShare: number;
}

/** Parts of the stun in the order in which they pass; they add up to `stunMs`. */
export interface StunParts {
  /** From the request until no vCPU is in a slice. */
  readonly parkMs: number;
  /** The last harvest. */
  readonly harvestMs: number;
  /** Encoding the bitmap. */
  readonly compactionMs: number;
  /** Taking the checkpoint and handing the message to the socket. */
  readonly sendMs: number;
  /** On the wire, the message and its answer. */
  readonly networkMs: number;
  /** Decoding and checking the message. */
  readonly validationMs: number;
  /** Pre-copy: waiting for the remaining pages. Else: marking absent pages. */
  readonly placementMs: number;
  /** Until every vCPU has run its first slice and the answer is sent. */
  readonly resumeMs: number;
}

export interface StunReport {
  /** On the source's clock alone, from the stop request to the destination's answer: an upper bound. */
  readonly stunMs: number;
  /** The guest's own view: the longest time that a vCPU stood still, source to destination. */
  readonly guestGapMs: number;
  /** How far off the two hosts' clocks may be to each other: the error bound of `guestGapMs`. */
  readonly clockErrorMs: number;
  readonly parts: StunParts;
}

/** Bytes by what they were for, both directions; `total` is their sum and equals `sockets`. */
export interface ByteLedger {
  readonly firstCopy: number;
  readonly resend: number;
  /** Heads of windows: which pages follow, and which are zero. */
  readonly windowHeads: number;
  readonly bitmap: number;
  readonly checkpoint: number;
  readonly faults: number;
  readonly control: number;
  readonly total: number;
  /** What the operating system's sockets counted. */
  readonly sockets: number;
}

/** What happened between the resume and the arrival of the last page. */
export interface PostcopyReport {
  readonly remotePageFaults: number;
  /** Pages that a fault brought, and pages that the push brought: together those that were lacking. */
  readonly fetchedPages: number;
  readonly pushedPages: number;
  readonly durationMs: number;
  /** How long a vCPU waited for a page; quantiles to half an octave. */
  readonly faultLatencyUs: { readonly p50: number; readonly p99: number; readonly max: number };
  readonly histogram: readonly HistogramBucket[];
}

/** The guest on both hosts and the phases of its migration, on one clock: ms since the migration began. */
export interface TimelineReport {
  readonly phases: readonly { readonly name: string; readonly fromMs: number; readonly toMs: number }[];
  /** Begins before the migration does, at negative instants. */
  readonly source: GuestTimeline;
  /**
   * Shifted by the measured clock offset. It travels with the audit; without one it is what the destination told on the
   * way, less fine, until the source was done.
   */
  readonly destination: GuestTimeline;
}

/** A bucket of a histogram: counts what is below its bound and not below the one before. */
export interface HistogramBucket {
  readonly belowUs: number;
  readonly count: number;
}

/** How long vCPUs stood between two slices, all of them together; sleep and the stun aside. */
export interface GapHistogram {
  readonly count: number;
  readonly p50Us: number;
  readonly p99Us: number;
  readonly p999Us: number;
  readonly maxUs: number;
  /** Half octaves, to be drawn. */
  readonly buckets: readonly HistogramBucket[];
  /** All of it in HdrHistogram's compressed V2 form, base64, in nanoseconds: any HdrHistogram tool reads it. */
  readonly hdr: string;
}

/** Gaps before the migration, until the stun, and after it at the destination; null where nothing was counted. */
export interface GapsReport {
  readonly before: GapHistogram | null;
  readonly during: GapHistogram | null;
  /** null without an audit: it travels with it. */
  readonly after: GapHistogram | null;
}

/** What the rounds cost the guest. */
export interface GuestCostReport {
  /** Mean throughput in the last second before the migration; null where it did not run that long. */
  readonly beforePagesPerSecond: number | null;
  /** Mean throughput from the installation of traces to the stop; null in a post-copy. */
  readonly duringPagesPerSecond: number | null;
  /** Share of the throughput that was lost; negative where there was more of it. */
  readonly lostShare: number | null;
  /**
   * How far `lostShare` may be off, by how much the samples of either stretch differ among themselves: a loss within it is
   * none that was measured. null where there were too few to tell.
   */
  readonly lostShareError: number | null;
  /** The longest that any vCPU stood between two slices, or waited for a page: until the stun, and after it. */
  readonly longestStallBeforeStunMs: number;
  readonly longestStallAfterStunMs: number | null;
}

/** What the time went to. The first three add up to `totalMs`. */
export interface TimesReport {
  /** Connecting, what the destination prepares, comparing the clocks. */
  readonly preparationMs: number;
  /** Installing traces, rounds and harvests, while the guest runs. */
  readonly copyingMs: number;
  /** From the decision to stop the guest until it was known to run at the destination. */
  readonly switchOverMs: number;
  /** After that, until every page had arrived; null when none followed. */
  readonly pushMs: number | null;
}

/** An emulated network, if the connections went through one. */
export interface LinkReport {
  readonly emulated: true;
  /** Added to each round trip, half of it each way. */
  readonly delayMs: number;
  /** All connections were cut at these instants, and could not be made again for so long. */
  readonly cuts: readonly { readonly atMs: number; readonly forMs: number }[];
}

/** What was asked for, besides what has a field of its own. null: no limit. */
export interface SettingsReport {
  readonly bandwidthBytesPerSecond: number | null;
  readonly faultBandwidthBytesPerSecond: number | null;
  readonly stunBudgetMs: number;
  readonly roundsMax: number;
  readonly timeLimitMs: number;
  readonly onTimeout: string;
}

export interface AuditReport {
  readonly passed: boolean;
  readonly checked: number;
  readonly failed: number;
  readonly findings: readonly string[];
}

/** One side of a migration. */
export interface ReportedProcess {
  readonly pid: number;
  /** Its host's name. */
  readonly host: string;
}

/** One migration, as the source saw it. */
export interface MigrationReport {
  readonly version: typeof REPORT_VERSION;
  readonly outcome: 'completed';
  readonly mode: string;
  readonly guest: {
    readonly program: string;
    readonly memoryBytes: number;
    readonly pageBytes: number;
    readonly vcpus: number;
    readonly seed: number;
    /** Pages a second, or "max". */
    readonly writeRate: number | 'max';
  };
  readonly connections: number;
  readonly settings: SettingsReport;
  /** null: the real network. */
  readonly link: LinkReport | null;
  readonly switchOverReason: string;
  readonly rounds: readonly RoundReport[];
  /** The stun that was forecast when the switch-over was decided, of the way that was taken: see `postcopy`. */
  readonly forecastStunMs: number | null;
  readonly stun: StunReport;
  readonly trace: {
    readonly mode: string;
    readonly installMs: number;
    /** Longest time between two slices of any vCPU that was neither asked-for sleep nor the stun. */
    readonly longestVcpuPauseMs: number;
    readonly pageFires: number;
    /** all-vcpus: how long the vCPUs stood still for trace work, all of them together, and the longest of one. */
    readonly stoppedMs: number;
    readonly longestStopMs: number;
    /** Sleep that the throttle imposed, all vCPUs together. */
    readonly throttledMs: number;
  };
  readonly bitmap: {
    readonly format: BitmapFormat;
    readonly rawBytes: number;
    readonly sentBytes: number;
    /** Dirty pages in each 2 MiB region, as the bitmap had them at the switch-over. */
    readonly dirtyPerRegion: readonly number[];
  };
  readonly timeline: TimelineReport;
  readonly bytes: ByteLedger;
  /** null in a pre-copy. */
  readonly postcopy: PostcopyReport | null;
  /** How often a connection was cut and made again. */
  readonly cuts: number;
  /** From the start of the migration until the source knew that the guest runs at the destination. */
  readonly totalMs: number;
  readonly times: TimesReport;
  readonly gaps: GapsReport;
  readonly guestCost: GuestCostReport;
  /** null when no audit was asked for. */
  readonly audit: AuditReport | null;
  readonly source: ReportedProcess;
  readonly destination: ReportedProcess;
}

/** What is printed instead of a report when a migration failed. */
export interface FailureReport {
  readonly version: typeof REPORT_VERSION;
  readonly outcome: 'failed';
  readonly phase: string;
  readonly error: { readonly code: string; readonly message: string };
  /** Who owns the guest now. */
  readonly owner: string;
  readonly safeNext: string;
  readonly source: ReportedProcess;
}

/** The ledger with its total; `sockets` is counted elsewhere. */
export function addUp(rows: Omit<ByteLedger, 'total'>): ByteLedger {
  const { sockets, ...kinds } = rows;
  return { ...kinds, total: Object.values(kinds).reduce((sum, bytes) => sum + bytes, 0), sockets };
}

/** A report as indented JSON in which a list of numbers stays on one line. */
export function reportText(report: object): string {
  const text: string[] = [];
  // The lines of a list of which all items so far are numbers, its head first. Lists may have millions of them, which
  // is too much for one regular expression. Line breaks are never within a JSON string.
  let open: string[] = [];
  for (const line of JSON.stringify(report, undefined, 2).split('\n')) {
    const item = line.trimStart();
    if (open.length > 1 && item.startsWith(']')) {
      text.push([open[0], ...open.slice(1).map((one) => one.trimStart()), item].join(' '));
      open = [];
    } else if (open.length > 0 && /^(?:[-\d.e+]+|null),?$/.test(item)) {
      open.push(line);
    } else {
      if (open.length > 0) text.push(open.join('\n'));
      open = [];
      if (line.endsWith('[')) open.push(line);
      else text.push(line);
    }
  }
  return text.join('\n');
}

/** Whether the guest stood still for longer than was asked for. */
export function isOverBudget({ stun, settings }: Pick<MigrationReport, 'stun' | 'settings'>): boolean {
  return stun.stunMs > settings.stunBudgetMs;
}
