// A report that was saved as JSON, read back: checked field by field, because the file may be anything.
// Knows what a report is; which file it came from is the caller's.
import { MicrostunError } from '../errors.js';
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
} from './report.js';

/** Throws Mismatch unless `value`, found at `place` in the document, is what it should be. */
type Check = (value: unknown, place: string) => void;

/** A check for every field of T, so that a field added to the report and not here does not compile. */
type FieldChecks<T> = { readonly [Name in keyof T]-?: Check };

class Mismatch extends Error {}

/**
 * The report in `text`; unknown fields are kept.
 * @throws MicrostunError USAGE when it is none that this version of microstun can read; `name` says in whose name.
 */
export function readReport(text: string, name: string): MigrationReport {
  const document = parse(text, name);
  checkKind(document, name);
  try {
    report(document, '');
  } catch (error) {
    if (!(error instanceof Mismatch)) throw error;
    throw new MicrostunError('USAGE', `${name} is a damaged microstun report: ${error.message}`, {
      cause: error,
    });
  }
  return document as unknown as MigrationReport;
}

function parse(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new MicrostunError(
      'USAGE',
      `${name} is no JSON; give it what \`microstun demo --json\` printed, all of it`,
      { cause: error },
    );
  }
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

const number: Check = (value, place) => {
  if (typeof value !== 'number' || !Number.isFinite(value)) throw mismatch('a number', value, place);
};

const count: Check = (value, place) => {
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0)
    throw mismatch('a whole number', value, place);
};

const text: Check = (value, place) => {
  if (typeof value !== 'string') throw mismatch('a text', value, place);
};

const truth: Check = (value, place) => {
  if (typeof value !== 'boolean') throw mismatch('true or false', value, place);
};

const writeRate: Check = (value, place) => {
  if (value !== 'max') number(value, place);
};

function exactly(...allowed: readonly (string | number | boolean)[]): Check {
  return (value, place) => {
    if (!allowed.includes(value as string | number | boolean))
      throw mismatch(allowed.map(describe).join(' or '), value, place);
  };
}

function nullable(check: Check): Check {
  return (value, place) => {
    if (value !== null) check(value, place);
  };
}

function list(check: Check): Check {
  return (value, place) => {
    if (!Array.isArray(value)) throw mismatch('a list', value, place);
    for (const [at, item] of value.entries()) check(item, `${place}[${at}]`);
  };
}

function fields<T>(checks: FieldChecks<T>): Check {
  return (value, place) => {
    if (!isRecord(value)) throw mismatch('an object', value, place);
    for (const [name, check] of Object.entries<Check>(checks)) {
      check(Object.hasOwn(value, name) ? value[name] : undefined, place === '' ? name : `${place}.${name}`);
    }
  };
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function mismatch(wanted: string, value: unknown, place: string): Mismatch {
  return new Mismatch(
    value === undefined ? `${place} is missing` : `${place} should be ${wanted}, it is ${describe(value)}`,
  );
}

const DESCRIBED_MAX = 40;

function describe(value: unknown): string {
  if (value === undefined) return 'missing';
  if (Array.isArray(value)) return 'a list';
  if (isRecord(value)) return 'an object';
  const json = JSON.stringify(value);
  return json.length > DESCRIBED_MAX ? `${json.slice(0, DESCRIBED_MAX)}…` : json;
}

const histogram = list(fields<HistogramBucket>({ belowUs: number, count }));
const process = fields<MigrationReport['source']>({ pid: count });
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
  gaps: fields<MigrationReport['gaps']>({ before: gapHistogram, during: gapHistogram, after: gapHistogram }),
  guestCost: fields<GuestCostReport>({
    beforePagesPerSecond: nullable(number),
    duringPagesPerSecond: nullable(number),
    lostShare: nullable(number),
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
