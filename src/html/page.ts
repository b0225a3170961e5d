// The shell of a page that needs nothing else: head, policy, style and scripts around what a report has to show.
// Knows nothing of reports.
import { createHash } from 'node:crypto';
import { html, trusted, type Insert, type Markup } from './markup.js';

export interface PageParts {
  readonly title: string;
  /** A style sheet; never text from a report. */
  readonly style: string;
  readonly body: Markup;
  /** What the scripts read, after the body. */
  readonly islands: Insert;
  /** Only these run, by their hash. */
  readonly scripts: readonly string[];
  /** Whether the page may ask its own origin for more; no page may ask another. */
  readonly connects?: boolean;
}

export function renderPage({ title, style, body, islands, scripts, connects = false }: PageParts): string {
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
          ${trusted(style)}
        </style>
      </head>
      <body>
        <main>${body}</main>
        ${islands} ${scripts.map(scriptElement)}
      </body>
    </html>`;
  return `${page.text}\n`;
}

/** The script to the letter: its hash is in the page's policy. */
function scriptElement(script: string): Markup {
  return trusted(`<script>${script}</script>`);
}

/** Nothing is loaded; of scripts, only those run that are named by their hash, whatever else got into the page. */
function contentPolicy(scripts: readonly string[], connects: boolean): string {
  const hashes = scripts.map((script) => `'sha256-${createHash('sha256').update(script).digest('base64')}'`);
  const policy = `default-src 'none'; img-src data:; style-src 'unsafe-inline'; script-src`;
  const allowed = hashes.length === 0 ? `'none'` : hashes.join(' ');
  return `${policy} ${allowed}${connects ? `; connect-src 'self'` : ''}`;
}
