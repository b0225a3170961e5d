// The script of a live page: takes patches from its feed and puts them into figures and charts.
// Runs in a browser; knows the JSON in the page and its patches, and nothing of this program.
import type { Chart } from '../charts.js';
import type { LiveIsland } from '../islands.js';
import type { ChartPatch, LivePatch } from '../live/patch.js';
import { ChartBoard } from './chart-board.js';
import { elementOf, readIsland } from './elements.js';

const { charts: empty } = readIsland() as LiveIsland;
const charts = new Map(empty.map((chart) => [chart.id, chart]));
const stale = new Set<Chart['id']>();
const page = document.documentElement;
const notice = elementOf('link');
const board = new ChartBoard(empty);
let isOver = false;

const feed = new EventSource('events');
feed.addEventListener('open', () => {
  note('');
});
feed.addEventListener('error', () => {
  if (isOver) feed.close();
  if (isOver) note('The process that served this page has ended; the page stays as it is.');
  else note('The connection to the process is lost; trying again.');
});
feed.addEventListener('message', ({ data }: MessageEvent<string>) => {
  take(JSON.parse(data) as LivePatch);
});

function take({ state, texts, charts: patches, parts }: LivePatch): void {
  for (const [id, markup] of Object.entries(parts)) elementOf(id).innerHTML = markup;
  for (const [name, text] of Object.entries(texts))
    setText(document.querySelector(`[data-live="${name}"]`), text);
  patches.forEach(patchChart);
  isOver = state === 'completed' || state === 'failed';
  page.dataset['state'] = state;
}

function patchChart({ id, from, x, xLabels, values, bands }: ChartPatch): void {
  const chart = charts.get(id);
  if (chart === undefined) return;
  charts.set(id, {
    ...chart,
    x: splice(chart.x, from, x),
    xLabels,
    bands,
    series: chart.series.map((series, at) => ({
      ...series,
      values: splice(series.values, from, values[at] ?? []),
    })),
  });
  // A page that nobody sees draws when it is looked at again.
  if (stale.size === 0) requestAnimationFrame(drawStale);
  stale.add(id);
}

function drawStale(): void {
  for (const id of stale) board.update(charts.get(id)!);
  stale.clear();
  page.dataset['points'] = String(charts.get('throughput')?.x.length);
}

function splice<T>(values: readonly T[], from: number, more: readonly T[]): T[] {
  return values.slice(0, from).concat(more);
}

function note(text: string): void {
  notice.hidden = text === '';
  setText(notice, text);
}

function setText(element: Element | null, text: string): void {
  if (element !== null && element.textContent !== text) element.textContent = text;
}
