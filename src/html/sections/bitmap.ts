// The bitmap of the switch-over, drawn: where in guest memory dirty pages were, and what it weighed raw and on the wire.
// Knows the report; the overview is SVG and needs no script. To look closer is the page's script (browser/bitmap-zoom.ts).
import { PAGE_BYTES, REGION_PAGES } from '../../shared/memory/pages.js';
import { formatBytes, formatCount } from '../../shared/units.js';
import type { MigrationReport } from '../../report/document.js';
import { cellsOf, dirtyUnitsOf, WIDE, wholeView } from '../bitmap/cells.js';
import { shapesOf } from '../bitmap/shapes.js';
import { regionsText, scaleText, namedShades } from '../bitmap/texts.js';
import type { DrawnBitmap } from '../islands.js';
import { figure, html, type Markup } from '../markup.js';
import { card, missing, percent } from './section.js';

/** More dirty regions than this make a page of many megabytes: they are drawn together then, by powers of two. */
export const DIRTY_UNITS_MAX = 100_000;

/** The bitmap as the page tells it to its script; null when the guest had no memory. */
export function drawnBitmap({ bitmap, guest }: MigrationReport): DrawnBitmap | null {
  const pages = Math.ceil(guest.memoryBytes / PAGE_BYTES);
  if (pages === 0) return null;
  const regions = Math.ceil(pages / REGION_PAGES);
  // What a damaged report has past the end of memory is nowhere in it.
  let units = bitmap.dirtyRegions.filter(([region, dirty]) => region < regions && dirty > 0);
  let unitRegions = 1;
  for (; units.length > DIRTY_UNITS_MAX; unitRegions *= 2) units = inPairs(units);
  let before = 0;
  const dirty = units.flatMap(([unit, count]) => {
    const distance = unit - before;
    before = unit;
    return [distance, count];
  });
  return { pages, pageBytes: PAGE_BYTES, regionPages: REGION_PAGES, unitRegions, dirty };
}

type Unit = readonly [unit: number, dirty: number];

function inPairs(units: readonly Unit[]): Unit[] {
  const pairs: Unit[] = [];
  for (const [unit, dirty] of units) {
    const pair = Math.floor(unit / 2);
    const last = pairs.at(-1);
    if (last?.[0] === pair) pairs[pairs.length - 1] = [pair, last[1] + dirty];
    else pairs.push([pair, dirty]);
  }
  return pairs;
}

export function bitmapSection(report: MigrationReport, drawn: DrawnBitmap | null): Markup {
  return card(
    'bitmap',
    'The bitmap at the switch-over',
    html`${drawn === null ? missing('The guest had no memory.') : drawing(drawn, report)} ${sizes(report)}`,
  );
}

function drawing(drawn: DrawnBitmap, { bitmap }: MigrationReport): Markup {
  const units = dirtyUnitsOf(drawn);
  const cells = cellsOf(units, wholeView(units, 'memory'), WIDE);
  const { rows, shades, lines } = shapesOf(units, cells);
  const dirtyPages = bitmap.dirtyRegions.reduce((sum, [, dirty]) => sum + dirty, 0);
  const together =
    drawn.unitRegions === 1
      ? ''
      : ` They are so many that ${formatCount(drawn.unitRegions)} are drawn together at the least.`;
  return html`<p class="lede">
      The destination lacked ${formatCount(dirtyPages)} of ${formatCount(drawn.pages)} pages, in
      ${formatCount(bitmap.dirtyRegions.length)} of
      ${regionsText(Math.ceil(drawn.pages / REGION_PAGES))}.${together}
      <span id="bitmap-scale">${scaleText(units, cells)}</span>
      Memory runs left to right, top to bottom.
    </p>
    ${controls()}
    <svg
      class="grid"
      id="bitmap-grid"
      viewBox="0 0 ${cells.columns} ${rows}"
      role="img"
      aria-label="Dirty pages by their place in memory"
    >
      ${shades.map((path, shade) => html`<path class="shade-${shade}" d="${path}"></path>`)}
      <path class="grid-lines" d="${lines}"></path>
    </svg>
    <div class="shades">
      <ol id="bitmap-shades">
        ${namedShades(cells.counts).map(
          ({ shade, name }) => html`<li><i class="swatch shade-${shade}"></i>${name}</li>`,
        )}
      </ol>
      <output id="bitmap-cell"></output>
    </div>`;
}

/** What the script needs to look closer; without one there is nothing to press. */
function controls(): Markup {
  const action = (name: string, sign: string, what: string): Markup =>
    html`<button type="button" data-action="${name}" title="${what}" aria-label="${what}">${sign}</button>`;
  return html`<div class="zoom" id="bitmap-zoom" hidden>
    <div class="zoom-orders" role="group" aria-label="What is drawn">
      <button type="button" data-order="memory" aria-pressed="true">All memory</button>
      <button type="button" data-order="dirty" aria-pressed="false">Only dirty regions</button>
    </div>
    <div class="zoom-actions" role="group" aria-label="Look about">
      ${action('previous', '◂', 'To the dirty cell before')} ${action('next', '▸', 'To the next dirty cell')}
      ${action('in', '+', 'Closer')} ${action('out', '−', 'Back')}
    </div>
    <nav class="zoom-trail" aria-label="What is shown, within what"><ol id="bitmap-trail"></ol></nav>
    <p class="zoom-range" id="bitmap-range"></p>
  </div>`;
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
  const share =
    saved >= 10
      ? saved.toFixed(0)
      : saved >= 0.001
        ? String(Number(saved.toPrecision(2)))
        : 'less than 0.001';
  return `It was sent ${format}, at ${share} % of the raw bitmap.`;
}
