// The phases of a migration behind its lines: shaded stretches of the time axis, with their names where there is room.
// Draws on a plot's canvas; which bands there are is the chart's.
import type uPlot from 'uplot';
import type { ChartBand } from '../charts.js';
import { colour } from './colours.js';

/** A phase too short to see is drawn this wide, in CSS pixels. */
const STUN_WIDTH_MIN = 2;

/** The stun goes over all others. */
export function shadeBands(plot: uPlot, bands: readonly ChartBand[]): void {
  const { ctx, bbox } = plot;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  ctx.font = `${Math.round(11 * devicePixelRatio)}px system-ui, sans-serif`;
  // Whatever was drawn last may have left it otherwise.
  ctx.textAlign = 'left';
  ctx.textBaseline = 'top';
  for (const band of bands) if (band.tone !== 'stun') shadeBand(plot, band, 0);
  for (const band of bands)
    if (band.tone === 'stun') shadeBand(plot, band, STUN_WIDTH_MIN * devicePixelRatio);
  ctx.restore();
}

function shadeBand(plot: uPlot, band: ChartBand, widthMin: number): void {
  const { ctx, bbox } = plot;
  const begin = plot.valToPos(band.from, 'x', true);
  const end = Math.max(plot.valToPos(band.to, 'x', true), begin + widthMin);
  // Of a band that began before what is shown, the rest is labelled.
  const from = Math.max(begin, bbox.left);
  const width = Math.min(end, bbox.left + bbox.width) - from;
  if (width <= 0) return;
  ctx.fillStyle = colour(`tone-${band.tone}`);
  ctx.fillRect(from, bbox.top, width, bbox.height);
  if (ctx.measureText(band.label).width + 12 * devicePixelRatio > width) return;
  ctx.fillStyle = colour('soft');
  ctx.fillText(band.label, from + 6 * devicePixelRatio, bbox.top + 5 * devicePixelRatio);
}
