// The live view in a browser and without one: opened while a migration runs and after it, and what becomes of the process.
import { mkdtemp, rm } from 'node:fs/promises';
import { get } from 'node:http';
import { createServer, type AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { Browser, Page } from 'playwright-core';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { LivePatch } from '../../src/html/live/patch.js';
import { formatMs } from '../../src/shared/units.js';
import { browserNote, countColours, executablePath, launchBrowser } from '../support/browser.js';
import { endAll, reportOf, small, startCli, type CliProcess } from '../support/cli.js';

afterEach(endAll);

const anyPort = ['--dashboard', '127.0.0.1:0', '--json'];

/** Where a process says that its live view is. */
async function viewOf(process: CliProcess): Promise<string> {
  const [, url] = await process.said(/live view: (http:\S+)/);
  return url!;
}

/** Opens the feed, takes its first patch and no more; answers that and a way to close it. */
async function openFeed(url: string): Promise<{ patch: LivePatch; close(): void }> {
  const leaving = new AbortController();
  const { body } = await fetch(new URL('events', url), { signal: leaving.signal });
  const reader = body!.pipeThrough(new TextDecoderStream()).getReader();
  let text = '';
  while (!text.includes('\n\n')) text += (await reader.read()).value ?? '';
  return {
    patch: JSON.parse(/^data: (.*)\n\n/.exec(text)![1]!) as LivePatch,
    close() {
      leaving.abort();
    },
  };
}

/** The status of a request that names another host, as after DNS rebinding; fetch would name the right one. */
function statusByAnotherName(url: string): Promise<number | undefined> {
  return new Promise((resolve, reject) => {
    const headers = { host: `evil.example:${new URL(url).port}` };
    get(url, { headers }, ({ statusCode }) => {
      resolve(statusCode);
    }).once('error', reject);
  });
}

describe('a live view', () => {
  it('that nobody opens says so, and the process ends by itself with the status of the migration', async () => {
    const ended = await startCli('demo', ...small(), ...anyPort).ended;
    expect(ended.stderr).toContain('nobody has opened the live view; it ends in');
    expect(reportOf(ended).outcome).toBe('completed');
  });

  it('names the address that is in use, and the flag, before anything is migrated', async () => {
    const taken = createServer();
    await new Promise<void>((resolve) => taken.listen(0, '127.0.0.1', resolve));
    const { port } = taken.address() as AddressInfo;
    const { status, stdout, stderr } = await startCli('demo', ...small(), '--dashboard', `${port}`).ended;
    taken.close();
    expect(stderr).toContain(
      `127.0.0.1:${port} is in use by another program; stop it or choose another port with --dashboard`,
    );
    expect(stderr).not.toContain('booting');
    expect({ status, stdout }).toEqual({ status: 3, stdout: '' });
  });

  it('keeps the process while it is open, and no longer; the report is printed before', async () => {
    const demo = startCli('demo', ...small(), ...anyPort);
    const feed = await openFeed(await viewOf(demo));
    expect(feed.patch.state).toMatch(/booting|running/);
    await demo.said(/the live view stays until its last page is closed/);
    expect(demo.printed).toContain('"outcome": "completed"');
    feed.close();
    expect((await demo.ended).status).toBe(0);
  });

  it('ends at once when it is interrupted after the migration, which stays completed', async () => {
    const demo = startCli('demo', ...small(), ...anyPort);
    const feed = await openFeed(await viewOf(demo));
    await demo.said(/the live view stays until its last page is closed/);
    demo.kill('SIGINT');
    expect(reportOf(await demo.ended).outcome).toBe('completed');
    feed.close();
  });

  it('ends at once when the migration is cancelled, whoever looks', async () => {
    const source = startCli('source', '--once', '--to', '127.0.0.1:1', ...small(), ...anyPort);
    const feed = await openFeed(await viewOf(source));
    await source.said(/connecting to the destination/);
    source.kill('SIGINT');
    const { status, stderr } = await source.ended;
    expect(status).toBe(130);
    expect(stderr).not.toContain('the live view stays');
    feed.close();
  });

  it('answers neither another name nor another origin', async () => {
    const source = startCli('source', '--once', '--to', '127.0.0.1:1', ...small(), ...anyPort);
    const url = await viewOf(source);
    const statusOf = async (place: string, headers: Record<string, string>): Promise<number> =>
      (await fetch(new URL(place, url), { headers })).status;
    expect(await statusOf('', {})).toBe(200);
    expect(await statusByAnotherName(url)).toBe(403);
    expect(await statusOf('events', { origin: 'http://evil.example' })).toBe(403);
    expect(await statusOf('report', {})).toBe(404);
    source.kill('SIGINT');
    expect((await source.ended).status).toBe(130);
  });
});

describe.skipIf(executablePath === undefined)(`a live view in a browser${browserNote}`, () => {
  let browser: Browser;
  let folder = '';
  /** What pages say on their consoles, and what they ask of others. */
  let complaints: string[] = [];
  let foreign: string[] = [];

  beforeEach(() => {
    complaints = [];
    foreign = [];
  });

  beforeAll(async () => {
    browser = await launchBrowser();
    folder = await mkdtemp(path.join(tmpdir(), 'microstun-live-'));
  });

  afterAll(async () => {
    await browser.close();
    // MICROSTUN_KEEP_SCREENSHOTS=1 leaves the screenshots to be looked at.
    if (process.env['MICROSTUN_KEEP_SCREENSHOTS'] === undefined)
      await rm(folder, { recursive: true, force: true });
    else process.stderr.write(`screenshots are in ${folder}\n`);
  });

  async function open(url: string, colorScheme: 'light' | 'dark', width: number): Promise<Page> {
    const page = await browser.newPage({ colorScheme, viewport: { width, height: 860 } });
    const [said, asked] = [complaints, foreign];
    page.on('console', (message) => said.push(message.text()));
    page.on('pageerror', (error) => said.push(String(error)));
    page.on('request', (request) => {
      if (!request.url().startsWith(url)) asked.push(request.url());
    });
    await page.goto(url);
    return page;
  }

  const pointsOf = async (page: Page): Promise<number> =>
    Number(await page.evaluate('document.documentElement.dataset.points'));

  it('draws a migration while it runs, shows its history to who comes late, and ends as the report does', async () => {
    const demo = startCli(
      'demo',
      '--memory',
      '64MiB',
      '--bandwidth',
      // So slow that a busy browser meets it while it copies.
      '100Mbit',
      '--migrate-after',
      '2s',
      '--audit-after',
      '1s',
      ...anyPort,
    );
    const url = await viewOf(demo);
    const page = await open(url, 'light', 1280);
    await page.waitForSelector('[data-live="phase"]:text-is("copying")');
    await page.waitForFunction('Number(document.documentElement.dataset.points) > 5');
    for (const id of ['throughput', 'stalls', 'bandwidth'])
      await expect
        .poll(() => page.$eval(`#chart-${id} canvas`, countColours), { message: id, timeout: 30_000 })
        .toBeGreaterThan(4);
    await page.screenshot({ path: path.join(folder, 'during.png'), fullPage: true });
    await page.waitForSelector('html[data-state="completed"]');

    // The process stays for the page that is open: a page that is opened now gets everything.
    const late = await open(url, 'dark', 390);
    await late.waitForSelector('html[data-state="completed"][data-points]');
    expect(await pointsOf(late)).toBe(await pointsOf(page));
    // The guest was seen to arrive: first it writes here, then there.
    const feed = await openFeed(url);
    const [here, there] = feed.patch.charts.find(({ id }) => id === 'throughput')!.values;
    feed.close();
    expect(here!.some((rate) => rate !== null && rate > 0)).toBe(true);
    expect(there!.some((rate) => rate !== null && rate > 0)).toBe(true);
    const whole = await browser.newPage();
    await whole.goto(new URL('report', url).href);
    const reported = await whole.getAttribute('data[data-field="stun.guestGapMs"]', 'value');
    await whole.close();
    for (const one of [page, late]) {
      expect(await one.getAttribute('data[data-field="stun.guestGapMs"]', 'value')).toBe(reported);
      expect(await one.$eval('#chart-rounds canvas', countColours)).toBeGreaterThan(4);
      expect(await one.textContent('h1')).toContain(formatMs(Number(reported)));
      expect(await one.getAttribute('a.action', 'href')).toBe('report');
    }
    expect(await late.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await page.screenshot({ path: path.join(folder, 'completed.png'), fullPage: true });
    await late.screenshot({ path: path.join(folder, 'completed-phone-dark.png'), fullPage: true });
    await page.close();
    await late.close();

    const report = reportOf(await demo.ended);
    expect(Number(reported)).toBe(report.stun.guestGapMs);
    expect({ complaints, foreign }).toEqual({ complaints: [], foreign: [] });
  });

  it('shows clearly that a migration failed, and why', async () => {
    const nobody = ['--to', '127.0.0.1:1', '--connect-timeout', '2s', '--listen', '127.0.0.1:0'];
    const source = startCli('source', '--once', ...nobody, ...small(), ...anyPort);
    const page = await open(await viewOf(source), 'light', 1280);
    await page.waitForSelector('html[data-state="failed"]');
    expect(await page.textContent('h1')).toBe('The migration failed');
    expect(await page.textContent('#head')).toContain('cannot connect to 127.0.0.1:1');
    expect(await page.textContent('#head')).toContain('owner of the guest: source');
    await page.screenshot({ path: path.join(folder, 'failed.png'), fullPage: true });
    await page.close();
    expect((await source.ended).status).toBe(3);
    expect({ complaints, foreign }).toEqual({ complaints: [], foreign: [] });
  });
});
