// `npm run bench`: figures of this machine, measured here and now. A table for people, one JSON document with --json.
import { cpus, loadavg, release } from 'node:os';
import yargs from 'yargs';
import { hideBin } from 'yargs/helpers';
import { benchCopy, renderCopy } from './copy.js';
import { benchForecast, renderForecast } from './forecast.js';
import { benchKernels, renderKernels } from './kernels.js';
import { benchMemory, renderMemory } from './memory.js';
import { benchStore, renderStore, storeSink } from './store.js';
import { benchStun, renderStun } from './stun.js';

const parts = ['store', 'kernels', 'memory', 'copy', 'stun', 'forecast'] as const;
type Part = (typeof parts)[number];

const args = await yargs(hideBin(process.argv))
  .scriptName('npm run bench --')
  .usage(
    '$0\n\nMeasures the copy rate, the stun, the forecasts, the store path, the kernels, and the memory beyond the guest.',
  )
  .option('only', { choices: parts, describe: 'Measure this alone' })
  .option('runs', { type: 'number', describe: 'Repetitions (default: its own for each)' })
  .option('json', { type: 'boolean', default: false, describe: 'Print one JSON document, nothing else' })
  .check(({ runs }) => {
    if (runs === undefined || (Number.isInteger(runs) && runs >= 1)) return true;
    throw new Error(`--runs ${runs} makes no sense; give a whole number from 1`);
  })
  .strict()
  .help()
  .parseAsync();

interface Outcome {
  readonly figures: unknown;
  readonly text: string;
}

async function measure(part: Part, runs: number | undefined): Promise<Outcome> {
  switch (part) {
    case 'store': {
      const figures = benchStore(runs);
      return { figures: { ...figures, sink: storeSink() }, text: renderStore(figures) };
    }
    case 'kernels': {
      const figures = benchKernels(runs);
      return { figures, text: renderKernels(figures) };
    }
    case 'memory': {
      const figures = await benchMemory(runs);
      return { figures, text: renderMemory(figures) };
    }
    case 'copy': {
      const figures = await benchCopy(runs);
      return { figures, text: renderCopy(figures) };
    }
    case 'stun': {
      const figures = await benchStun(runs);
      return { figures, text: renderStun(figures) };
    }
    case 'forecast': {
      const figures = await benchForecast(runs);
      return { figures, text: renderForecast(figures) };
    }
  }
}

const machine = {
  node: process.version,
  kernel: release(),
  cpus: cpus().length,
  cpu: cpus()[0]?.model ?? 'unknown',
  // What else the machine did when this began: figures taken beside other work are not worth much.
  loadBefore: loadavg()[0] ?? 0,
};
const document: Record<string, unknown> = { machine };
if (!args.json) {
  const { node, kernel, cpus: count, cpu, loadBefore } = machine;
  process.stdout.write(
    `Node.js ${node}, Linux ${kernel}, ${count} × ${cpu}, load ${loadBefore.toFixed(1)}\n`,
  );
}
for (const part of args.only === undefined ? parts : [args.only]) {
  process.stderr.write(`bench: ${part} …\n`);
  const { figures, text } = await measure(part, args.runs);
  document[part] = figures;
  if (!args.json) process.stdout.write(`\n${text}\n`);
}
if (args.json) process.stdout.write(`${JSON.stringify(document, undefined, 2)}\n`);
