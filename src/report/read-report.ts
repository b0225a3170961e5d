// A report that was saved as JSON, read back: checked field by field, because the file may be anything.
// Knows what a report is; which file it came from is the caller's.
import { MicrostunError } from '../shared/errors.js';
import {
  checkDocument,
  count,
  describe,
  exactly,
  fields,
  isRecord,
  list,
  nullable,
  number,
  parseSaved,
  text,
  truth,
  type Check,
} from './checks.js';
import {
  REPORT_VERSION,
  type GapHistogram,
  type GuestCostReport,
  type HistogramBucket,
  type LinkReport,
  type MigrationReport,
  type RoundForecast,
  type SettingsReport,
  type TimelineReport,
  type TimesReport,
} from './document.js';

/**
 * The report in `text`; unknown fields are kept.
 * @throws MicrostunError USAGE when it is none that this version of microstun can read; `name` says in whose name.
 */
export function readReport(text: string, name: string): MigrationReport {
  return readReportDocument(parseSaved(text, name), name);
}

/** The same of a document that has been parsed. */
export function readReportDocument(document: unknown, name: string): MigrationReport {
  checkKind(document, name);
  checkDocument(document, report, `${name} is a damaged microstun report`);
  return document as unknown as MigrationReport;
}

/** Tells what people mix up with a report, or bring from another version, from a damaged one. */
function checkKind(document: unknown, name: string): asserts document is Record<string, unknown> {
  if (!isRecord(document) || !('version' in document) || !('outcome' in document)) {
    throw new MicrostunError(
      'USAGE',
      `${name} is no microstun report; give it what \`microstun demo --json\` or \`microstun source --json\` printed`,
    );
  }
  if (document['version'] !== REPORT_VERSION) {
    throw new MicrostunError(
      'USAGE',
      `${name} is a report of version ${describe(document['version'])}; this microstun reads version ${REPORT_VERSION}`,
    );
  }
  if (document['outcome'] === 'failed') {
    throw new MicrostunError(
      'USAGE',
      `${name} is the report of a migration that failed; only one that completed can be drawn`,
    );
  }
}

const writeRate: Check = (value, place) => {
  if (value !== 'max') number(value, place);
};

const histogram = list(fields<HistogramBucket>({ belowUs: number, count }));
const process = fields<MigrationReport['source']>({ pid: count, host: text });
const guestTimeline = fields<TimelineReport['source']>({
  atMs: list(number),
  pagesPerSecond: list(list(number)),
  longestStallMs: list(list(number)),
});
const gapHistogram = nullable(
  fields<GapHistogram>({
    count,
    p50Us: number,
    p99Us: number,
    p999Us: number,
    maxUs: number,
    buckets: histogram,
    hdr: text,
  }),
);

const report = fields<MigrationReport>({
  version: exactly(REPORT_VERSION),
  outcome: exactly('completed'),
  mode: text,
  guest: fields<MigrationReport['guest']>({
    program: text,
    memoryBytes: count,
    pageBytes: count,
    vcpus: count,
    seed: count,
    writeRate,
  }),
  connections: count,
  settings: fields<SettingsReport>({
    bandwidthBytesPerSecond: nullable(number),
    faultBandwidthBytesPerSecond: nullable(number),
    stunBudgetMs: number,
    roundsMax: count,
    timeLimitMs: number,
    onTimeout: text,
  }),
  link: nullable(
    fields<LinkReport>({
      emulated: exactly(true),
      delayMs: number,
      cuts: list(fields<LinkReport['cuts'][number]>({ atMs: number, forMs: number })),
    }),
  ),
  switchOverReason: text,
  rounds: list(
    fields<MigrationReport['rounds'][number]>({
      round: count,
      stage: exactly('copy', 'last'),
      dirtyPages: count,
      sentPages: count,
      zeroPages: count,
      sentBytes: count,
      durationMs: number,
      forecast: nullable(fields<RoundForecast>({ rounds: count, totalMs: number, stunMs: number })),
      throttledShare: number,
    }),
  ),
  forecastStunMs: nullable(number),
  stun: fields<MigrationReport['stun']>({
    stunMs: number,
    guestGapMs: number,
    clockErrorMs: number,
    parts: fields<MigrationReport['stun']['parts']>({
      parkMs: number,
      harvestMs: number,
      compactionMs: number,
      sendMs: number,
      networkMs: number,
      validationMs: number,
      placementMs: number,
      resumeMs: number,
    }),
  }),
  trace: fields<MigrationReport['trace']>({
    mode: text,
    installMs: number,
    longestVcpuPauseMs: number,
    pageFires: count,
    stoppedMs: number,
    longestStopMs: number,
    throttledMs: number,
  }),
  bitmap: fields<MigrationReport['bitmap']>({
    format: exactly('compacted', 'raw'),
    rawBytes: count,
    sentBytes: count,
    dirtyPerRegion: list(count),
  }),
  timeline: fields<TimelineReport>({
    phases: list(fields<TimelineReport['phases'][number]>({ name: text, fromMs: number, toMs: number })),
    source: guestTimeline,
    destination: guestTimeline,
  }),
  bytes: fields<MigrationReport['bytes']>({
    firstCopy: count,
    resend: count,
    windowHeads: count,
    bitmap: count,
    checkpoint: count,
    faults: count,
    control: count,
    total: count,
    sockets: count,
  }),
  postcopy: nullable(
    fields<NonNullable<MigrationReport['postcopy']>>({
      remotePageFaults: count,
      fetchedPages: count,
      pushedPages: count,
      durationMs: number,
      faultLatencyUs: fields<{ p50: number; p99: number; max: number }>({
        p50: number,
        p99: number,
        max: number,
      }),
      histogram,
    }),
  ),
  cuts: count,
  totalMs: number,
  times: fields<TimesReport>({
    preparationMs: number,
    copyingMs: number,
    switchOverMs: number,
    pushMs: nullable(number),
  }),
  gaps: fields<MigrationReport['gaps']>({ before: gapHistogram, during: gapHistogram, after: gapHistogram }),
  guestCost: fields<GuestCostReport>({
    beforePagesPerSecond: nullable(number),
    duringPagesPerSecond: nullable(number),
    lostShare: nullable(number),
    lostShareError: nullable(number),
    longestStallBeforeStunMs: number,
    longestStallAfterStunMs: nullable(number),
  }),
  audit: nullable(
    fields<NonNullable<MigrationReport['audit']>>({
      passed: truth,
      checked: count,
      failed: count,
      findings: list(text),
    }),
  ),
  source: process,
  destination: process,
});
