// The rows of who dials: the same migrations with every connection dialled by the source, each beside one with the default.
// What differs is the destination's reading: in place, or by way of chunks of Node's own.
import type { MigrationReport } from '../../src/report/document.js';
import { runDemo } from '../demo.js';
import { figureOf, type Figure } from '../figures.js';
import { median } from '../statistics.js';

const RUNS = 7;

const IDLE = [
  '--memory',
  '1GiB',
  '--guest',
  'uniform',
  '--write-rate',
  '0',
  '--mode',
  'pre-copy',
  '--no-audit',
];
const BUSY = ['--memory', '256MiB', '--vcpus', '2', '--write-rate', 'max', '--no-audit'];

const ways = ['destination', 'source'] as const;
type Way = (typeof ways)[number];

/** Reports of `runs` migrations each way, in turn: whatever else the machine does meets both alike. */
async function inTurn(runs: number, flags: readonly string[]): Promise<Record<Way, MigrationReport[]>> {
  const reports: Record<Way, MigrationReport[]> = { destination: [], source: [] };
  for (let run = 0; run < runs; run++) {
    const order = run % 2 === 0 ? ways : [...ways].reverse();
    for (const way of order) reports[way].push((await runDemo([...flags, '--dial', way])).report);
  }
  return reports;
}

/** The figure each way, and the ratio of each pair. */
function compared(
  label: string,
  unit: string,
  { destination, source }: Record<Way, readonly MigrationReport[]>,
  pick: (report: MigrationReport) => number,
): Figure[] {
  const [usual, other] = [destination.map(pick), source.map(pick)];
  return [
    figureOf(label, unit, usual, undefined, 'the destination dials'),
    figureOf('  the source dials', unit, other),
    figureOf(
      '  against each other, pair by pair',
      '×',
      other.map((value, index) => value / usual[index]!),
      undefined,
      `${(median(other) / median(usual)).toFixed(2)} by the medians`,
    ),
  ];
}

export async function dialRow(runs = RUNS): Promise<Figure[]> {
  const idle = await inTurn(runs, [...IDLE, '--migrate-after', '200ms']);
  const busy = await inTurn(runs, [...BUSY, '--migrate-after', '300ms']);
  return [
    ...compared('copy rate, 1 GiB idle', 'MB/s', idle, ({ rounds }) => {
      const { sentBytes, durationMs } = rounds[0]!;
      return sentBytes / durationMs / 1000;
    }),
    ...compared('total, 1 GiB idle', 'ms', idle, ({ totalMs }) => totalMs),
    ...compared('total, 256 MiB flat out', 'ms', busy, ({ totalMs }) => totalMs),
    ...compared("  guest's own gap", 'ms', busy, ({ stun }) => stun.guestGapMs),
    ...compared('  stop to answer', 'ms', busy, ({ stun }) => stun.stunMs),
  ];
}
