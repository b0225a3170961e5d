// Compares settings: runs whole demos in processes of their own, each setting in turn, so that drift hits all alike.
import { spawn } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { MicrostunError, messageOf } from '../shared/errors.js';
import {
  compareReports,
  renderComparison,
  standardSettings,
  type Setting,
} from '../shared/report/comparison.js';
import type { FailureReport, MigrationReport } from '../shared/report/report.js';
import { Progress } from './progress.js';

export interface CompareArguments {
  readonly runs: number;
  /** Two settings of the user's own instead of the standard ones: flags as one text each. */
  readonly a: string | undefined;
  readonly b: string | undefined;
  readonly out: string | undefined;
  readonly json: boolean;
}

const OWN_FLAGS = ['--runs', '--a', '--b', '--out'];

/** The flags of a `compare` command line that every run gets: all but its own. They have been checked before. */
export function sharedFlags(commandLine: readonly string[]): string[] {
  const flags: string[] = [];
  for (let index = 0; index < commandLine.length; index++) {
    const token = commandLine[index]!;
    if (OWN_FLAGS.includes(token)) index++;
    else if (
      token !== 'compare' &&
      token !== '--json' &&
      !OWN_FLAGS.some((flag) => token.startsWith(`${flag}=`))
    ) {
      flags.push(token);
    }
  }
  return flags;
}

/** Answers the exit status. `shared` are the flags that every run gets. */
export async function runCompare(shared: readonly string[], args: CompareArguments): Promise<number> {
  const progress = new Progress();
  const settings = settingsOf(args);
  const reports: MigrationReport[][] = settings.map(() => []);
  for (let run = 0; run < args.runs; run++) {
    for (const [index, { name, flags }] of settings.entries()) {
      const report = await migrateOnce([...shared, ...flags], name);
      reports[index]!.push(report);
      progress.say(`run ${run + 1} of ${args.runs}, ${name}: stun ${report.stun.stunMs.toFixed(2)} ms`);
    }
  }
  const comparison = compareReports(settings, reports);
  if (args.out !== undefined) {
    writeFileSync(args.out, `${JSON.stringify({ comparison, reports })}\n`);
    progress.say(`all reports are in ${args.out}`);
  }
  process.stdout.write(args.json ? `${JSON.stringify(comparison)}\n` : `${renderComparison(comparison)}\n`);
  return 0;
}

function settingsOf({ a, b }: CompareArguments): readonly Setting[] {
  if (a === undefined && b === undefined) return standardSettings;
  if (a === undefined || b === undefined)
    throw new MicrostunError('USAGE', '--a and --b go together: give the flags of both settings');
  return [a, b].map((text) => ({
    name: text.trim() || 'defaults',
    flags: text.split(/\s+/).filter((flag) => flag !== ''),
  }));
}

// A run of its own process: nothing of one run can warm or burden the next.
async function migrateOnce(flags: readonly string[], name: string): Promise<MigrationReport> {
  const entry = fileURLToPath(new URL('./main.js', import.meta.url));
  const child = spawn(process.execPath, [entry, 'demo', '--json', ...flags], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const output = collect(child.stdout);
  const complaints = collect(child.stderr);
  const status = await new Promise<number | null>((resolve, reject) => {
    child.once('error', reject);
    child.once('close', resolve);
  });
  const report = parse(await output);
  if (status === 0 && report?.outcome === 'completed') return report;
  const why =
    report?.outcome === 'failed' ? report.error.message : (await complaints).trim().split('\n').at(-1);
  throw new MicrostunError(
    status === 2 ? 'USAGE' : 'WORKER_FAILED',
    `a run of "${name}" ended with status ${status}: ${why}`,
  );
}

async function collect(stream: NodeJS.ReadableStream): Promise<string> {
  let text = '';
  for await (const chunk of stream) text += String(chunk);
  return text;
}

function parse(text: string): MigrationReport | FailureReport | undefined {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text) as MigrationReport | FailureReport;
  } catch (error) {
    throw new MicrostunError('WORKER_FAILED', `a run printed no report: ${messageOf(error)}`, {
      cause: error,
    });
  }
}
