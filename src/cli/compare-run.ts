// Compares settings: runs whole migrations in turn, keeps what is done whatever happens, and shows what came of it.
// Knows turns, failures and files; what a comparison is, is report/'s, how a run is started compare-child.ts's.
import { fileURLToPath } from 'node:url';
import { asMicrostunError, MicrostunError } from '../shared/errors.js';
import { comparisonCsv } from '../report/comparison/csv.js';
import { renderFlagship } from '../report/comparison/flagship-text.js';
import { renderComparison } from '../report/comparison/text.js';
import {
  compareRuns,
  turnsOf,
  type Comparison,
  type RunFailure,
  type RunOutcome,
  type Setting,
} from '../report/comparison/comparison.js';
import { renderComparisonPage } from '../html/comparison-page.js';
import { RemainingTime, renderBand } from '../report/comparison/remaining-time.js';
import { reportText, type FailureReport, type MigrationReport } from '../report/document.js';
import { formatMs } from '../shared/units.js';
import { refuseWithoutProcesses } from '../shared/permission.js';
import { runChild, type ChildEnd } from './compare-child.js';
import { runFlagsOf, runMsMax, settingsOf } from './compare-flags.js';
import { exitStatusOf } from './exit-status.js';
import { complain, standardOutput } from './output.js';
import { Progress } from './progress.js';
import { writePage } from './report-run.js';
import { onInterrupt } from './source-run.js';
import { writeWhole } from './whole-file.js';

export interface CompareArguments {
  readonly runs: number;
  /** Two settings of the user's own instead of the standard ones: flags as one text each. */
  readonly a: string | undefined;
  readonly b: string | undefined;
  /** The five logics on a guest of 24 TiB. */
  readonly flagship: boolean;
  /** File that the comparison and all reports go to, as they come. */
  readonly out: string | undefined;
  /** File that the figures go to as CSV, one row a run, as they come. */
  readonly csv: string | undefined;
  /** File that the HTML page goes to. */
  readonly report: string | undefined;
  readonly json: boolean;
}

/** A setting with all that its runs need. */
interface PlannedSetting extends Setting {
  readonly allFlags: readonly string[];
  readonly msMax: number;
}

const REDRAW_MS = 500;

/** Answers the exit status. `shared` are the flags that every run gets. */
export async function runCompare(shared: readonly string[], args: CompareArguments): Promise<number> {
  refuseWithoutProcesses('each migration of a comparison');
  const settings = settingsOf(args.a, args.b, args.flagship);
  const interrupted = new AbortController();
  const turns = new Turns(
    settings.map((setting): PlannedSetting => {
      const allFlags = runFlagsOf(shared, setting);
      return { ...setting, allFlags, msMax: runMsMax(allFlags, setting.name) };
    }),
    settings,
    args,
    interrupted.signal,
  );
  const unlisten = onInterrupt((signal) => {
    interrupted.abort(new MicrostunError('CANCELLED', `cancelled by ${signal}`));
    return 'end';
  });
  try {
    await turns.run();
  } finally {
    unlisten();
  }
  return conclude(turns, args, interrupted.signal.aborted);
}

class Turns {
  readonly #progress = new Progress();
  readonly #planned: readonly PlannedSetting[];
  readonly #settings: readonly Setting[];
  readonly #args: CompareArguments;
  readonly #signal: AbortSignal;
  readonly #remaining: RemainingTime;
  readonly #outcomes: RunOutcome[][];
  /** In the order in which they came. */
  readonly failures: RunFailure[] = [];
  /** Why the file of `--out` could not be written, the last time. */
  saveError: MicrostunError | undefined;

  constructor(
    planned: readonly PlannedSetting[],
    settings: readonly Setting[],
    args: CompareArguments,
    signal: AbortSignal,
  ) {
    this.#planned = planned;
    this.#settings = settings;
    this.#args = args;
    this.#signal = signal;
    this.#remaining = new RemainingTime(planned.length, args.runs);
    this.#outcomes = planned.map(() => []);
  }

  get comparison(): Comparison {
    return compareRuns(this.#settings, this.#args.runs, this.#outcomes);
  }

  async run(): Promise<void> {
    const total = this.#planned.length * this.#args.runs;
    this.#progress.say(
      `comparing ${this.#planned.length} settings: ${total} migrations, one after the other`,
    );
    let turn = 0;
    for (let run = 0; run < this.#args.runs; run++) {
      for (const at of turnsOf(this.#planned.length, run)) {
        turn++;
        const outcome = await this.#runOnce(at, run, `run ${turn} of ${total}, ${this.#planned[at]!.name}`);
        if (outcome === undefined) return;
        this.#outcomes[at]![run] = outcome;
        await this.save();
      }
    }
  }

  /** One run; undefined when the comparison was interrupted in it. */
  async #runOnce(at: number, run: number, title: string): Promise<RunOutcome | undefined> {
    const { allFlags, msMax } = this.#planned[at]!;
    const beganAt = performance.now();
    const show = (): void => {
      this.#progress.show(`  ${title} …${this.#timeLeft(performance.now() - beganAt)}`);
    };
    show();
    const timer = setInterval(show, REDRAW_MS);
    const end = await runChild(
      [process.execPath, fileURLToPath(new URL('./main.js', import.meta.url)), 'demo', '--json', ...allFlags],
      msMax,
      this.#signal,
    ).finally(() => {
      clearInterval(timer);
    });
    this.#progress.stop();
    if (this.#signal.aborted) return undefined;
    const outcome = outcomeOf(end, run, allFlags, msMax);
    this.#remaining.ended(at, performance.now() - beganAt);
    if (outcome.kind === 'completed') {
      this.#progress.say(
        `${title}: stood still for ${formatMs(outcome.report.stun.guestGapMs)}${this.#timeLeft(0)}`,
      );
    } else {
      this.failures.push(outcome.failure);
      const { status, message } = outcome.failure;
      this.#progress.say(
        `${title}: failed with status ${status}: ${message}; its flags: ${allFlags.join(' ')}${this.#timeLeft(0)}`,
      );
    }
    return outcome;
  }

  #timeLeft(elapsedMs: number): string {
    const band = this.#remaining.band(elapsedMs);
    return band === undefined || band.highMs === 0 ? '' : `; ${renderBand(band)}`;
  }

  /** Puts all that is known into the files of `--out` and `--csv`, which are whole at every moment. */
  async save(): Promise<void> {
    const { out, csv } = this.#args;
    const reports = this.#planned.map((_, at) =>
      Array.from({ length: this.#args.runs }, (__, run) => {
        const outcome = this.#outcomes[at]![run];
        return outcome?.kind === 'completed' ? outcome.report : null;
      }),
    );
    try {
      if (out !== undefined)
        await writeWhole(
          out,
          `${JSON.stringify({ comparison: this.comparison, reports })}\n`,
          'the comparison',
        );
      if (csv !== undefined) await writeWhole(csv, comparisonCsv(this.comparison), 'the figures');
      this.saveError = undefined;
    } catch (error) {
      // What was measured is worth more than the file: the comparison goes on, and the next run tries again.
      const failure = asMicrostunError(error, 'OUTPUT_FAILED');
      if (this.saveError === undefined) this.#progress.say(failure.message);
      this.saveError = failure;
    }
  }

  say(text: string): void {
    this.#progress.say(text);
  }
}

async function conclude(turns: Turns, args: CompareArguments, isInterrupted: boolean): Promise<number> {
  const { comparison } = turns;
  const hasAny = comparison.settings.some(({ completed, failures }) => completed + failures.length > 0);
  if (args.json) standardOutput.print(reportText(comparison));
  else if (hasAny)
    standardOutput.printText(args.flagship ? renderFlagship(comparison) : renderComparison(comparison));
  if (isInterrupted)
    turns.say(hasAny ? 'interrupted; what was done is above' : 'interrupted before the first run had ended');
  if (args.out !== undefined && hasAny && turns.saveError === undefined)
    turns.say(`all reports are in ${args.out}`);
  let outputError = turns.saveError;
  if (args.report !== undefined && hasAny) {
    try {
      await writePage(renderComparisonPage(comparison), args.report);
    } catch (error) {
      outputError = asMicrostunError(error, 'OUTPUT_FAILED');
    }
  }
  if (outputError !== undefined) complain(outputError.message);
  if (isInterrupted) return exitStatusOf('CANCELLED');
  // What a run came to says more than where it was to be kept.
  return turns.failures[0]?.status ?? (outputError === undefined ? 0 : exitStatusOf('OUTPUT_FAILED'));
}

/** What became of a run, by how its process ended and what it printed. */
export function outcomeOf(end: ChildEnd, run: number, flags: readonly string[], msMax: number): RunOutcome {
  const failed = (status: number, code: string, message: string): RunOutcome => ({
    kind: 'failed',
    failure: { run, status, code, message, flags },
  });
  const { status, why } = end;
  const lastWords = end.stderr.trim().split('\n').at(-1) ?? '';
  if (why === 'took too long')
    return failed(exitStatusOf('TIMEOUT'), 'TIMEOUT', `it was killed after ${formatMs(msMax)}: it was stuck`);
  if (why === 'could not be started')
    return failed(
      exitStatusOf('WORKER_FAILED'),
      'WORKER_FAILED',
      `its process could not be started: ${lastWords}`,
    );
  const report = parse(end.stdout);
  if (status === 0 && report?.outcome === 'completed') return { kind: 'completed', report };
  const exit = status === null || status === 0 ? exitStatusOf('WORKER_FAILED') : status;
  if (report?.outcome === 'failed') return failed(exit, report.error.code, report.error.message);
  if (report?.audit?.passed === false)
    return failed(
      exit,
      'AUDIT_FAILED',
      `its audit failed: ${report.audit.findings[0] ?? 'no finding was named'}`,
    );
  const what = status === null ? 'a signal ended it' : `it ended with status ${status} and no report`;
  return failed(exit, 'WORKER_FAILED', lastWords === '' ? what : `${what}: ${lastWords}`);
}

/** What a run of this very program printed; undefined where that is no report. */
function parse(text: string): MigrationReport | FailureReport | undefined {
  try {
    return JSON.parse(text) as MigrationReport | FailureReport;
  } catch {
    return undefined;
  }
}
