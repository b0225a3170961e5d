// The charts of a page: draws them with uPlot, shows new values in them, and draws them anew when the page, its colours or
// their scale change. Knows charts and nothing of this program.
import uPlot from 'uplot';
import type { Chart } from '../charts.js';
import { elementOf } from './elements.js';
import { plotOptions, type Shown } from './plot-options.js';
import { extentOf, plotValues, type PlotValues } from './plot-values.js';

interface Drawn extends Shown {
  readonly plot: uPlot;
  readonly isLog: boolean;
}

const PLACE_PREFIX = 'chart-';

export class ChartBoard {
  readonly #drawn = new Map<string, Drawn>();

  /** Draws all `charts`, and keeps them drawn. */
  constructor(charts: readonly Chart[]) {
    for (const chart of charts) this.#draw(chart, chart.isLog);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      for (const id of this.#drawn.keys()) this.#redraw(id);
    });
    const resized = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        const id = target.id.slice(PLACE_PREFIX.length);
        if (this.#drawn.get(id)?.plot.width !== target.clientWidth) this.#redraw(id);
      }
    });
    for (const { id } of charts) resized.observe(placeOf(id));
    for (const button of document.querySelectorAll<HTMLButtonElement>('button.toggle'))
      button.addEventListener('click', () => {
        this.#switchScale(button);
      });
  }

  /** New values in a chart whose series are the same. Who has looked closer keeps what he looks at. */
  update(chart: Chart): void {
    const drawn = this.#drawn.get(chart.id);
    if (drawn === undefined) {
      this.#draw(chart, chart.isLog);
      return;
    }
    const { plot, isLog } = drawn;
    const values = plotValues(chart, isLog);
    const looksCloser = chart.kind === 'lines' && isZoomed(plot);
    drawn.chart = chart;
    drawn.extent = extentOf(values);
    plot.setData(alignedOf(chart, values), !looksCloser);
    if (looksCloser) plot.redraw(false);
  }

  #draw(chart: Chart, isLog: boolean): void {
    this.#drawn.get(chart.id)?.plot.destroy();
    const place = placeOf(chart.id);
    const values = plotValues(chart, isLog);
    // The options' functions read what is shown now, which an update replaces.
    const shown: Shown = { chart, extent: extentOf(values) };
    const plot = new uPlot(plotOptions(shown, isLog, place.clientWidth), alignedOf(chart, values), place);
    const title = document.createElement('span');
    title.className = 'y-title';
    title.textContent = chart.yTitle + (isLog ? ', log scale' : '');
    plot.root.prepend(title);
    this.#drawn.set(chart.id, Object.assign(shown, { plot, isLog }));
  }

  #redraw(id: string): void {
    const drawn = this.#drawn.get(id);
    if (drawn !== undefined) this.#draw(drawn.chart, drawn.isLog);
  }

  #switchScale(button: HTMLButtonElement): void {
    const drawn = this.#drawn.get(button.dataset['chart'] ?? '');
    if (drawn === undefined) return;
    const isLog = !drawn.isLog;
    button.textContent = isLog ? 'linear scale' : 'log scale';
    this.#draw(drawn.chart, isLog);
  }
}

function placeOf(id: string): HTMLElement {
  return elementOf(PLACE_PREFIX + id);
}

function alignedOf({ x }: Chart, values: PlotValues): uPlot.AlignedData {
  return [[...x], ...values];
}

/** Whether the x axis shows less than all there is. */
function isZoomed({ data: [x], scales }: uPlot): boolean {
  const first = x[0];
  const last = x[x.length - 1];
  const { min, max } = scales['x']!;
  if (first === undefined || last === undefined || min === undefined || max === undefined) return false;
  return x.length > 1 && (min > first || max < last);
}
