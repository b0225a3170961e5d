// The row of encryption: the same migrations plain and under TLS with a shared key, in turn, with 1, 2 and 4 connections.
// What is held against what: the rate of round 0, and the stun in both views.
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import type { MigrationReport } from '../../src/report/document.js';
import { formatBytes } from '../../src/shared/units.js';
import { runDemo } from '../demo.js';
import { atLeast, atMost, figureOf, type Figure } from '../figures.js';
import { migrateInPair } from '../pair.js';
import { median } from '../statistics.js';

const MEMORY_BYTES = 1024 ** 3;
const CONNECTIONS = [1, 2, 4];
const RUNS = 5;
/** Migrations between two nodes for each run of a copy: a stun varies more than a rate, and takes less time. */
const HOPS_A_RUN = 4;

/** Nothing is written while it is copied, so round 0 is all of it. */
const IDLE = [
  ...['--memory', `${MEMORY_BYTES}`, '--guest', 'uniform', '--write-rate', '0'],
  ...['--mode', 'pre-copy', '--migrate-after', '200ms', '--no-audit'],
];
/** As in the row of the switch-over. */
const FLAT_OUT = ['--guest', 'hot-set', '--write-rate', 'max', '--memory', '256MiB', '--vcpus', '2'];

const RATE_MIN = 0.6;
const STUN_MORE_MS_MAX = 0.2;

const entry = fileURLToPath(new URL('../../src/cli/main.js', import.meta.url));

interface Pair<T> {
  readonly plain: T;
  readonly encrypted: T;
}

export async function encryptionRow(runs = RUNS): Promise<Figure[]> {
  const folder = mkdtempSync(path.join(tmpdir(), 'microstun-bench-'));
  try {
    const keyFile = path.join(folder, 'key');
    const { status, stderr } = spawnSync(process.execPath, [entry, 'keygen', keyFile], { encoding: 'utf8' });
    if (status !== 0) throw new Error(`keygen ended with ${status}:\n${stderr}`);
    const figures: Figure[] = [];
    for (const connections of CONNECTIONS)
      figures.push(...(await measureWith(connections, ['--key-file', keyFile], runs)));
    return figures;
  } finally {
    rmSync(folder, { recursive: true });
  }
}

async function measureWith(connections: number, keys: readonly string[], runs: number): Promise<Figure[]> {
  const flags = ['--connections', `${connections}`];
  const rates: Pair<number>[] = [];
  const stuns: Pair<readonly MigrationReport[]>[] = [];
  // In pairs, so that whatever else the machine does meets both alike.
  for (let run = 0; run < runs; run++) {
    const plain = rateOf((await runDemo([...IDLE, ...flags])).report);
    const encrypted = rateOf((await runDemo([...IDLE, ...flags, ...keys])).report);
    rates.push({ plain, encrypted });
    stuns.push({
      plain: (await migrateInPair(HOPS_A_RUN, FLAT_OUT, flags)).reports,
      encrypted: (await migrateInPair(HOPS_A_RUN, FLAT_OUT, [...flags, ...keys])).reports,
    });
  }
  return [...rateFigures(connections, rates), ...stunFigures(stuns)];
}

function rateOf({ rounds }: MigrationReport): number {
  const { sentBytes, durationMs } = rounds[0]!;
  return (sentBytes / durationMs) * 1000;
}

function rateFigures(connections: number, rates: readonly Pair<number>[]): Figure[] {
  const plain = median(rates.map((rate) => rate.plain));
  const encrypted = median(rates.map((rate) => rate.encrypted));
  return [
    figureOf(
      `copy, ${connections === 1 ? '1 connection' : `${connections} connections`}`,
      '×',
      rates.map((rate) => rate.encrypted / rate.plain),
      atLeast(RATE_MIN),
      `${formatBytes(encrypted)}/s, plain ${formatBytes(plain)}/s`,
    ),
  ];
}

function stunFigures(stuns: readonly Pair<readonly MigrationReport[]>[]): Figure[] {
  const plain = stuns.flatMap((pair) => pair.plain);
  const encrypted = stuns.flatMap((pair) => pair.encrypted);
  const against = (label: string, msOf: (report: MigrationReport) => number): Figure => {
    const plainMs = median(plain.map(msOf));
    const limit = atMost(plainMs + STUN_MORE_MS_MAX);
    return figureOf(label, 'ms', encrypted.map(msOf), limit, `plain ${plainMs.toFixed(2)} ms`);
  };
  return [
    against('  stop to answer', ({ stun }) => stun.stunMs),
    against("  guest's own gap", ({ stun }) => stun.guestGapMs),
  ];
}
