// The drawing code of every page: draws the charts that charts.ts describes, with uPlot, in the colours of the style sheet.
// Runs in a browser; knows charts and nothing of this program. Text, because no build step makes it.

/**
 * Plain JavaScript without modules: defines microstunCharts for the page's own script after it. draw(chart) draws a chart
 * anew, update(chart) shows new values in it, watch(list) redraws charts when the page, its colours or their scale change.
 */
export const chartsDrawing = String.raw`
'use strict';
const microstunCharts = (() => {
  const plots = new Map();
  const logs = new Map();
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });
  const small = new Intl.NumberFormat('en-US', { maximumSignificantDigits: 3 });
  const exact = new Intl.NumberFormat('en-US', { maximumFractionDigits: 0 });
  const font = '12px system-ui, sans-serif';

  const time = (ms, stepMs) => {
    const inSeconds = stepMs === undefined ? Math.abs(ms) >= 1000 : stepMs >= 100;
    const value = inSeconds ? ms / 1000 : ms;
    const step = stepMs === undefined ? 0.001 : stepMs / (inSeconds ? 1000 : 1);
    let digits = 0;
    while (digits < 6 && Math.abs(step * 10 ** digits - Math.round(step * 10 ** digits)) > 1e-6) digits++;
    return value.toFixed(digits) + (inSeconds ? ' s' : ' ms');
  };

  // Ticks less than one apart have the digits that tell them apart.
  const tick = (one, step) =>
    step >= 1 ? compact.format(one) : one.toFixed(Math.min(6, Math.ceil(-Math.log10(step) - 1e-9)));

  // What the plot of a chart shows: on a log axis there is no place for nothing.
  const valuesOf = (chart) => {
    const isLog = logs.get(chart.id);
    return chart.series.map((series) => series.values.map((one) => (isLog && !(one > 0) ? null : one)));
  };

  const extentOf = (values) => {
    const highest = values.reduce((top, list) => list.reduce((most, one) => Math.max(most, one ?? 0), top), 0);
    const lowest = values.reduce((low, list) => list.reduce((least, one) => Math.min(least, one ?? Infinity), low), Infinity);
    // A bar of the smallest value still has to be seen: the axis begins at a power of ten well below it.
    return { highest, floor: 10 ** Math.floor(Math.log10(Math.max(1, Math.min(lowest, highest)) / 2)) };
  };

  // Shades the phases behind the lines; a phase too short to see is drawn two pixels wide.
  const shade = (shown) => (plot) => {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = Math.round(11 * ratio) + 'px system-ui, sans-serif';
    // Whatever was drawn last may have left it otherwise.
    ctx.textAlign = 'left';
    ctx.textBaseline = 'top';
    for (const isStun of [false, true]) {
      for (const band of shown.chart.bands) {
        if ((band.tone === 'stun') !== isStun) continue;
        const begin = plot.valToPos(band.from, 'x', true);
        const end = Math.max(plot.valToPos(band.to, 'x', true), begin + (isStun ? 2 * ratio : 0));
        // Of a band that began before what is shown, the rest is labelled.
        const from = Math.max(begin, bbox.left);
        const width = Math.min(end, bbox.left + bbox.width) - from;
        if (width <= 0) continue;
        ctx.fillStyle = colour('tone-' + band.tone);
        ctx.fillRect(from, bbox.top, width, bbox.height);
        if (ctx.measureText(band.label).width + 12 * ratio > width) continue;
        ctx.fillStyle = colour('soft');
        ctx.fillText(band.label, from + 6 * ratio, bbox.top + 5 * ratio);
      }
    }
    ctx.restore();
  };

  // Bars on a linear axis may be too low to be seen: each has its value over it, where there is room for all of them.
  const label = (shown) => (plot) => {
    const { chart } = shown;
    if (chart.kind !== 'bars' || chart.x.length === 0) return;
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    const tops = chart.x.map((_, at) => Math.max(...chart.series.map((series) => series.values[at] ?? 0)));
    const texts = tops.map((top) => (top > 0 ? compact.format(top) : ''));
    ctx.save();
    ctx.font = Math.round(11 * ratio) + 'px system-ui, sans-serif';
    const place = plot.valToPos(1, 'x', true) - plot.valToPos(0, 'x', true);
    if (texts.every((text) => ctx.measureText(text).width + 4 * ratio < place)) {
      ctx.fillStyle = colour('soft');
      ctx.textAlign = 'center';
      ctx.textBaseline = 'bottom';
      texts.forEach((text, at) => {
        if (text !== '') ctx.fillText(text, plot.valToPos(at, 'x', true), Math.max(bbox.top + 12 * ratio, plot.valToPos(tops[at], 'y', true) - 3 * ratio));
      });
    }
    ctx.restore();
  };

  const seriesOf = (shown) => {
    const { chart } = shown;
    const isLines = chart.kind === 'lines';
    const format = (one) => (chart.isFine && Math.abs(one) < 1000 ? small : exact).format(one);
    const value = (plot, raw) => (raw === null || raw === undefined ? '' : format(raw));
    const x = {
      label: isLines ? 'time' : chart.xTitle || 'range',
      value: (plot, raw) => {
        if (raw === null || raw === undefined) return '';
        return isLines ? time(raw) : (shown.chart.xLabels[Math.round(raw)] ?? '');
      },
    };
    return [
      x,
      ...chart.series.map(({ label, colour: name, width }) =>
        isLines
          ? {
              label, value, stroke: () => colour(name), fill: () => colour(name + '-wash'), width: 1.5,
              spanGaps: false, points: { show: false },
            }
          : {
              label, value, fill: () => colour(name), stroke: () => colour(name), width: 0,
              paths: uPlot.paths.bars({ size: [width, 90 * width], radius: 0.12 }), points: { show: false },
            },
      ),
    ];
  };

  const draw = (chart) => {
    const place = document.getElementById('chart-' + chart.id);
    if (!logs.has(chart.id)) logs.set(chart.id, chart.isLog);
    const isLog = logs.get(chart.id);
    const isLines = chart.kind === 'lines';
    plots.get(chart.id)?.plot.destroy();
    const values = valuesOf(chart);
    // The closures below read what is shown now, which an update replaces.
    const shown = { chart, extent: extentOf(values) };
    const axis = { stroke: () => colour('soft'), font, ticks: { show: false } };
    const plot = new uPlot(
      {
        width: place.clientWidth,
        height: place.clientWidth < 520 ? 220 : 280,
        padding: [12, 12, 0, 0],
        cursor: { drag: { x: isLines, y: false }, points: { show: isLines }, y: false },
        legend: { live: true, markers: { width: 0, fill: (plot, at) => colour(chart.series[at - 1].colour) } },
        hooks: { drawClear: [shade(shown)], draw: [label(shown)] },
        scales: {
          x: { time: false, ...(isLines ? {} : { range: () => [-0.6, Math.max(1, shown.chart.x.length) - 0.4] }) },
          y: isLog
            ? { distr: 3, log: 10, range: () => [shown.extent.floor, Math.max(shown.extent.floor * 100, shown.extent.highest * 1.3)] }
            : { range: (plot, min, max) => [0, (max > 0 ? max : 1) * 1.12] },
        },
        axes: [
          {
            ...axis,
            size: 30,
            grid: { show: false },
            space: isLines ? 64 : shown.chart.xLabels.some((label) => label.length > 4) ? 76 : 32,
            incrs: isLines ? undefined : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000],
            values: (plot, splits) =>
              isLines
                ? splits.map((ms) => time(ms, splits.length > 1 ? splits[1] - splits[0] : undefined))
                : splits.map((at) => (Number.isInteger(at) ? (shown.chart.xLabels[at] ?? '') : '')),
            ...(chart.xTitle === '' ? {} : { label: chart.xTitle, labelFont: font, labelSize: 18, labelGap: 0, size: 28 }),
          },
          {
            ...axis,
            size: 52,
            grid: {
              stroke: () => colour('rule'), width: 1,
              filter: (plot, splits) => splits.map((one) => (isLog && Math.abs(Math.log10(one) % 1) > 1e-9 ? null : one)),
            },
            values: (plot, splits) =>
              splits.map((one) =>
                one === null || (isLog && one < 1) || shown.chart.x.length === 0 ? '' : tick(one, isLog ? 1 : splits[1] - splits[0]),
              ),
          },
        ],
        series: seriesOf(shown),
      },
      [chart.x, ...values],
      place,
    );
    const title = document.createElement('span');
    title.className = 'y-title';
    title.textContent = chart.yTitle + (isLog ? ', log scale' : '');
    plot.root.prepend(title);
    shown.plot = plot;
    plots.set(chart.id, shown);
  };

  // New values in a chart whose series are the same. Who has looked closer keeps what he looks at.
  const update = (chart) => {
    const shown = plots.get(chart.id);
    if (shown === undefined) {
      draw(chart);
      return;
    }
    const { plot } = shown;
    const values = valuesOf(chart);
    const { min, max } = plot.scales.x;
    const [before] = plot.data;
    const isCloser = chart.kind === 'lines' && before.length > 1 && (min > before[0] || max < before[before.length - 1]);
    shown.chart = chart;
    shown.extent = extentOf(values);
    plot.setData([chart.x, ...values], !isCloser);
    if (isCloser) plot.redraw(false);
  };

  const watch = (list) => {
    const current = (id) => plots.get(id)?.chart ?? list.find((chart) => chart.id === id);
    matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => {
      for (const { id } of list) draw(current(id));
    });
    const resized = new ResizeObserver((entries) => {
      for (const { target } of entries) {
        const id = target.id.slice('chart-'.length);
        if (plots.get(id)?.plot.width !== target.clientWidth) draw(current(id));
      }
    });
    for (const { id } of list) resized.observe(document.getElementById('chart-' + id));
    for (const button of document.querySelectorAll('button.toggle')) {
      button.addEventListener('click', () => {
        const { chart: id } = button.dataset;
        logs.set(id, !logs.get(id));
        button.textContent = logs.get(id) ? 'linear scale' : 'log scale';
        draw(current(id));
      });
    }
  };

  return { draw, update, watch, exact };
})();
`;
