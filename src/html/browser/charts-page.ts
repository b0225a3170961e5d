// The frame of a page with charts: the drawing library, the drawing code and the style sheet are all in it.
// Reads the drawing library; knows nothing of what the page shows.
import { plotAssets } from '../assets.js';
import { chartsDrawing } from './charts-drawing.js';
import { jsonIsland, type Markup } from '../markup.js';
import { renderPage } from '../page.js';
import { pageStyle } from './style.js';

export interface ChartsPageParts {
  readonly title: string;
  readonly body: Markup;
  /** JSON for the page's script, in the element "charts". */
  readonly island: unknown;
  /** The page's own script; comes after the drawing library and the drawing code. */
  readonly client: string;
  /** Whether the page may ask its own origin for more; no page may ask another. */
  readonly connects: boolean;
}

export function renderChartsPage({ title, body, island, client, connects }: ChartsPageParts): string {
  const plot = plotAssets();
  return renderPage({
    title,
    styles: [plot.style, pageStyle],
    body,
    islands: jsonIsland('charts', island),
    scripts: [plot.script, chartsDrawing, client],
    connects,
  });
}
