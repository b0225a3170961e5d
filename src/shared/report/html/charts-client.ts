// The script of the page: draws the charts that charts.ts describes, with uPlot, in the colours of the style sheet.
// Runs in a browser; knows the JSON in the page and nothing of this program. Text, because no build step makes it.

/** Plain JavaScript without modules; the page allows it by its hash. */
export const chartsClient = String.raw`
'use strict';
(() => {
  const { charts, cells } = JSON.parse(document.getElementById('charts').textContent);
  const plots = new Map();
  const scales = new Map(charts.map((chart) => [chart.id, chart.isLog]));
  const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue('--' + name).trim();
  const compact = new Intl.NumberFormat('en-US', { notation: 'compact', maximumFractionDigits: 1 });
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

  // Shades the phases behind the lines; a phase too short to see is drawn two pixels wide.
  const shade = (chart) => (plot) => {
    const { ctx, bbox } = plot;
    const ratio = devicePixelRatio;
    ctx.save();
    ctx.beginPath();
    ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
    ctx.clip();
    ctx.font = Math.round(11 * ratio) + 'px system-ui, sans-serif';
    ctx.textBaseline = 'top';
    for (const isStun of [false, true]) {
      for (const band of chart.bands) {
        if ((band.tone === 'stun') !== isStun) continue;
        const from = plot.valToPos(band.from, 'x', true);
        const width = Math.max(plot.valToPos(band.to, 'x', true) - from, isStun ? 2 * ratio : 0);
        ctx.fillStyle = colour('tone-' + band.tone);
        ctx.fillRect(from, bbox.top, width, bbox.height);
        if (ctx.measureText(band.label).width + 12 * ratio > width) continue;
        ctx.fillStyle = colour('soft');
        ctx.fillText(band.label, from + 6 * ratio, bbox.top + 5 * ratio);
      }
    }
    ctx.restore();
  };

  const seriesOf = (chart, shown) => {
    const isLines = chart.kind === 'lines';
    const value = (plot, raw) => (raw === null || raw === undefined ? '' : exact.format(raw));
    const x = {
      label: isLines ? 'time' : chart.xTitle || 'range',
      value: (plot, raw) => {
        if (raw === null || raw === undefined) return '';
        return isLines ? time(raw) : (chart.xLabels[Math.round(raw)] ?? '');
      },
    };
    return [
      x,
      ...shown.map(({ label, colour: name, width }) =>
        isLines
          ? {
              label, value, stroke: () => colour(name), fill: () => colour(name + '-wash'), width: 1.5,
              spanGaps: true, points: { show: false },
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
    const isLog = scales.get(chart.id);
    const isLines = chart.kind === 'lines';
    plots.get(chart.id)?.destroy();
    const values = chart.series.map((series) => series.values.map((one) => (isLog && !(one > 0) ? null : one)));
    const highest = values.reduce((top, list) => list.reduce((most, one) => Math.max(most, one ?? 0), top), 0);
    const lowest = values.reduce((low, list) => list.reduce((least, one) => Math.min(least, one ?? Infinity), low), Infinity);
    // A bar of the smallest value still has to be seen: the axis begins at a power of ten well below it.
    const floor = 10 ** Math.floor(Math.log10(Math.max(1, Math.min(lowest, highest)) / 2));
    const axis = { stroke: () => colour('soft'), font, ticks: { show: false } };
    const plot = new uPlot(
      {
        width: place.clientWidth,
        height: place.clientWidth < 520 ? 220 : 280,
        padding: [12, 12, 0, 0],
        cursor: { drag: { x: isLines, y: false }, points: { show: isLines }, y: false },
        legend: { live: true, markers: { width: 0, fill: (plot, at) => colour(chart.series[at - 1].colour) } },
        hooks: { drawClear: [shade(chart)] },
        scales: {
          x: { time: false, ...(isLines ? {} : { range: (plot, min, max) => [min - 0.6, max + 0.6] }) },
          y: isLog
            ? { distr: 3, log: 10, range: () => [floor, Math.max(floor * 100, highest * 1.3)] }
            : { range: (plot, min, max) => [0, (max > 0 ? max : 1) * (isLines ? 1.12 : 1.06)] },
        },
        axes: [
          {
            ...axis,
            size: 30,
            grid: { show: false },
            space: isLines ? 64 : chart.xLabels.some((label) => label.length > 4) ? 76 : 32,
            incrs: isLines ? undefined : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000, 50000],
            values: (plot, splits) =>
              isLines
                ? splits.map((ms) => time(ms, splits.length > 1 ? splits[1] - splits[0] : undefined))
                : splits.map((at) => (Number.isInteger(at) ? (chart.xLabels[at] ?? '') : '')),
            ...(chart.xTitle === '' ? {} : { label: chart.xTitle, labelFont: font, labelSize: 18, labelGap: 0, size: 28 }),
          },
          {
            ...axis,
            size: 52,
            grid: {
              stroke: () => colour('rule'), width: 1,
              filter: (plot, splits) => splits.map((one) => (isLog && Math.abs(Math.log10(one) % 1) > 1e-9 ? null : one)),
            },
            values: (plot, splits) => splits.map((one) => (one === null || (isLog && one < 1) ? '' : compact.format(one))),
          },
        ],
        series: seriesOf(chart, chart.series),
      },
      [chart.x, ...values],
      place,
    );
    const title = document.createElement('span');
    title.className = 'y-title';
    title.textContent = chart.yTitle + (isLog ? ', log scale' : '');
    plot.root.prepend(title);
    plots.set(chart.id, plot);
  };

  const drawAll = () => charts.forEach(draw);
  drawAll();
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', drawAll);
  const resized = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      const chart = charts.find(({ id }) => 'chart-' + id === target.id);
      if (Math.abs(plots.get(chart.id).width - target.clientWidth) > 0) draw(chart);
    }
  });
  for (const { id } of charts) resized.observe(document.getElementById('chart-' + id));

  for (const button of document.querySelectorAll('button.toggle')) {
    button.addEventListener('click', () => {
      const { chart: id } = button.dataset;
      scales.set(id, !scales.get(id));
      button.textContent = scales.get(id) ? 'linear scale' : 'log scale';
      draw(charts.find((chart) => chart.id === id));
    });
  }

  const grid = document.getElementById('bitmap-grid');
  if (grid !== null && cells !== null) {
    const output = document.getElementById('bitmap-cell');
    const rows = Math.ceil(cells.counts.length / cells.columns);
    grid.addEventListener('pointermove', (event) => {
      const box = grid.getBoundingClientRect();
      const column = Math.floor(((event.clientX - box.left) / box.width) * cells.columns);
      const cell = Math.floor(((event.clientY - box.top) / box.height) * rows) * cells.columns + column;
      const dirty = cells.counts[cell];
      if (dirty === undefined) output.textContent = '';
      else {
        const mebibytes = cell * cells.regionsPerCell * 2;
        output.textContent =
          'at ' + exact.format(mebibytes) + ' MiB: ' + exact.format(dirty) + ' of ' + exact.format(cells.pagesPerCell) + ' pages dirty';
      }
    });
    grid.addEventListener('pointerleave', () => {
      output.textContent = '';
    });
  }
  document.documentElement.dataset.drawn = String(charts.length);
})();
`;
