// `compare` end to end: whole migrations in turn, what it writes and draws, and what it does when one fails or a user stops it.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { Comparison } from '../../src/report/comparison/comparison.js';
import type { MigrationReport } from '../../src/report/document.js';
import { browserNote, executablePath, launchBrowser, watchPage } from '../support/browser.js';
import { endAll, runCli, startCli, type Ended } from '../support/cli.js';
import { fieldOf } from '../support/report-fixture.js';

const tiny = ['--memory', '8MiB', '--migrate-after', '100ms', '--audit-after', '50ms'];
/** A migration that gives up: its first round cannot be over by then. */
const hopeless = '--bandwidth 100Mbit --time-limit 1us --on-timeout abort';

interface Saved {
  readonly comparison: Comparison;
  readonly reports: readonly (readonly (MigrationReport | null)[])[];
}

let folder = '';
const inFolder = (name: string): string => path.join(folder, name);
const savedIn = (name: string): Saved => JSON.parse(readFileSync(inFolder(name), 'utf8')) as Saved;

beforeAll(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'microstun-compare-'));
});

afterEach(endAll);

afterAll(async () => {
  // MICROSTUN_KEEP_SCREENSHOTS=1 leaves the pages and the screenshots to be looked at.
  if (process.env['MICROSTUN_KEEP_SCREENSHOTS'] === undefined)
    await rm(folder, { recursive: true, force: true });
  else process.stderr.write(`screenshots are in ${folder}\n`);
});

describe('two settings compared', () => {
  let ended: Ended;

  beforeAll(async () => {
    ended = await runCli(
      'compare',
      ...['--runs', '2', '--a', '--mode pre-copy --bitmap raw', '--b', '--mode hybrid'],
      ...[...tiny, '--out', inFolder('all.json'), '--report', inFolder('all.html')],
    );
  });

  it('are shown as a table, with progress on standard error', () => {
    expect(ended.stderr).toMatch(/run 1 of 4, a: stood still for .+ left\n/);
    expect(ended.stderr).toMatch(/run 4 of 4, [ab]: stood still for /);
    expect(ended.stdout).toMatch(/^guest stood still +[\d.]+ [mµ]?s +[\d.]+ [mµ]?s ×[\d.]+$/m);
    expect(ended.stdout).toMatch(/^audits that passed +2 of 2 +2 of 2$/m);
    expect(ended.stdout).toContain('a  --mode pre-copy --bitmap raw');
    expect(ended.status).toBe(0);
  });

  it('are saved with every report, of the settings that were asked for', () => {
    const { comparison, reports } = savedIn('all.json');
    expect(comparison.isComplete).toBe(true);
    expect(comparison.subject).toMatchObject({ program: 'hot-set', memoryBytes: 8 << 20, vcpus: 2 });
    expect(reports.map((ofSetting) => ofSetting.map((report) => report?.mode))).toEqual([
      ['pre-copy', 'pre-copy'],
      ['hybrid', 'hybrid'],
    ]);
    const stuns = comparison.rows.find(({ id }) => id === 'stunMs')!.cells.map(({ values }) => values);
    expect(stuns).toEqual(reports.map((ofSetting) => ofSetting.map((report) => report!.stun.stunMs)));
    expect(readdirSync(folder).filter((name) => name.endsWith('.part'))).toEqual([]);
  });

  it('are drawn again from what was saved, alike', async () => {
    const { status, stdout } = await runCli('report', inFolder('all.json'), '--out', inFolder('again.html'));
    expect({ status, stdout }).toEqual({ status: 0, stdout: '' });
    expect(readFileSync(inFolder('again.html'), 'utf8')).toBe(readFileSync(inFolder('all.html'), 'utf8'));
  });

  it.skipIf(executablePath === undefined).each([
    ['light', 'light', 1280],
    ['dark', 'dark', 1280],
    ['phone', 'light', 390],
  ] as const)(
    `are a page that asks for nothing and complains of nothing: %s${browserNote}`,
    async (name, colorScheme, width) => {
      const browser = await launchBrowser();
      try {
        const page = await browser.newPage({ colorScheme, viewport: { width, height: 860 } });
        const { complaints, requests } = watchPage(page);
        const address = pathToFileURL(inFolder('all.html')).href;
        await page.goto(address);
        const figures = await page.evaluate<[string, string][]>(
          `[...document.querySelectorAll('data[data-field]')].map((one) => [one.dataset.field, one.value])`,
        );
        const { comparison } = savedIn('all.json');
        expect(figures.length).toBeGreaterThan(40);
        for (const [field, value] of figures) expect(Number(value), field).toBe(fieldOf(comparison, field));
        // A strip of each figure has a dot of each run within it.
        const boxes = await page.evaluate<[number, number][]>(
          `[...document.querySelectorAll('.strip-dots')].map((one) => [one.getBoundingClientRect().width, one.closest('.strip').clientWidth])`,
        );
        expect(boxes.length).toBeGreaterThan(10);
        for (const [dots, strip] of boxes) expect(dots).toBeLessThanOrEqual(strip + 8);
        expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(width);
        await page.screenshot({ path: inFolder(`${name}.png`), fullPage: true });
        expect(complaints).toEqual([]);
        expect(requests).toEqual([address]);
      } finally {
        await browser.close();
      }
    },
  );
});

describe('a setting that fails', () => {
  it('keeps the runs of the other, is named with its flags, and makes the status its own', async () => {
    const { status, stdout, stderr } = await runCli(
      ...[
        'compare',
        '--json',
        '--runs',
        '2',
        '--a',
        hopeless,
        '--b',
        '',
        ...tiny,
        '--out',
        inFolder('half.json'),
      ],
    );
    expect(stderr).toMatch(
      /run 1 of 4, a: failed with status 5: .*its flags: --memory 8MiB .*--on-timeout abort/,
    );
    const comparison = JSON.parse(stdout) as Comparison;
    expect(comparison.settings.map(({ completed, failures }) => [completed, failures.length])).toEqual([
      [0, 2],
      [2, 0],
    ]);
    expect(comparison.settings[0]!.failures[0]).toMatchObject({ run: 0, status: 5, code: 'TIMEOUT' });
    expect(comparison.isComplete).toBe(true);
    expect(savedIn('half.json').comparison).toEqual(comparison);
    expect(status).toBe(5);
  });

  it('is refused before anything runs when its flags make no sense', async () => {
    const { status, stdout, stderr } = await runCli(
      'compare',
      '--a',
      '--mode hybrid',
      '--b',
      '--mode teleport',
    );
    expect(stderr).toMatch(/^microstun: setting "b": [^]*teleport/);
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });

  it('is refused where it has no flags at all', async () => {
    const { status, stdout } = await runCli('compare', '--a', '--b', '--mode hybrid');
    expect({ status, stdout }).toEqual({ status: 2, stdout: '' });
  });
});

describe('an interrupt', () => {
  it('ends the run under way, shows and saves what was done, and ends with 130', async () => {
    const compare = startCli(
      'compare',
      '--runs',
      '100',
      '--a',
      '',
      '--b',
      '--mode pre-copy',
      ...tiny,
      '--out',
      inFolder('cut.json'),
    );
    await compare.said(/run 2 of 200/);
    compare.kill('SIGINT');
    const { status, stdout, stderr } = await compare.ended;
    expect(status).toBe(130);
    expect(stdout).toMatch(/interrupted after \d+, \d+\./);
    expect(stderr).toContain('interrupted; what was done is above');
    const { comparison, reports } = savedIn('cut.json');
    expect(comparison.isComplete).toBe(false);
    expect(reports.flat().filter((report) => report !== null).length).toBeGreaterThanOrEqual(2);
  });

  it('before the first run has ended says so and writes nothing', async () => {
    const compare = startCli(
      'compare',
      '--log-level',
      'warn',
      '--migrate-after',
      '40s',
      '--out',
      inFolder('none.json'),
    );
    await compare.said(/comparing 5 settings/);
    compare.kill('SIGINT');
    const { status, stdout, stderr } = await compare.ended;
    expect(stderr).toContain('interrupted before the first run had ended');
    expect({ status, stdout }).toEqual({ status: 130, stdout: '' });
    expect(existsSync(inFolder('none.json'))).toBe(false);
  });
});
