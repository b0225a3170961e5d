// The HTML report in a browser: what `report` and `demo --report` write is opened, read and photographed.
import { execFile } from 'node:child_process';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import type { Browser } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { formatMs } from '../../src/shared/units.js';
import { browserNote, countColours, executablePath, launchBrowser, watchPage } from '../support/browser.js';
import { fieldOf, fixtureReport } from '../support/report-fixture.js';

const main = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

interface Ended {
  readonly status: number;
  readonly stdout: string;
  readonly stderr: string;
}

function microstun(...args: string[]): Promise<Ended> {
  return new Promise((resolve) => {
    execFile(
      process.execPath,
      [main, ...args],
      { maxBuffer: 2 ** 26, timeout: 50_000 },
      (error, stdout, stderr) => {
        const status = error === null ? 0 : typeof error.code === 'number' ? error.code : -1;
        resolve({ status, stdout, stderr });
      },
    );
  });
}

let folder = '';
const inFolder = (name: string): string => path.join(folder, name);

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'microstun-report-'));
  await writeFile(inFolder('run.json'), JSON.stringify(fixtureReport));
});

afterAll(async () => {
  // MICROSTUN_KEEP_SCREENSHOTS=1 leaves the pages and the screenshots to be looked at.
  if (process.env['MICROSTUN_KEEP_SCREENSHOTS'] === undefined)
    await rm(folder, { recursive: true, force: true });
  else process.stderr.write(`screenshots are in ${folder}\n`);
});

describe('microstun report', () => {
  it('draws a saved report beside it', async () => {
    const { status, stdout, stderr } = await microstun('report', inFolder('run.json'));
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(stderr).toContain(inFolder('run.html'));
    expect(await readFile(inFolder('run.html'), 'utf8')).toMatch(/^<!doctype html>/);
  });

  it('draws it where it is told to', async () => {
    const { status } = await microstun('report', inFolder('run.json'), '--out', inFolder('elsewhere.html'));
    expect(status).toBe(0);
    expect(await readFile(inFolder('elsewhere.html'), 'utf8')).toMatch(/^<!doctype html>/);
  });

  it.each([
    ['a file that is not there', () => ['none.json'], /none\.json cannot be read/],
    ['a file that is no report', () => [main], /is no JSON/],
    [
      'a folder that is not there',
      () => [inFolder('run.json'), '--out', inFolder('no/x.html')],
      /names no file that could be written/,
    ],
    [
      'a name that would overwrite it',
      () => [inFolder('run.json'), '--out', inFolder('run.json')],
      /is the report itself/,
    ],
  ])('refuses %s with status 2', async (_, args, words) => {
    const { status, stderr } = await microstun('report', ...args());
    expect(stderr).toMatch(words);
    expect(stderr).not.toMatch(/\n\s+at /);
    expect(status).toBe(2);
  });
});

describe('demo --report', () => {
  it('draws the migration that it prints, and prints nothing else', async () => {
    const { status, stdout } = await microstun(
      ...[
        'demo',
        '--memory',
        '32MiB',
        '--migrate-after',
        '100ms',
        '--json',
        '--report',
        inFolder('demo.html'),
      ],
    );
    expect(status).toBe(0);
    const report: unknown = JSON.parse(stdout);
    const page = await readFile(inFolder('demo.html'), 'utf8');
    const stunMs = fieldOf(report, 'stun.stunMs') as number;
    expect(page).toContain(`<data data-field="stun.stunMs" value="${stunMs}">${formatMs(stunMs)}</data>`);
  });

  it('refuses a folder that is not there before it migrates', async () => {
    const { status, stdout, stderr } = await microstun('demo', '--report', inFolder('no/x.html'));
    expect(stderr).toContain('names no file that could be written');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });
});

describe.skipIf(executablePath === undefined)(`the HTML report in a browser${browserNote}`, () => {
  let browser: Browser;

  beforeAll(async () => {
    browser = await launchBrowser();
    await microstun('report', inFolder('run.json'), '--out', inFolder('seen.html'));
  });

  afterAll(async () => {
    await browser.close();
  });

  it.each([
    ['light', 'light', 1280],
    ['dark', 'dark', 1280],
    ['phone', 'light', 390],
    ['phone-dark', 'dark', 390],
  ] as const)(
    '%s: it draws all, asks for nothing, complains of nothing',
    async (name, colorScheme, width) => {
      const page = await browser.newPage({ colorScheme, viewport: { width, height: 860 } });
      const { complaints, requests } = watchPage(page);
      const address = pathToFileURL(inFolder('seen.html')).href;
      await page.goto(address);
      await page.waitForSelector('html[data-drawn="5"]', { timeout: 10_000 });

      const figures = await page.evaluate<[string, string][]>(
        `[...document.querySelectorAll('data[data-field]')].map((one) => [one.dataset.field, one.value])`,
      );
      expect(figures.length).toBeGreaterThan(40);
      for (const [field, value] of figures) expect(Number(value), field).toBe(fieldOf(fixtureReport, field));
      expect(await page.textContent('h1')).toBe(
        `The guest stood still for ${formatMs(fixtureReport.stun.guestGapMs)}`,
      );

      // Every chart has ink on it, in the colours of this scheme.
      for (const id of ['timeline', 'stalls', 'rounds', 'faults', 'gaps']) {
        const colours = await page.$eval(`#chart-${id} canvas`, countColours);
        expect(colours, id).toBeGreaterThan(4);
      }
      expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
      const picture = await page.screenshot({ path: inFolder(`${name}.png`), fullPage: true });
      expect(picture.length).toBeGreaterThan(50_000);
      await page.close();

      expect(complaints).toEqual([]);
      expect(requests).toEqual([address]);
    },
  );

  it('shows what lies under the pointer, and another scale at a click', async () => {
    const page = await browser.newPage({ viewport: { width: 1280, height: 860 } });
    await page.goto(pathToFileURL(inFolder('seen.html')).href);
    await page.waitForSelector('html[data-drawn="5"]', { timeout: 10_000 });
    await page.hover('#bitmap-grid', { position: { x: 5, y: 5 } });
    expect(await page.textContent('#bitmap-cell')).toBe('0x0–0x1fffff: 2 of 512 pages dirty');
    const toggle = page.locator('button[data-chart="rounds"]');
    expect((await toggle.textContent())?.trim()).toBe('log scale');
    await toggle.click();
    expect((await toggle.textContent())?.trim()).toBe('linear scale');
    expect(await page.textContent('#chart-rounds .y-title')).toBe('pages, log scale');
    await page.close();
  });
});
