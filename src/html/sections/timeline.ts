// Guest throughput on both hosts, stitched on the source's clock, with the phases of the migration behind it.
// Knows the report; drawing is the page's script.
import { acrossVcpus, meanThroughput, type GuestTimeline } from '../../shared/guest/samples.js';
import { formatCount, formatMs } from '../../shared/units.js';
import type { GuestCostReport, MigrationReport, TimelineReport } from '../../report/document.js';
import { lossText } from '../../report/throughput-loss.js';
import { chartPlace, type Chart, type ChartBand, type Tone } from '../charts.js';
import { html, type Markup } from '../markup.js';
import { onOneAxis } from './sample-lines.js';
import { card, missing, type Section } from './section.js';

/** Phases of other names than the first so many are only drawn. */
const PHASES_LISTED = 20;

export function timelineSection({ timeline, guestCost }: MigrationReport): Section {
  const title = 'The guest at work';
  if (isEmpty(timeline)) {
    return {
      markup: card('timeline', title, missing('Throughput was not sampled in this run.')),
      charts: [],
    };
  }
  const bands = bandsOf(timeline.phases);
  const chart = chartOf(timeline, bands);
  const stalls = stallChartOf(timeline, bands);
  return {
    charts: [chart, stalls],
    markup: card(
      'timeline',
      title,
      html`<p class="lede">
          Pages that the guest wrote a second, on both hosts, on the source’s clock from the start of the
          migration. ${summary(timeline)} ${lossSentence(guestCost)}
        </p>
        ${chartPlace(chart, 'Pages written a second over time, on the source and on the destination')}
        <p class="lede">
          And the longest that any vCPU stood between two slices, or waited for a page, in each sample.
        </p>
        ${chartPlace(stalls, 'The longest stall of any vCPU over time, on the source and on the destination')}
        <p class="hint">Drag across the chart to look closer; a double click shows all of it.</p>
        ${phaseList(bands)}`,
    ),
  };
}

function isEmpty({ phases, source, destination }: TimelineReport): boolean {
  return phases.length === 0 && source.atMs.length === 0 && destination.atMs.length === 0;
}

/** Means while the guest ran on a host: at the source until it was stopped there. */
function summary({ source, destination, phases }: TimelineReport): string {
  const stoppedAt = phases.find(({ name }) => toneOf(name) === 'stun')?.fromMs ?? Infinity;
  const means = [
    ['source', meanThroughput(source, -Infinity, stoppedAt)],
    ['destination', meanThroughput(destination, -Infinity, Infinity)],
  ] as const;
  const said = means.flatMap(([host, mean]) =>
    mean === null ? [] : [`${formatCount(mean)} at the ${host}`],
  );
  return said.length === 0 ? '' : `On average: ${said.join(', ')}.`;
}

function lossSentence(cost: GuestCostReport): string {
  const loss = lossText(cost);
  return loss === ''
    ? ''
    : `While it was copied, against the second before: ${loss.replaceAll('± ', '±\u00a0')}.`;
}

function chartOf(timeline: TimelineReport, bands: readonly ChartBand[]): Chart {
  return linesOf(
    'timeline',
    'pages written a second',
    timeline,
    bands,
    (one) => acrossVcpus(one).pagesPerSecond,
  );
}

function stallChartOf(timeline: TimelineReport, bands: readonly ChartBand[]): Chart {
  const shortBands = bands.map((band) => ({ ...band, label: '' }));
  return linesOf('stalls', 'ms', timeline, shortBands, (one) => acrossVcpus(one).longestStallMs);
}

function linesOf(
  id: string,
  yTitle: string,
  { source, destination, phases }: TimelineReport,
  bands: readonly ChartBand[],
  pick: (timeline: GuestTimeline) => readonly number[],
): Chart {
  // The axis reaches as far as the phases do, also where nothing was sampled.
  const first = phases[0];
  const edges = phases.reduce<readonly number[]>(
    ([from, to], { fromMs, toMs }) => [Math.min(from!, fromMs), Math.max(to!, toMs)],
    first === undefined ? [] : [first.fromMs, first.toMs],
  );
  const { x, columns } = onOneAxis(
    [source, destination].map((one) => ({ atMs: one.atMs, values: pick(one) })),
    edges,
  );
  return {
    id,
    kind: 'lines',
    x,
    xLabels: 'ms',
    xTitle: '',
    yTitle,
    isLog: false,
    isFine: true,
    bands,
    series: [
      { label: 'source', colour: 'source', values: columns[0]! },
      { label: 'destination', colour: 'destination', values: columns[1]! },
    ],
  };
}

function bandsOf(phases: TimelineReport['phases']): ChartBand[] {
  let copies = 0;
  return phases.map(({ name, fromMs, toMs }) => {
    const tone = toneOf(name);
    // Rounds stand side by side: every other one is a shade lighter.
    const isOdd = tone === 'copy' && copies++ % 2 === 1;
    return { label: name, from: fromMs, to: toMs, tone: isOdd ? 'copy-odd' : tone };
  });
}

/** A phase is shaded by what its name says; a name never heard of is shaded like the preparations. */
export function toneOf(name: string): Tone {
  if (/stun|stop|hand|switch/i.test(name)) return 'stun';
  if (/trac|harvest/i.test(name)) return 'trace';
  if (/copy|round/i.test(name)) return 'copy';
  if (/push|post|remaining/i.test(name)) return 'push';
  if (/audit|after|farewell/i.test(name)) return 'audit';
  return 'setup';
}

interface PhaseTotal {
  readonly name: string;
  readonly tone: Tone;
  times: number;
  totalMs: number;
}

/** Phases that came again, as copying does with every round, are added up. */
function totalsOf(bands: readonly ChartBand[]): PhaseTotal[] {
  const totals = new Map<string, PhaseTotal>();
  for (const { label, from, to, tone } of bands) {
    const total = totals.get(label) ?? { name: label, tone, times: 0, totalMs: 0 };
    total.times++;
    total.totalMs += to - from;
    totals.set(label, total);
  }
  return [...totals.values()];
}

function phaseList(bands: readonly ChartBand[]): Markup | undefined {
  if (bands.length === 0) return undefined;
  const totals = totalsOf(bands);
  const left = totals.length - PHASES_LISTED;
  return html`<ol class="phases" aria-label="Phases of the migration">
    ${totals.slice(0, PHASES_LISTED).map(
      ({ name, tone, times, totalMs }) =>
        html`<li>
          <i class="swatch tone-${tone}"></i>${name}${times > 1 ? ` × ${formatCount(times)}` : ''}
          <b>${formatMs(totalMs)}</b>
        </li>`,
    )}
    ${left > 0 ? html`<li>… ${formatCount(left)} more</li>` : undefined}
  </ol>`;
}
