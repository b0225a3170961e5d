// The bitmap of a report in a browser: one looks closer at a guest of 24 TiB, down to a region, by pointer and by keys.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { renderHtml } from '../../src/html/html-report.js';
import { browserNote, executablePath, launchBrowser, watchPage } from '../support/browser.js';
import { fixtureReport } from '../support/report-fixture.js';

const NBSP = /\u00a0/g;

/** 24 TiB with chunks all over, one page of each dirty; and two regions side by side at 17 TiB. */
const dirtyRegions = [
  ...Array.from({ length: 300 }, (_, chunk) => [chunk * 24_576 + 70, 1] as const),
  [9_000_000, 512] as const,
  [9_000_001, 7] as const,
];
const monster = {
  ...fixtureReport,
  guest: { ...fixtureReport.guest, memoryBytes: 24 * 2 ** 40 },
  bitmap: { ...fixtureReport.bitmap, rawBytes: 805_306_373, dirtyRegions },
};

describe.skipIf(executablePath === undefined)(`the bitmap in a browser${browserNote}`, () => {
  let browser: Browser;
  let folder = '';
  let address = '';

  beforeAll(async () => {
    browser = await launchBrowser();
    folder = await mkdtemp(path.join(tmpdir(), 'microstun-bitmap-'));
    await writeFile(path.join(folder, 'monster.html'), renderHtml(monster));
    address = pathToFileURL(path.join(folder, 'monster.html')).href;
  });

  afterAll(async () => {
    await browser.close();
    await rm(folder, { recursive: true, force: true });
  });

  async function open(width = 1280): Promise<Page> {
    const page = await browser.newPage({ viewport: { width, height: 860 } });
    await page.goto(address);
    await page.waitForSelector('html[data-drawn="5"]', { timeout: 10_000 });
    return page;
  }

  const textOf = async (page: Page, id: string): Promise<string> =>
    ((await page.textContent(`#${id}`)) ?? '').replace(NBSP, ' ');
  const trailOf = async (page: Page): Promise<string[]> =>
    (await page.locator('#bitmap-trail button').allTextContents()).map((text) => text.replace(NBSP, ' '));

  /** Where a cell is, of so many in a row. */
  async function placeOf(page: Page, cell: number): Promise<{ x: number; y: number }> {
    const [, , columns] = (await page.getAttribute('#bitmap-grid', 'viewBox'))!.split(' ').map(Number);
    const { width } = (await page.locator('#bitmap-grid').boundingBox())!;
    const size = width / columns!;
    return { x: ((cell % columns!) + 0.5) * size, y: (Math.floor(cell / columns!) + 0.5) * size };
  }
  const click = async (page: Page, cell: number): Promise<void> =>
    page.click('#bitmap-grid', { position: await placeOf(page, cell) });

  it('goes closer at a click, down to the pages of a region, and back by its trail', async () => {
    const page = await open();
    const { complaints } = watchPage(page);
    expect(await trailOf(page)).toEqual(['24 TiB']);
    await click(page, Math.floor(9_000_000 / 4096));
    expect(await textOf(page, 'bitmap-range')).toBe('0x112a00000000–0x112bffffffff');
    expect(await textOf(page, 'bitmap-scale')).toBe('A cell is a region of 2 MiB, a row 256 MiB.');
    await click(page, 9_000_000 % 4096);
    expect(await trailOf(page)).toEqual(['24 TiB', '8 GiB at 0x112a00000000', '256 MiB at 0x112a80000000']);
    expect(await page.locator('#bitmap-grid text').allTextContents()).toEqual(['512', '7']);
    // There is nothing closer: a click says what it is.
    await click(page, 9_000_001 % 128);
    expect(await textOf(page, 'bitmap-cell')).toBe(
      '0x112a88200000–0x112a883fffff, at 17.17 TiB: 7 of 512 pages dirty',
    );
    await page.click('#bitmap-trail button >> nth=0');
    expect(await trailOf(page)).toEqual(['24 TiB']);
    // Where one came from.
    expect(await textOf(page, 'bitmap-cell')).toContain('519 of 2,097,152 pages dirty, in 2 regions');
    expect(complaints).toEqual([]);
    await page.close();
  });

  it('goes to what the pointer is drawn over', async () => {
    const page = await open();
    await page.locator('#bitmap-grid').scrollIntoViewIfNeeded();
    const grid = (await page.locator('#bitmap-grid').boundingBox())!;
    const [from, to] = [await placeOf(page, 2), await placeOf(page, 130)];
    await page.mouse.move(grid.x + from.x, grid.y + from.y);
    await page.mouse.down();
    await page.mouse.move(grid.x + to.x, grid.y + to.y, { steps: 4 });
    await page.mouse.up();
    expect(await trailOf(page)).toEqual(['24 TiB', '1.01 TiB at 0x400000000']);
    await page.close();
  });

  it('obeys keys', async () => {
    const page = await open();
    await page.focus('#bitmap-grid');
    await page.keyboard.press('PageDown');
    expect(await textOf(page, 'bitmap-cell')).toMatch(/^0x0–.*: 1 of 2,097,152 pages dirty, in 1 region$/);
    await page.keyboard.press('ArrowRight');
    expect(await textOf(page, 'bitmap-cell')).toContain('at 8 GiB: 0 of 2,097,152');
    await page.keyboard.press('ArrowDown');
    expect(await textOf(page, 'bitmap-cell')).toContain('at 1.01 TiB: 0 of');
    await page.keyboard.press('End');
    expect(await textOf(page, 'bitmap-cell')).toContain('–0x17ffffffffff, ');
    await page.keyboard.press('PageUp');
    expect(await textOf(page, 'bitmap-cell')).toContain('519 of 2,097,152');
    await page.keyboard.press('Enter');
    await page.keyboard.press('Enter');
    expect(await trailOf(page)).toHaveLength(3);
    await page.keyboard.press('PageDown');
    expect(await textOf(page, 'bitmap-cell')).toContain(': 512 of 512 pages dirty');
    await page.keyboard.press('Escape');
    await page.keyboard.press('Escape');
    expect(await trailOf(page)).toEqual(['24 TiB']);
    // Within the buttons as well.
    await page.focus('[data-action=in]');
    await page.keyboard.press('Space');
    expect(await trailOf(page)).toHaveLength(2);
    await page.keyboard.press('Escape');
    expect(await trailOf(page)).toHaveLength(1);
    await page.close();
  });

  it('shows dirty regions alone, side by side', async () => {
    const page = await open();
    await page.click('[data-order=dirty]');
    expect(await trailOf(page)).toEqual(['302 regions']);
    expect(await page.getAttribute('[data-order=dirty]', 'aria-pressed')).toBe('true');
    await page.hover('#bitmap-grid', { position: await placeOf(page, 1) });
    expect(await textOf(page, 'bitmap-cell')).toMatch(
      /: 1 of 512 pages dirty, behind 48 GiB of clean memory$/,
    );
    await page.hover('#bitmap-grid', { position: await placeOf(page, 301) });
    expect(await textOf(page, 'bitmap-cell')).toMatch(/: 7 of 512 pages dirty$/);
    // All but two follow a gap.
    const gaps = (await page.getAttribute('#bitmap-grid .grid-gaps', 'd'))!;
    expect(gaps.match(/M/g)).toHaveLength(301);
    await page.close();
  });

  it('has fewer, larger cells on a phone, where it is as usable', async () => {
    const page = await open(390);
    expect(await textOf(page, 'bitmap-scale')).toBe('A cell is 32 GiB, 16,384 regions, a row 1 TiB.');
    for (let look = 0; look < 3; look++) {
      await page.click('[data-action=next]');
      await page.click('[data-action=in]');
    }
    expect((await trailOf(page)).at(-1)).toBe('256 MiB');
    expect(await page.locator('#bitmap-grid text').allTextContents()).toEqual(['1']);
    expect(await page.evaluate('document.documentElement.scrollWidth')).toBeLessThanOrEqual(390);
    await page.close();
  });

  it('is there without a script, and offers nothing that would not work', async () => {
    const context = await browser.newContext({ javaScriptEnabled: false });
    const page = await context.newPage();
    await page.goto(address);
    expect(await page.locator('#bitmap-grid .shade-5').getAttribute('d')).toMatch(/^M/);
    expect(await page.locator('#bitmap-zoom').isVisible()).toBe(false);
    expect(await textOf(page, 'bitmap-scale')).toBe('A cell is 8 GiB, 4,096 regions, a row 1 TiB.');
    await context.close();
  });
});
