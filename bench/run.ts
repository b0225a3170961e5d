// `npm run bench`: figures of this machine, measured here and now, each beside its goal. A table for people, one JSON
// document with --json. Nothing is concluded from what was measured while the machine did something else.
import { writeFileSync } from 'node:fs';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { benchCompaction, renderCompaction } from './compaction.js';
import { plotOf } from './compaction-plot.js';
import { machineHere, watchMachine, type Disturbance } from './disturbance.js';
import { cellsOf, FIGURE_HEAD, judged, type Figure } from './figures.js';
import { benchForecast, renderForecast } from './forecast.js';
import { benchKernels, renderKernels } from './kernels.js';
import { benchMemory, renderMemory } from './memory.js';
import { copyRow, demoRow, hotSetRow } from './rows/copying.js';
import { dialRow } from './rows/dial.js';
import { encryptionRow } from './rows/encryption.js';
import { keyValueRow } from './rows/key-value.js';
import { monsterRow } from './rows/monster.js';
import { soakRow } from './rows/soak.js';
import { storeRow } from './rows/store-paths.js';
import { sizesRow, switchOverRow } from './rows/switch-over.js';
import { table } from './statistics.js';

interface Row {
  readonly what: string;
  readonly measure: (runs: number | undefined) => Promise<readonly Figure[]> | readonly Figure[];
}

/** Rows with goals, in the order of docs/performance.md. */
const rows = {
  'switch-over': {
    what: '256 MiB, 2 vCPUs, hot-set flat out, hybrid: a hundred migrations between two nodes',
    measure: switchOverRow,
  },
  sizes: { what: 'The same with 2 GiB, and with 4 vCPUs', measure: sizesRow },
  copy: { what: '1 GiB idle, 2 connections', measure: copyRow },
  'hot-set': { what: '1 GiB, of which 64 MiB are written flat out', measure: hotSetRow },
  demo: { what: 'The demo without a flag', measure: demoRow },
  store: { what: 'The store path: guest memory against a bare typed array', measure: storeRow },
  dial: { what: 'Who dials: 1 GiB idle, and 256 MiB flat out, each way in turn', measure: dialRow },
  encryption: {
    what: 'Plain and under TLS in pairs: 1 GiB idle is copied, 256 MiB flat out move between two nodes',
    measure: encryptionRow,
  },
  monster: { what: 'Guests of up to 24 TiB, of which 1 GiB is resident', measure: monsterRow },
  'key-value': {
    what: 'The key-value store beside redis-server, and moved while clients write',
    measure: keyValueRow,
  },
  soak: { what: '64 MiB, flat out: three hundred migrations between two nodes', measure: soakRow },
} as const satisfies Record<string, Row>;
type RowName = keyof typeof rows;
const rowNames = Object.keys(rows) as RowName[];

/** Measured when asked for: figures without a goal. */
const others = ['kernels', 'memory', 'forecast', 'compaction'] as const;
type OtherName = (typeof others)[number];
/** Without a goal, or each takes about as long as all the others together, or longer. */
const ONLY_ALONE: readonly RowName[] = ['dial', 'encryption', 'monster', 'key-value', 'soak'];

const args = await yargs(hideBin(process.argv))
  .scriptName('npm run bench --')
  .usage('$0\n\nMeasures what docs/performance.md has goals for, on this machine.')
  .option('only', { choices: [...rowNames, ...others], describe: 'Measure this alone' })
  .option('runs', { type: 'number', describe: 'Repetitions (default: its own for each)' })
  .option('plot', { type: 'string', describe: 'Draw the contest of --only compaction into this file (SVG)' })
  .option('json', { type: 'boolean', default: false, describe: 'Print one JSON document, nothing else' })
  .check(({ runs }) => {
    if (runs === undefined || (Number.isInteger(runs) && runs >= 1)) return true;
    throw new Error(`--runs ${runs} makes no sense; give a whole number from 1`);
  })
  .strict()
  .help()
  .parseAsync();

const document: Record<string, unknown> = {};
const say = (text: string): void => {
  if (!args.json) process.stdout.write(text);
};

async function measureRow(name: RowName): Promise<void> {
  const { what, measure }: Row = rows[name];
  const end = watchMachine();
  const figures = await measure(args.runs);
  const disturbance = end();
  const concluded = figures.map((figure) => judged(figure, disturbance.why));
  document[name] = { what, disturbance, figures: concluded };
  say(
    `\n${what} (--only ${name})\n${table(FIGURE_HEAD, concluded.map(cellsOf))}\n  ${sentenceOf(disturbance)}\n`,
  );
}

function sentenceOf({ othersShare, stealShare, why }: Disturbance): string {
  const shares = `other work ${(100 * othersShare).toFixed(0)} %, steal ${(100 * stealShare).toFixed(1)} %`;
  return why === undefined ? `undisturbed: ${shares}` : `no conclusion: ${why} (${shares})`;
}

async function measureOther(name: OtherName): Promise<void> {
  const measured = async (): Promise<readonly [figures: unknown, text: string]> => {
    if (name === 'kernels') {
      const figures = benchKernels(args.runs);
      return [figures, renderKernels(figures)];
    }
    if (name === 'compaction') {
      const figures = await benchCompaction(args.runs);
      if (args.plot !== undefined) writeFileSync(args.plot, plotOf(figures));
      return [figures, renderCompaction(figures)];
    }
    if (name === 'memory') {
      const figures = await benchMemory(args.runs);
      return [figures, renderMemory(figures)];
    }
    const figures = await benchForecast(args.runs);
    return [figures, renderForecast(figures)];
  };
  const [figures, text] = await measured();
  document[name] = figures;
  say(`\n${text}\n`);
}

const isOther = (name: RowName | OtherName): name is OtherName => others.some((other) => other === name);

const machine = machineHere();
document['machine'] = machine;
const { node, kernel, cpus, cpu, loadBefore } = machine;
say(`Node.js ${node}, Linux ${kernel}, ${cpus} × ${cpu}, load ${loadBefore.toFixed(1)}\n`);
const { only } = args;
const chosen = only === undefined ? rowNames.filter((name) => !ONLY_ALONE.includes(name)) : [only];
for (const name of chosen) {
  process.stderr.write(`bench: ${name} …\n`);
  if (isOther(name)) await measureOther(name);
  else await measureRow(name);
}
if (args.json) process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
