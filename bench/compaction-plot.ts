// The contest of compaction as a picture: size and time over density, for sets without an order and in runs. Pure.
import type { CompactionFigures, Score } from './compaction.js';

const [WIDTH, HEIGHT, LEFT, TOP, GAP_X, GAP_Y] = [400, 250, 70, 60, 90, 70];
const COLOURS = ['#c2185b', '#757575', '#1565c0', '#2e7d32', '#9ccc65', '#ef6c00'];
const DENSITY_MIN = 1e-6;

/** An SVG of four panels: size above, time below. */
export function plotOf({ bitmaps }: CompactionFigures): string {
  const names = bitmaps[0]!.scores.map(({ name }) => name);
  const panels = (['random', 'clustered'] as const).flatMap((kind, column) => {
    const ofKind = bitmaps.filter((bitmap) => bitmap.kind === kind);
    const pointsOf = (value: (score: Score) => number) =>
      names.map((_, nth) => ofKind.map(({ density, scores }) => [density!, value(scores[nth]!)] as const));
    return [
      panel(
        `${kind}: bytes`,
        column,
        0,
        [8, 2e6],
        pointsOf(({ bytes }) => bytes),
      ),
      panel(
        `${kind}: microseconds, both ways`,
        column,
        1,
        [20, 1e6],
        pointsOf((s) => s.encodeUs + s.decodeUs),
      ),
    ];
  });
  const legend = names.map(
    (name, nth) =>
      `<text x="${LEFT + 135 * nth}" y="24" fill="${COLOURS[nth]!}" font-weight="bold">${name}</text>`,
  );
  const width = LEFT + 2 * WIDTH + GAP_X + 20;
  const height = TOP + 2 * HEIGHT + GAP_Y + 50;
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" font-family="sans-serif" font-size="12">`,
    `<rect width="${width}" height="${height}" fill="#fff"/>`,
    ...legend,
    `<text x="${LEFT}" y="${height - 16}">Over the share of 4,194,304 pages that is set: without an order, and in runs of 64 on the average</text>`,
    ...panels,
    '</svg>',
    '',
  ].join('\n');
}

type Points = readonly (readonly [density: number, value: number])[];

function panel(
  title: string,
  column: number,
  row: number,
  [low, high]: readonly [number, number],
  lines: readonly Points[],
): string {
  const left = LEFT + column * (WIDTH + GAP_X);
  const top = TOP + row * (HEIGHT + GAP_Y);
  const x = (density: number): number => left + WIDTH * (1 - Math.log10(density) / Math.log10(DENSITY_MIN));
  const y = (value: number): number =>
    top + HEIGHT * (1 - (Math.log10(value) - Math.log10(low)) / (Math.log10(high) - Math.log10(low)));
  const ticks = decades(low, high).map(
    (value) =>
      `<path d="M${left} ${y(value).toFixed(1)}h${WIDTH}" stroke="#ddd"/><text x="${left - 6}" y="${(y(value) + 4).toFixed(1)}" text-anchor="end">${value.toLocaleString('en')}</text>`,
  );
  const densities = decades(DENSITY_MIN, 1).map(
    (density) =>
      `<text x="${x(density).toFixed(1)}" y="${top + HEIGHT + 16}" text-anchor="middle">${density}</text>`,
  );
  const drawn = lines.map(
    (points, nth) =>
      `<polyline fill="none" stroke="${COLOURS[nth]!}" stroke-width="${nth === 0 ? 3 : 1.5}" points="${points
        .map(([density, value]) => `${x(density).toFixed(1)},${y(value).toFixed(1)}`)
        .join(' ')}"/>`,
  );
  return [
    `<text x="${left}" y="${top - 8}">${title}</text>`,
    `<rect x="${left}" y="${top}" width="${WIDTH}" height="${HEIGHT}" fill="none" stroke="#999"/>`,
    ...ticks,
    ...densities,
    ...drawn.reverse(),
  ].join('\n');
}

function decades(low: number, high: number): number[] {
  const values: number[] = [];
  for (let power = Math.ceil(Math.log10(low)); 10 ** power <= high * 1.001; power++)
    values.push(Number(`1e${power}`));
  return values;
}
