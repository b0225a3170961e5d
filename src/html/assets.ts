// uPlot as the browser gets it: read from the installed package, put into the page as it is.
// Knows nothing of what is drawn with it.
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';

const require = createRequire(import.meta.url);

/** A browser turns CR LF into LF before it hashes a script; so does this. */
function read(file: string): string {
  return readFileSync(require.resolve(`uplot/dist/${file}`), 'utf8').replace(/\r\n?/g, '\n');
}

/** The drawing library's script and style sheet. */
export function plotAssets(): { readonly script: string; readonly style: string } {
  return { script: read('uPlot.iife.min.js'), style: read('uPlot.min.css') };
}
