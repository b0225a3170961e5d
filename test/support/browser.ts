// A headless browser for tests that look at pages, and what a page complains of.
// Knows where a browser may be; a machine without one skips those tests and says so.
import { execFileSync } from 'node:child_process';
import { chromium, type Browser, type Page } from 'playwright-core';

const launchArguments = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Where the browser is, if there is one. */
export const executablePath = findBrowser();

/** For the name of what is skipped without one. */
export const browserNote =
  executablePath === undefined ? ' (skipped: no chromium here; apt-get install chromium)' : '';

export function launchBrowser(): Promise<Browser> {
  return chromium.launch({ executablePath: executablePath!, args: launchArguments });
}

/** What a page says on its console or throws, and what it asks for, from now on. */
export function watchPage(page: Page): { readonly complaints: string[]; readonly requests: string[] } {
  const complaints: string[] = [];
  const requests: string[] = [];
  page.on('console', (message) => complaints.push(message.text()));
  page.on('pageerror', (error) => complaints.push(String(error)));
  page.on('request', (request) => requests.push(request.url()));
  return { complaints, requests };
}

function findBrowser(): string | undefined {
  for (const name of ['chromium', 'chromium-browser']) {
    try {
      return execFileSync('which', [name], { encoding: 'utf8' }).trim();
    } catch {
      // The next name, or none.
    }
  }
  return undefined;
}

/**
 * Runs in the browser, where there are types that this program does not have: how many colours a canvas has on it. It
 * reads a copy: a browser complains on the console of a drawing that is read again and again.
 */
export function countColours(drawn: unknown): number {
  interface Drawing {
    drawImage(image: unknown, x: number, y: number): void;
    getImageData(...box: readonly number[]): { readonly data: Uint8Array };
  }
  interface Canvas {
    width: number;
    height: number;
    readonly ownerDocument: { createElement(name: 'canvas'): Canvas };
    getContext(kind: '2d', options: { willReadFrequently: boolean }): Drawing;
  }
  const { width, height, ownerDocument } = drawn as Canvas;
  const copy = ownerDocument.createElement('canvas');
  Object.assign(copy, { width, height });
  const drawing = copy.getContext('2d', { willReadFrequently: true });
  drawing.drawImage(drawn, 0, 0);
  const { data } = drawing.getImageData(0, 0, width, height);
  const colours = new Set<number>();
  for (let at = 0; at < data.length; at += 4)
    if (data[at + 3] === 255) colours.add(data[at]! * 65_536 + data[at + 1]! * 256 + data[at + 2]!);
  return colours.size;
}
