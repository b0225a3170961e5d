// The scripts and style sheets that pages bring to a browser, as the build has bundled them from src/html/browser.
// Knows where they are; nothing of what is in them.
import { readFileSync } from 'node:fs';

export type Script = 'report-page' | 'live-page';
export type StyleSheet = 'charts-page' | 'comparison-page';

export function scriptOf(name: Script): string {
  return read(`${name}.js`);
}

export function styleOf(name: StyleSheet): string {
  return read(`${name}.css`);
}

function read(file: string): string {
  return readFileSync(new URL(`./browser/${file}`, import.meta.url), 'utf8');
}
