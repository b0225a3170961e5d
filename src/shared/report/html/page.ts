// The frame of every page: style, drawing library and scripts are all in it, and its policy allows no others.
// Reads the drawing library; knows nothing of what the page shows.
import { createHash } from 'node:crypto';
import { plotAssets } from './assets.js';
import { chartsDrawing } from './charts-drawing.js';
import { html, jsonIsland, trusted, type Markup } from './markup.js';
import { pageStyle } from './style.js';

export interface PageParts {
  readonly title: string;
  readonly body: Markup;
  /** JSON for the page's script, in the element "charts". */
  readonly island: unknown;
  /** The page's own script; comes after the drawing library and the drawing code. */
  readonly client: string;
  /** Whether the page may ask its own origin for more; no page may ask another. */
  readonly connects: boolean;
}

export function renderPage({ title, body, island, client, connects }: PageParts): string {
  const plot = plotAssets();
  const scripts = [plot.script, chartsDrawing, client];
  const page = html`<!doctype html>
    <html lang="en">
      <head>
        <meta charset="utf-8" />
        <meta http-equiv="Content-Security-Policy" content="${contentPolicy(scripts, connects)}" />
        <meta name="viewport" content="width=device-width, initial-scale=1" />
        <meta name="color-scheme" content="light dark" />
        <title>${title}</title>
        <link rel="icon" href="data:," />
        <style>
          ${trusted(plot.style)} ${trusted(pageStyle)}
        </style>
      </head>
      <body>
        <main>${body}</main>
        ${jsonIsland('charts', island)} ${scripts.map(scriptElement)}
      </body>
    </html>`;
  return `${page.text}\n`;
}

/** The script to the letter: its hash is in the page's policy. */
function scriptElement(script: string): Markup {
  return trusted(`<script>${script}</script>`);
}

/** Of scripts, only those run that are named by their hash, whatever else got into the page. */
function contentPolicy(scripts: readonly string[], connects: boolean): string {
  const hashes = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src ${hashes.join(' ')}`;
  return connects ? `${policy}; connect-src 'self'` : policy;
}
