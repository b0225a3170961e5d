// How long vCPUs waited: for absent pages after the switch-over, and between two slices while the migration ran.
// Knows the report; drawing is the page's script.
import { formatCount, formatMs } from '../../shared/units.js';
import type { GapsReport, HistogramBucket, MigrationReport, PostcopyReport } from '../../report/document.js';
import { chartPlace, type Chart, type ChartSeries, type Colour } from '../charts.js';
import { figure, html, type Markup } from '../markup.js';
import { card, missing, tile, type Section } from './section.js';

/** Buckets that were empty are not in the report; between two that are, at most this many are drawn. */
const EMPTY_BUCKETS_MAX = 100;

export function faultSection({ postcopy }: MigrationReport): Section {
  const title = 'Waiting for pages';
  if (postcopy === null) {
    const note = missing('Every page was there when the guest resumed: no vCPU had to wait for one.');
    return { markup: card('faults', title, note), charts: [] };
  }
  const facts = postcopyTiles(postcopy);
  if (postcopy.histogram.length === 0) {
    const note = missing('No vCPU touched an absent page.');
    return { markup: card('faults', title, html`${note} ${facts}`), charts: [] };
  }
  const chart = histogramOf('faults', 'faults', [['faults', 'destination', postcopy.histogram]]);
  return {
    charts: [chart],
    markup: card(
      'faults',
      title,
      html`<p class="lede">How long a vCPU at the destination waited for a page that was not there yet.</p>
        ${chartPlace(chart, 'Remote page faults by their latency')} ${facts}`,
    ),
  };
}

function postcopyTiles({
  remotePageFaults,
  fetchedPages,
  pushedPages,
  faultLatencyUs,
}: PostcopyReport): Markup {
  const latency = (quantile: keyof PostcopyReport['faultLatencyUs']): Markup =>
    figure(
      `postcopy.faultLatencyUs.${quantile}`,
      faultLatencyUs[quantile],
      formatMs(faultLatencyUs[quantile] / 1000),
    );
  return html`<dl class="tiles is-small">
    ${tile('Median', latency('p50'), html`p99 ${latency('p99')}, max ${latency('max')}`)}
    ${tile(
      'Remote page faults',
      figure('postcopy.remotePageFaults', remotePageFaults, formatCount(remotePageFaults)),
      html`${figure('postcopy.fetchedPages', fetchedPages, formatCount(fetchedPages))} pages fetched by them`,
    )}
    ${tile(
      'Pages pushed',
      figure('postcopy.pushedPages', pushedPages, formatCount(pushedPages)),
      'unasked, after the resume',
    )}
  </dl>`;
}

export function gapSection({ gaps, trace }: MigrationReport): Section {
  const title = 'Standing still between slices';
  const longest = html`<dl class="tiles is-small">
    ${tile(
      'Longest pause of a vCPU',
      figure('trace.longestVcpuPauseMs', trace.longestVcpuPauseMs, formatMs(trace.longestVcpuPauseMs)),
      'before the stun, sleep aside',
    )}
    ${tile(
      'Stopped for traces',
      figure('trace.stoppedMs', trace.stoppedMs, durationOrNone(trace.stoppedMs)),
      html`all vCPUs together; longest
      ${figure('trace.longestStopMs', trace.longestStopMs, durationOrNone(trace.longestStopMs))}`,
    )}
    ${tile(
      'Throttled',
      figure('trace.throttledMs', trace.throttledMs, durationOrNone(trace.throttledMs)),
      'sleep imposed, all vCPUs together',
    )}
  </dl>`;
  if (gaps.before === null && gaps.during === null && gaps.after === null) {
    const note = missing('How gaps were distributed was not recorded in this run.');
    return { markup: card('gaps', title, html`${note} ${longest}`), charts: [] };
  }
  const chart = histogramOf('gaps', 'gaps', series(gaps));
  return {
    charts: [chart],
    markup: card(
      'gaps',
      title,
      html`<p class="lede">
          Gaps between two slices of a vCPU before, while and after it was moved; sleep and the stun aside.
        </p>
        ${chartPlace(chart, 'Gaps between slices by their length, before, during and after the migration')}
        ${gapTable(gaps)} ${longest}`,
    ),
  };
}

function durationOrNone(ms: number): string {
  return ms === 0 ? 'none' : formatMs(ms);
}

type NamedBuckets = readonly [label: string, colour: Colour, buckets: readonly HistogramBucket[]];

function series({ before, during, after }: GapsReport): NamedBuckets[] {
  return [
    ['before', 'before', before?.buckets ?? []],
    ['during', 'source', during?.buckets ?? []],
    ['after', 'destination', after?.buckets ?? []],
  ];
}

const gapFigures = ['p50Us', 'p99Us', 'p999Us', 'maxUs'] as const;

function gapTable(gaps: GapsReport): Markup {
  const times = ['before', 'during', 'after'] as const;
  return html`<div class="scroll">
    <table>
      <thead>
        <tr>
          <th scope="col"></th>
          <th scope="col">gaps</th>
          <th scope="col">median</th>
          <th scope="col">p99</th>
          <th scope="col">p99.9</th>
          <th scope="col">max</th>
        </tr>
      </thead>
      <tbody>
        ${times.map((time) => {
          const histogram = gaps[time];
          if (histogram === null) return undefined;
          return html`<tr>
            <th scope="row">${time}</th>
            <td>${figure(`gaps.${time}.count`, histogram.count, formatCount(histogram.count))}</td>
            ${gapFigures.map(
              (name) =>
                html`<td>
                  ${figure(`gaps.${time}.${name}`, histogram[name], formatMs(histogram[name] / 1000))}
                </td>`,
            )}
          </tr>`;
        })}
      </tbody>
    </table>
  </div>`;
}

/** Several histograms over the same half octaves. */
function histogramOf(id: string, what: string, named: readonly NamedBuckets[]): Chart {
  const boundsUs = withEmptyBuckets(named.flatMap(([, , buckets]) => buckets.map(({ belowUs }) => belowUs)));
  const shown = named.filter(([, , buckets]) => buckets.length > 0);
  const isSingle = shown.length === 1;
  return {
    id,
    kind: 'bars',
    x: boundsUs.map((_, at) => at),
    xLabels: boundsUs.map((belowUs) => `< ${formatMs(belowUs / 1000)}`),
    xTitle: '',
    yTitle: what,
    isLog: spansDecades(named),
    bands: [],
    series: shown.map(([label, colour, buckets], at): ChartSeries => {
      const counts = new Map<number, number>();
      for (const { belowUs, count } of buckets) counts.set(belowUs, (counts.get(belowUs) ?? 0) + count);
      return {
        label,
        colour,
        values: boundsUs.map((belowUs) => counts.get(belowUs) ?? 0),
        width: isSingle || at === 0 ? 0.84 : 0.46,
      };
    }),
  };
}

/** Counts this many times as large as others hide them on a linear axis. */
const LOG_RATIO = 50;

function spansDecades(named: readonly NamedBuckets[]): boolean {
  const counts = named
    .flatMap(([, , buckets]) => buckets.map(({ count }) => count))
    .filter((count) => count > 0);
  const highest = counts.reduce((one, other) => Math.max(one, other), 0);
  const lowest = counts.reduce((one, other) => Math.min(one, other), highest);
  return highest > LOG_RATIO * lowest;
}

/** Half octaves that nothing fell into are drawn too: the axis stays even. */
function withEmptyBuckets(boundsUs: readonly number[]): number[] {
  const sorted = [...new Set(boundsUs)].sort((one, other) => one - other);
  const all: number[] = [];
  let added = 0;
  for (const [at, bound] of sorted.entries()) {
    all.push(bound);
    const next = sorted[at + 1];
    if (next === undefined || bound <= 0) continue;
    for (let step = bound * Math.SQRT2; step < next / 1.2 && added < EMPTY_BUCKETS_MAX; step *= Math.SQRT2) {
      all.push(step);
      added++;
    }
  }
  return all;
}
