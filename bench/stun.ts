// The stun over many migrations of a guest that writes flat out: as a whole, by part, and the parts that are our own.
import type { StunParts } from '../src/report/document.js';
import { stunPartNames } from '../src/report/stun-parts.js';
import { formatMs } from '../src/shared/units.js';
import { runDemo } from './demo.js';
import { summarize, table, type Summary } from './statistics.js';

const MEMORY_BYTES = 256 * 1024 ** 2;
const RUNS = 30;
const MODES = ['hybrid', 'pre-copy'] as const;
type Mode = (typeof MODES)[number];

/** What the link and the last pages take; all else is our own. */
const NOT_OWN: readonly (keyof StunParts)[] = ['networkMs', 'placementMs'];
const partKeys = Object.keys(stunPartNames) as (keyof StunParts)[];

export interface StunFigures {
  readonly memoryBytes: number;
  readonly runs: number;
  readonly modes: readonly {
    readonly mode: Mode;
    readonly stunMs: Summary;
    /** The stun without network and placement. */
    readonly ownMs: Summary;
    readonly guestGapMs: Summary;
    readonly parts: Readonly<Record<keyof StunParts, Summary>>;
  }[];
}

export async function benchStun(runs = RUNS): Promise<StunFigures> {
  const flags = ['--guest', 'hot-set', '--write-rate', 'max', '--memory', `${MEMORY_BYTES}`];
  const quick = ['--migrate-after', '300ms', '--no-audit'];
  const stuns = new Map(MODES.map((mode) => [mode, [] as StunSample[]]));
  for (let run = 0; run < runs; run++) {
    for (const mode of MODES) {
      const { report } = await runDemo([...flags, ...quick, '--mode', mode, '--seed', `${run + 1}`]);
      stuns.get(mode)!.push(report.stun);
    }
  }
  const modes = MODES.map((mode) => ({ mode, ...figuresOf(stuns.get(mode)!) }));
  return { memoryBytes: MEMORY_BYTES, runs, modes };
}

interface StunSample {
  readonly stunMs: number;
  readonly guestGapMs: number;
  readonly parts: StunParts;
}

function figuresOf(stuns: readonly StunSample[]): Omit<StunFigures['modes'][number], 'mode'> {
  const ownOf = ({ parts }: StunSample): number =>
    partKeys.filter((key) => !NOT_OWN.includes(key)).reduce((total, key) => total + parts[key], 0);
  const parts = partKeys.map((key) => [key, summarize(stuns.map((stun) => stun.parts[key]))] as const);
  return {
    stunMs: summarize(stuns.map((stun) => stun.stunMs)),
    ownMs: summarize(stuns.map(ownOf)),
    guestGapMs: summarize(stuns.map((stun) => stun.guestGapMs)),
    parts: Object.fromEntries(parts) as Record<keyof StunParts, Summary>,
  };
}

export function renderStun({ runs, modes }: StunFigures): string {
  const row = (label: string, { median, p99, max }: Summary): string[] => [
    label,
    formatMs(median),
    formatMs(p99),
    formatMs(max),
  ];
  return modes
    .map(({ mode, stunMs, ownMs, guestGapMs, parts }) =>
      [
        `Stun by ${mode}: 256 MiB, hot-set flat out, ${runs} migrations`,
        table(
          ['', 'median', 'p99', 'max'],
          [
            row('stop to answer', stunMs),
            row('own parts', ownMs),
            row("guest's own gap", guestGapMs),
            ...partKeys.map((key) => row(`  ${stunPartNames[key]}`, parts[key])),
          ],
        ),
      ].join('\n'),
    )
    .join('\n\n');
}
