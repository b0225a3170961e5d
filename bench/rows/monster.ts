// The rows of guests that are far larger than what is resident of them: the stun over the size of the address space, its
// parts over how much is dirty, and a guest of 8 GiB against one of 1 GiB.
import type { MigrationReport } from '../../src/report/document.js';
import { formatBytes, formatCount } from '../../src/shared/units.js';
import { runDemo } from '../demo.js';
import { atMost, figureOf, type Figure } from '../figures.js';
import { measureLoopback, toolHere } from '../loopback.js';
import { measureParts, type DirtyCase } from '../monster-parts.js';
import { median } from '../statistics.js';

const RUNS = 10;
const GIB = 1024 ** 3;

/** The same pages in ever more room; the first lies in one piece, the others in segments. */
const SIZES = ['1GiB', '8GiB', '64GiB', '1TiB', '24TiB'] as const;
const LARGEST = '24TiB';
/** With a raw bitmap some sizes are enough to see its line. */
const RAW_SIZES: readonly string[] = ['1GiB', '1TiB', LARGEST];
const LOGICS = ['ahead', 'compacted', 'raw'] as const;
/** A raw bitmap of the largest, which is what crosses the loopback beside it. */
const RAW_BYTES = 768 * 1024 ** 2;

const CASES: readonly (DirtyCase & { readonly goalMs: number })[] = [
  { pages: 1000, regions: 512, goalMs: 1 },
  { pages: 1000, regions: 1000, goalMs: 1 },
  { pages: 1000, regions: 20_480, goalMs: 1 },
  { pages: 100_000, regions: 512, goalMs: 10 },
  { pages: 100_000, regions: 100_000, goalMs: 10 },
  { pages: 10_000_000, regions: 20_480, goalMs: 300 },
  { pages: 10_000_000, regions: 100_000, goalMs: 300 },
];

export async function monsterRow(runs = RUNS): Promise<Figure[]> {
  return [...partFigures(runs), ...(await curveFigures(runs)), ...(await proportionFigures(runs))];
}

function partFigures(runs: number): Figure[] {
  return CASES.flatMap(({ pages, regions, goalMs }) => {
    const parts = measureParts({ pages, regions }, runs);
    const name = `${formatCount(pages)} pages in ${formatCount(regions)} regions`;
    const shares = (['harvest', 'compaction', 'expansion', 'marking'] as const)
      .map((part) => `${part} ${median(parts[part]).toPrecision(2)}`)
      .join(', ');
    return [
      figureOf(name, 'ms', parts.total, atMost(goalMs), `${shares}; ${formatBytes(parts.bitmapBytes)}`),
    ];
  });
}

async function curveFigures(runs: number): Promise<Figure[]> {
  const stunsMs = new Map<string, number[]>();
  const rates: number[] = [];
  // In turn, so that whatever else the machine does meets all alike.
  for (let run = 0; run < runs; run++) {
    rates.push(await measureLoopback(toolHere(), RAW_BYTES, 1));
    for (const size of SIZES) {
      for (const logic of LOGICS) {
        if (logic === 'raw' && !RAW_SIZES.includes(size)) continue;
        const { stun } = await move(size, '1GiB', ['--write-rate', 'max', '--bitmap', logic]);
        const key = `${logic} ${size}`;
        stunsMs.set(key, [...(stunsMs.get(key) ?? []), stun.stunMs]);
      }
    }
  }
  const of = (logic: string, size: string): number[] => stunsMs.get(`${logic} ${size}`) ?? [];
  const figures = LOGICS.flatMap((logic) =>
    SIZES.filter((size) => of(logic, size).length > 0).map((size) =>
      figureOf(`stun, ${logic}, ${size}`, 'ms', of(logic, size)),
    ),
  );
  const wireMs = (RAW_BYTES / median(rates)) * 1000;
  return [
    ...figures,
    figureOf(
      'stun of 24 TiB against 1 GiB, ahead',
      '×',
      [median(of('ahead', LARGEST)) / median(of('ahead', '1GiB'))],
      atMost(1.5),
    ),
    figureOf(
      'stun of 24 TiB, raw, against its bytes on the loopback',
      '×',
      [median(of('raw', LARGEST)) / wireMs],
      undefined,
      `768 MiB by ${toolHere()}: ${wireMs.toFixed(0)} ms`,
    ),
  ];
}

/** 8 GiB, all of it resident, against 1 GiB; and what both processes take beyond it. */
async function proportionFigures(runs: number): Promise<Figure[]> {
  const times = Math.max(1, Math.ceil(runs / 3));
  const small: number[] = [];
  const large: number[] = [];
  const beyond = new Map<string, number[]>();
  const note = (name: string, bytes: number): void => {
    beyond.set(name, [...(beyond.get(name) ?? []), bytes / 2 ** 20]);
  };
  for (let run = 0; run < times; run++) {
    small.push((await move('1GiB', undefined)).totalMs);
    for (const [memory, resident, residentBytes] of [
      ['8GiB', undefined, 8 * GIB],
      ['24TiB', '1GiB', GIB],
    ] as const) {
      const ran = await runDemo(flagsOf(memory, resident), true);
      if (resident === undefined) large.push(ran.report.totalMs);
      note(`${memory}, source`, ran.sourcePeakBytes - residentBytes);
      note(`${memory}, destination`, ran.destinationPeakBytes - residentBytes);
    }
  }
  const limitOf = (name: string): number => 200 + 0.01 * (name.startsWith('8') ? 8192 : 1024);
  return [
    figureOf('total, 1 GiB', 'ms', small),
    figureOf('total, 8 GiB, all resident', 'ms', large),
    figureOf('  against 1 GiB', '×', [median(large) / median(small)], atMost(9)),
    ...[...beyond].map(([name, mebibytes]) =>
      figureOf(`memory beyond the resident, ${name}`, 'MiB', mebibytes, atMost(limitOf(name))),
    ),
  ];
}

async function move(
  memory: string,
  resident: string | undefined,
  flags: readonly string[] = [],
): Promise<MigrationReport> {
  const isWhole = memory === resident;
  return (await runDemo([...flagsOf(memory, isWhole ? undefined : resident), ...flags])).report;
}

function flagsOf(memory: string, resident: string | undefined): string[] {
  return [
    ...['--memory', memory, ...(resident === undefined ? [] : ['--resident', resident])],
    ...['--migrate-after', '300ms', '--no-audit'],
  ];
}
