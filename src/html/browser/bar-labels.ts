// Values over bars: on a linear axis a bar may be too low to be seen.
// Draws on a plot's canvas; each bar has its value over it, where there is room for all of them.
import type uPlot from 'uplot';
import type { Chart } from '../charts.js';
import { colour } from './colours.js';
import { formatCompact } from './formats.js';

export function labelBars(plot: uPlot, { x, series }: Chart): void {
  const { ctx, bbox } = plot;
  const ratio = devicePixelRatio;
  const tops = x.map((_, at) => Math.max(...series.map(({ values }) => values[at] ?? 0)));
  const texts = tops.map((top) => (top > 0 ? formatCompact(top) : ''));
  ctx.save();
  ctx.font = `${Math.round(11 * ratio)}px system-ui, sans-serif`;
  const place = plot.valToPos(1, 'x', true) - plot.valToPos(0, 'x', true);
  if (texts.every((text) => ctx.measureText(text).width + 4 * ratio < place)) {
    ctx.fillStyle = colour('soft');
    ctx.textAlign = 'center';
    ctx.textBaseline = 'bottom';
    for (const [at, top] of tops.entries()) {
      const over = plot.valToPos(top, 'y', true) - 3 * ratio;
      ctx.fillText(texts[at]!, plot.valToPos(at, 'x', true), Math.max(bbox.top + 12 * ratio, over));
    }
  }
  ctx.restore();
}
