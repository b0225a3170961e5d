// The contest of compaction: size and time of each form on each bitmap, as a table in Markdown and as a plot.
// Each form is timed both ways from and to a bitmap's words, as a migration has and wants them.
import { contestBitmaps, type ContestBitmap } from './compaction-bitmaps.js';
import { contestants, type Contestant } from './compaction-contestants.js';
import { median } from './statistics.js';

const RUNS = 9;
const WARM_UPS = 3;
const NAME = 'ours';

export interface Score {
  readonly name: string;
  readonly bytes: number;
  readonly encodeUs: number;
  readonly decodeUs: number;
}

export interface CompactionFigures {
  readonly runs: number;
  readonly absent: readonly string[];
  readonly bitmaps: readonly (Pick<ContestBitmap, 'name' | 'kind' | 'density'> & {
    readonly pageCount: number;
    readonly setPages: number;
    readonly scores: readonly Score[];
    /** Who takes fewer bytes and less time than ours. */
    readonly beatenBy: readonly string[];
  })[];
}

export async function benchCompaction(runs = RUNS): Promise<CompactionFigures> {
  const { present, absent } = await contestants();
  const bitmaps: CompactionFigures['bitmaps'][number][] = [];
  for (const { name, kind, density, bitmap } of contestBitmaps()) {
    const scores = present.map((contestant) => scoreOf(contestant, bitmap, runs));
    const { pageCount } = bitmap;
    const beatenBy = beating(scores);
    bitmaps.push({
      name,
      kind,
      ...(density === undefined ? {} : { density }),
      pageCount,
      setPages: bitmap.count(),
      scores,
      beatenBy,
    });
  }
  return { runs, absent, bitmaps };
}

function scoreOf({ name, encode, decode }: Contestant, bitmap: ContestBitmap['bitmap'], runs: number): Score {
  const encodeUs: number[] = [];
  const decodeUs: number[] = [];
  let bytes = 0;
  for (let run = 0; run < WARM_UPS + runs; run++) {
    const from = performance.now();
    const encoded = encode(bitmap);
    const encodedAt = performance.now();
    const again = decode(encoded, bitmap.pageCount);
    const decodedAt = performance.now();
    bytes = encoded.length;
    if (run === 0 && !bytesOf(again).equals(bytesOf(bitmap)))
      throw new Error(`${name} does not answer the same set`);
    if (run < WARM_UPS) continue;
    encodeUs.push((encodedAt - from) * 1000);
    decodeUs.push((decodedAt - encodedAt) * 1000);
  }
  return { name, bytes, encodeUs: median(encodeUs), decodeUs: median(decodeUs) };
}

function bytesOf({ words }: ContestBitmap['bitmap']): Buffer {
  return Buffer.from(words.buffer, words.byteOffset, words.byteLength);
}

function beating(scores: readonly Score[]): string[] {
  const own = scores.find(({ name }) => name === NAME)!;
  return scores
    .filter((other) => other.bytes < own.bytes && timeOf(other) < timeOf(own))
    .map(({ name }) => name);
}

function timeOf({ encodeUs, decodeUs }: Score): number {
  return encodeUs + decodeUs;
}

export function renderCompaction({ runs, absent, bitmaps }: CompactionFigures): string {
  const names = bitmaps[0]!.scores.map(({ name }) => name);
  const rows = bitmaps.map(({ name, setPages, scores, beatenBy }) => [
    name,
    setPages.toLocaleString('en'),
    ...scores.map((score) => `${score.bytes.toLocaleString('en')} · ${timeText(score)}`),
    beatenBy.join(', ') || '–',
  ]);
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  const head = ['bitmap', 'set pages', ...names, 'beats ours on both'];
  return [
    `Bytes · µs to encode + µs to decode, medians of ${runs} runs${absent.map((why) => `; ${why}`).join('')}`,
    '',
    line(head),
    line(head.map((_, column) => (column === 0 ? '---' : '--:'))),
    ...rows.map(line),
  ].join('\n');
}

function timeText({ encodeUs, decodeUs }: Score): string {
  return `${encodeUs.toFixed(0)} + ${decodeUs.toFixed(0)}`;
}
