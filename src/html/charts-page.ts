// The frame of a page with charts: its script, its style sheet and what they draw are all in it.
// Knows nothing of what the page shows.
import { scriptOf, styleOf, type Script } from './bundles.js';
import { ISLAND_ID, type LiveIsland, type ReportIsland } from './islands.js';
import { jsonIsland, type Markup } from './markup.js';
import { renderPage } from './page.js';

export interface ChartsPageParts {
  readonly title: string;
  readonly body: Markup;
  /** What the page says to its script. */
  readonly island: ReportIsland | LiveIsland;
  readonly script: Script;
  /** Whether the page may ask its own origin for more; no page may ask another. */
  readonly connects: boolean;
}

export function renderChartsPage({ title, body, island, script, connects }: ChartsPageParts): string {
  return renderPage({
    title,
    style: styleOf('charts-page'),
    body,
    islands: jsonIsland(ISLAND_ID, island),
    scripts: [scriptOf(script)],
    connects,
  });
}
