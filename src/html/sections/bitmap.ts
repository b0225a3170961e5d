// The bitmap of the switch-over, drawn: which regions of guest memory were dirty, and what it weighed raw and on the wire.
// Knows the report; the drawing is SVG, so it needs no script. Where the pointer is, is the page's script.
import { PAGE_BYTES, REGION_PAGES } from '../../shared/memory/pages.js';
import { formatBytes, formatCount } from '../../shared/units.js';
import type { MigrationReport } from '../../report/document.js';
import type { BitmapCells } from '../islands.js';
import { figure, html, type Markup } from '../markup.js';
import { card, missing, percent } from './section.js';

/** More regions than this share cells. */
const CELLS_MAX = 4096;

/** Upper bounds of a shade, as shares of a cell's pages; a factor of four each. */
const SHADE_BOUNDS = [1 / 128, 1 / 32, 1 / 8, 1 / 2, 1];

/** Regions as cells of a grid some four times as wide as it is high; undefined when the report has none. */
export function bitmapCells({ bitmap, guest }: MigrationReport): BitmapCells | undefined {
  const regions = regionsOf(guest);
  if (regions === 0) return undefined;
  const regionsPerCell = Math.ceil(regions / CELLS_MAX);
  const counts = Array<number>(Math.ceil(regions / regionsPerCell)).fill(0);
  for (const [region, dirty] of bitmap.dirtyRegions) {
    const cell = Math.floor(region / regionsPerCell);
    // What a damaged report has past the end of memory is nowhere in it.
    if (cell < counts.length) counts[cell]! += dirty;
  }
  const columns = Math.min(
    counts.length,
    2 ** Math.max(4, Math.round(Math.log2(Math.sqrt(4 * counts.length)))),
  );
  return { columns, regionsPerCell, pagesPerCell: regionsPerCell * REGION_PAGES, counts };
}

function regionsOf({ memoryBytes }: MigrationReport['guest']): number {
  return Math.ceil(memoryBytes / (REGION_PAGES * PAGE_BYTES));
}

export function bitmapSection(report: MigrationReport, cells: BitmapCells | undefined): Markup {
  return card(
    'bitmap',
    'The bitmap at the switch-over',
    html`${cells === undefined ? missing('The guest had no memory.') : drawing(cells, report)}
    ${sizes(report)}`,
  );
}

function drawing(cells: BitmapCells, { bitmap, guest }: MigrationReport): Markup {
  const { columns, counts, regionsPerCell } = cells;
  const rows = Math.ceil(counts.length / columns);
  const dirtyPages = bitmap.dirtyRegions.reduce((sum, [, dirty]) => sum + dirty, 0);
  const pages = guest.pageBytes > 0 ? Math.ceil(guest.memoryBytes / guest.pageBytes) : 0;
  const cellText =
    regionsPerCell === 1 ? 'a region of 2\u00a0MiB' : `${regionsPerCell} regions of 2\u00a0MiB`;
  return html`<p class="lede">
      The destination lacked ${formatCount(dirtyPages)} of ${formatCount(pages)} pages, in
      ${formatCount(bitmap.dirtyRegions.length)} of ${formatCount(regionsOf(guest))} regions. A cell is
      ${cellText}; guest memory runs left to right, top to bottom.
    </p>
    <svg
      class="grid"
      id="bitmap-grid"
      viewBox="0 0 ${columns} ${rows}"
      role="img"
      aria-label="Dirty pages a region"
    >
      ${shadePaths(cells)}
    </svg>
    <div class="shades">
      <ol>
        ${shadeNames(cells.pagesPerCell).map(
          (name, shade) => html`<li><i class="swatch shade-${shade}"></i>${name}</li>`,
        )}
      </ol>
      <output id="bitmap-cell"></output>
    </div>`;
}

function shadeOf(dirty: number, pagesPerCell: number): number {
  if (!(dirty > 0)) return 0;
  const shade = SHADE_BOUNDS.findIndex((bound) => dirty <= bound * pagesPerCell);
  return 1 + (shade === -1 ? SHADE_BOUNDS.length - 1 : shade);
}

/** One path a shade: thousands of cells stay a small page. */
function shadePaths({ counts, columns, pagesPerCell }: BitmapCells): Markup[] {
  const paths = new Map<number, string>();
  for (const [cell, dirty] of counts.entries()) {
    const shade = shadeOf(dirty, pagesPerCell);
    const x = cell % columns;
    const y = Math.floor(cell / columns);
    paths.set(shade, `${paths.get(shade) ?? ''}M${x + 0.05} ${y + 0.05}h.9v.9h-.9z`);
  }
  return [...paths].map(([shade, path]) => html`<path class="shade-${shade}" d="${path}"></path>`);
}

function shadeNames(pagesPerCell: number): string[] {
  let from = 1;
  const names = ['clean'];
  for (const bound of SHADE_BOUNDS) {
    const to = Math.max(from, Math.floor(bound * pagesPerCell));
    names.push(from === to ? formatCount(to) : `${formatCount(from)}–${formatCount(to)}`);
    from = to + 1;
  }
  return names.map((name, at) => (at === names.length - 1 ? `${name} pages` : name));
}

function sizes({ bitmap }: MigrationReport): Markup {
  const { format, ahead, rawBytes, sentBytes } = bitmap;
  const scale = Math.max(rawBytes, sentBytes, ahead?.bytes ?? 0);
  const bar = (name: string, field: string, bytes: number, tone: string): Markup =>
    html`<span class="bar-name">${name}</span>
      <div class="stack is-thin"><i class="${tone}" style="width:${percent(bytes, scale)}"></i></div>
      <span class="bar-value">${figure(field, bytes, formatBytes(bytes))}</span>`;
  const within = ahead !== null ? 'in the stun' : format === 'raw' ? 'sent' : format;
  return html`<h3>Its weight on the wire</h3>
    <div class="bars has-values">
      ${bar('raw', 'bitmap.rawBytes', rawBytes, 'fill-dirty')}
      ${ahead === null ? '' : bar('ahead', 'bitmap.ahead.bytes', ahead.bytes, 'fill-sent')}
      ${bar(within, 'bitmap.sentBytes', sentBytes, 'fill-sent')}
    </div>
    <p class="hint">${weightText(bitmap)}</p>`;
}

function weightText({ format, ahead, rawBytes, sentBytes }: MigrationReport['bitmap']): string {
  if (ahead !== null)
    return (
      `${formatCount(ahead.pages)} pages were announced while the guest ran; the destination had marked them ` +
      `${ahead.durationMs.toFixed(2)} ms later, and what was dirtied by then crossed within the stun.`
    );
  if (format === 'raw') return 'It was sent raw.';
  const saved = rawBytes > 0 ? (100 * sentBytes) / rawBytes : 0;
  return `It was sent ${format}, at ${saved.toFixed(saved < 10 ? 1 : 0)} % of the raw bitmap.`;
}
