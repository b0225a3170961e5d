// What a migration measured: the one document that `--json` prints and everything else is drawn from.
// Types and sums only; what its fields are is report-schema.ts's, how it is shown text-report.ts's.
import type { z } from 'zod';
import type { failureReport, migrationReport } from './report-schema.js';
import type { Frozen } from './schema-parts.js';

/** Bumped when a field changes its meaning or goes, or one comes that a reader needs. */
export const REPORT_VERSION = 7;

/**
 * One migration, as the source saw it; its fields are report-schema.ts's, and told in docs/report.md.
 * @hidden
 */
export interface MigrationReport extends Frozen<z.infer<typeof migrationReport>> {}

/** What is printed instead of a report when a migration failed. */
export type FailureReport = Frozen<z.infer<typeof failureReport>>;

type Round = MigrationReport['rounds'][number];
/**
 * One of its rounds.
 * @hidden
 */
export interface RoundReport extends Round {}
/** What was expected when a round began: compared with what came of it by forecast-error.ts. */
export type RoundForecast = NonNullable<RoundReport['forecast']>;
export type StunReport = MigrationReport['stun'];
export type StunParts = StunReport['parts'];
export type RecoveryReport = MigrationReport['recovery'];
/** Bytes by what they were for; `total` is their sum and equals `sockets`, and with `encryption` it is `wire`. */
export type ByteLedger = MigrationReport['bytes'];
export type PostcopyReport = NonNullable<MigrationReport['postcopy']>;
export type HistogramBucket = PostcopyReport['histogram'][number];
export type TimelineReport = MigrationReport['timeline'];
export type GapsReport = MigrationReport['gaps'];
export type GapHistogram = NonNullable<GapsReport['before']>;
export type GuestCostReport = MigrationReport['guestCost'];
export type NoticeReport = NonNullable<MigrationReport['notice']>;
export type TimesReport = MigrationReport['times'];
export type SettingsReport = MigrationReport['settings'];
export type AuditReport = NonNullable<MigrationReport['audit']>;
export type ReportedProcess = MigrationReport['source'];

/**
 * The ledger with its sums; `sockets` and `wire` are counted elsewhere. With a connection that was cut `sockets` may count
 * what never became a record.
 */
export function addUp(rows: Omit<ByteLedger, 'total' | 'encryption'>): ByteLedger {
  const { sockets, wire, ...kinds } = rows;
  const total = Object.values(kinds).reduce((sum, bytes) => sum + bytes, 0);
  return { ...kinds, total, sockets, encryption: Math.max(0, wire - sockets), wire };
}

/** Pairs stand side by side up to here. */
const LINE_MAX = 110;

/** A line of whole lists of numbers, after which another comes. */
const areLists = /^ *\[ [^[]* \],(?: \[ [^[]* \],)*$/;

/** A report as indented JSON in which a list of numbers stays on one line, and short ones share one. */
export function reportText(report: object): string {
  const text: string[] = [];
  // The lines of a list of which all items so far are numbers, its head first. Lists may have millions of them, which
  // is too much for one regular expression. Line breaks are never within a JSON string.
  let open: string[] = [];
  for (const line of JSON.stringify(report, undefined, 2).split('\n')) {
    const item = line.trimStart();
    if (open.length > 1 && item.startsWith(']')) {
      const list = [open[0], ...open.slice(1).map((one) => one.trimStart()), item].join(' ');
      const beside = `${text.at(-1)} ${list.trimStart()}`;
      if (open[0]!.trimStart() === '[' && beside.length <= LINE_MAX && areLists.test(text.at(-1)!))
        text[text.length - 1] = beside;
      else text.push(list);
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

/** Whether the guest stood still for longer than was asked for, by either of the two views of it. */
export function isOverBudget({ stun, settings }: Pick<MigrationReport, 'stun' | 'settings'>): boolean {
  return Math.max(stun.guestGapMs, stun.stunMs) > settings.stunBudgetMs;
}
