// Settings compared: the same guest, seed and link migrated several times by each, in turn, and what each cost.
// Pure: what became of the runs in, medians and quartiles out. How it is shown is text.ts and html/.
import type { z } from 'zod';
import type { Frozen } from '../schema-parts.js';
import type { comparisonDocument } from './comparison-schema.js';
import { quantileOf } from '../../shared/quantile.js';
import { flagshipSettings } from './flagship.js';
import { metrics } from './metrics.js';
import { isOverBudget, type MigrationReport } from '../document.js';

/** Bumped when a field changes its meaning or goes, or one comes that a reader needs. */
export const COMPARISON_VERSION = 3;

/** One way to migrate, by the flags that make it. */
export interface Setting {
  /** Short: the head of a column. */
  readonly name: string;
  /** What it is, in words; empty where the flags say it all. */
  readonly summary: string;
  readonly flags: readonly string[];
}

/** Before vSphere 7, after it, each change alone, and what lies beyond. */
export const standardSettings: readonly Setting[] = [
  setting('before 7', 'the logic before vSphere 7', 'pre-copy', 'all-vcpus', 'raw'),
  setting('bitmap alone', 'that, with a compacted bitmap', 'pre-copy', 'all-vcpus', 'compacted'),
  setting('tracer alone', 'that, with a dedicated tracer', 'pre-copy', 'dedicated', 'raw'),
  setting('vSphere 7', 'the logic of vSphere 7: both', 'pre-copy', 'dedicated', 'compacted'),
  setting('hybrid', 'the bitmap ahead of the stun, pages after it', 'hybrid', 'dedicated', 'ahead'),
];

function setting(name: string, summary: string, mode: string, trace: string, bitmap: string): Setting {
  return { name, summary, flags: ['--mode', mode, '--trace', trace, '--bitmap', bitmap] };
}

/**
 * The settings of one run in the order in which they take their turn: run k begins with setting k mod n, and every other
 * run goes backwards, so that no setting always has the same one before it.
 */
export function turnsOf(settings: number, run: number): number[] {
  const step = run % 2 === 0 ? 1 : -1;
  return Array.from({ length: settings }, (_, turn) => {
    const at = (run + step * turn) % settings;
    return at < 0 ? at + settings : at;
  });
}

/** A run that brought no report that counts. */
export type RunFailure = ComparedSetting['failures'][number];

export type RunOutcome =
  | { readonly kind: 'completed'; readonly report: MigrationReport }
  | { readonly kind: 'failed'; readonly failure: RunFailure };

export interface Spread {
  readonly median: number | null;
  readonly lowerQuartile: number | null;
  readonly upperQuartile: number | null;
}

export type ComparedSetting = Comparison['settings'][number];

export type ComparisonCell = ComparisonRow['cells'][number];

export type ComparisonRow = Comparison['rows'][number];

export type ComparisonSubject = Comparison['subject'];

/** Its fields are comparison-schema.ts's. */
export type Comparison = Frozen<z.infer<typeof comparisonDocument>>;

/** Quartiles of the values that there are. */
export function spreadOf(values: readonly (number | null)[]): Spread {
  const present = values.filter((value) => value !== null);
  const at = (share: number): number | null => quantileOf(present, share);
  return { median: at(0.5), lowerQuartile: at(0.25), upperQuartile: at(0.75) };
}

/** `outcomes` has a list for each setting with a place for each run; undefined where one has not taken place. */
export function compareRuns(
  settings: readonly Setting[],
  runs: number,
  outcomes: readonly (readonly (RunOutcome | undefined)[])[],
): Comparison {
  const places = settings.map((_, at) => Array.from({ length: runs }, (__, run) => outcomes[at]?.[run]));
  const reports = places.map((ofSetting) =>
    ofSetting.map((outcome) => (outcome?.kind === 'completed' ? outcome.report : undefined)),
  );
  return {
    version: COMPARISON_VERSION,
    kind: 'comparison',
    runs,
    isFlagship: settings === flagshipSettings,
    isComplete: places.flat().every((outcome) => outcome !== undefined),
    subject: subjectOf(reports.flat().filter((report) => report !== undefined)),
    settings: settings.map((one, at) => ({ ...one, ...countsOf(places[at]!) })),
    rows: metrics.map(({ of, id, name, unit, isPart }): ComparisonRow => {
      const values = reports.map((ofSetting) =>
        ofSetting.map((report) => (report === undefined ? null : finite(of(report)))),
      );
      const spreads = values.map(spreadOf);
      const first = spreads[0]?.median ?? null;
      return {
        id,
        name,
        unit,
        isPart,
        cells: spreads.map((spread, at) => ({
          ...spread,
          ratio: ratioOf(spread.median, first),
          values: values[at]!,
        })),
      };
    }),
  };
}

function countsOf(
  outcomes: readonly (RunOutcome | undefined)[],
): Pick<ComparedSetting, 'completed' | 'overBudget' | 'failures' | 'audits'> {
  const failures = outcomes.flatMap((outcome) => (outcome?.kind === 'failed' ? [outcome.failure] : []));
  const audits = outcomes.flatMap((outcome) => (outcome?.kind === 'completed' ? [outcome.report.audit] : []));
  const passed = audits.filter((audit) => audit?.passed === true).length;
  const notAsked = audits.filter((audit) => audit === null).length;
  return {
    completed: audits.length,
    overBudget: outcomes.filter((outcome) => outcome?.kind === 'completed' && isOverBudget(outcome.report))
      .length,
    failures,
    audits: {
      passed,
      notAsked,
      failed:
        audits.length - passed - notAsked + failures.filter(({ code }) => code === 'AUDIT_FAILED').length,
    },
  };
}

function subjectOf(reports: readonly MigrationReport[]): ComparisonSubject {
  const shared = <Value>(of: (report: MigrationReport) => Value): Value | null => {
    const [first, ...others] = reports.map(of);
    return first !== undefined && others.every((value) => value === first) ? first : null;
  };
  return {
    program: shared(({ guest }) => guest.program),
    memoryBytes: shared(({ guest }) => guest.memoryBytes),
    residentBytes: shared(({ guest }) => guest.residentBytes),
    vcpus: shared(({ guest }) => guest.vcpus),
    seed: shared(({ guest }) => guest.seed),
    writeRate: shared(({ guest }) => guest.writeRate),
    connections: shared(({ connections }) => connections),
    bandwidthBytesPerSecond: shared(({ settings }) => settings.bandwidthBytesPerSecond ?? 'unlimited'),
    delayMs: shared(({ link }) => link?.delayMs ?? 0),
  };
}

/** JSON has no NaN and no infinity; what is neither here nor there is missing. */
function finite(value: number | null): number | null {
  return value !== null && Number.isFinite(value) ? value : null;
}

function ratioOf(median: number | null, first: number | null): number | null {
  return median === null || first === null || first <= 0 || median < 0 ? null : finite(median / first);
}
