// The page that shows a run while it lasts: the frame of its figures and charts, which its feed fills.
// Knows what is asked for; nothing of how it gets on.
import { formatCount, formatMemory } from '../../shared/units.js';
import { chartPlace, type Chart } from '../charts.js';
import { liveCharts } from './charts.js';
import { UNKNOWN, type LiveTextName } from './texts.js';
import { html, type Markup } from '../markup.js';
import { renderChartsPage } from '../charts-page.js';
import { card, tile } from '../sections/section.js';

/** What is asked for. */
export interface LiveSubject {
  readonly program: string;
  readonly memoryBytes: number;
  readonly residentBytes: number;
  readonly vcpus: number;
  readonly mode: string;
  readonly stunBudgetMs: number;
}

export function renderLivePage(subject: LiveSubject): string {
  const { throughput, stalls, bandwidth, rounds } = liveCharts;
  return renderChartsPage({
    title: `microstun: ${subject.program}, live`,
    body: html`<div id="head">${head(subject)}</div>
      <p class="notice" id="link" role="status" hidden></p>
      <div id="outcome"></div>
      ${chartCard(
        throughput,
        'The guest at work',
        'Pages that the guest writes a second: at the source, then at the destination, as it tells. Its audit is not drawn.',
        'Pages written a second over time, at the source and at the destination',
      )}
      <div class="pair">
        ${chartCard(
          stalls,
          'Its longest stalls',
          'The longest that a vCPU stood between two slices.',
          'The longest stall of any vCPU over time, at the source and at the destination',
        )}
        ${chartCard(
          bandwidth,
          'On the wire',
          'What all page connections send together.',
          'Bytes sent a second over time',
        )}
      </div>
      ${chartCard(
        rounds,
        'Rounds',
        'Each bar is what was dirty when a round began, and what of it is sent.',
        'Dirty pages and sent pages of each round',
      )}
      <noscript><p class="missing">The live view needs JavaScript.</p></noscript>
      <footer>
        Made by microstun. Charts drawn by uPlot. This page asks only the process that serves it.
      </footer>`,
    island: { charts: Object.values(liveCharts) },
    script: 'live-page',
    connects: true,
  });
}

function head({ program, memoryBytes, residentBytes, vcpus, mode }: LiveSubject): Markup {
  return html`<header>
    <p class="eyebrow"><b>microstun</b> live view</p>
    <h1>${live('headline', 'Waiting for the first figures')}</h1>
    <p class="subtitle">
      Guest <q>${program}</q> with ${formatMemory(memoryBytes, residentBytes)} and ${formatCount(vcpus)}
      ${vcpus === 1 ? 'vCPU' : 'vCPUs'}, to be moved by ${mode}.
    </p>
    <p class="badges">
      <span class="badge is-live">${live('phase', 'connecting')}</span>
      <span class="badge">${live('elapsed')}</span>
    </p>
    <dl class="tiles">
      ${tile('The guest writes', live('throughput'), live('throughputRemark'))}
      ${tile('Longest stall so far', live('stall'), live('stallRemark'))}
      ${tile('Pages left', live('left'), live('leftRemark'))}
      ${tile('On the wire', live('bytes'), live('bandwidth'))}
      ${tile('Forecast stun', live('forecast'), live('forecastRemark'))}
    </dl>
  </header>`;
}

/** The element of a text that changes. */
function live(name: LiveTextName, first = UNKNOWN): Markup {
  return html`<span data-live="${name}">${first}</span>`;
}

function chartCard(chart: Chart, title: string, lede: string, description: string): Markup {
  return card(
    chart.id,
    title,
    html`<p class="lede">${lede}</p>
      ${chartPlace(chart, description)}`,
  );
}
