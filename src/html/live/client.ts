// The script of a live page: takes patches from its feed (live-feed.ts) and puts them into figures and charts.
// Runs in a browser; knows the JSON in the page and nothing of this program. Text, because no build step makes it.

/** Plain JavaScript without modules; comes after chartsDrawing. The page allows it by its hash. */
export const liveClient = String.raw`
'use strict';
(() => {
  const { charts: list } = JSON.parse(document.getElementById('charts').textContent);
  const charts = new Map(list.map((chart) => [chart.id, chart]));
  const stale = new Set();
  const page = document.documentElement;
  const notice = document.getElementById('link');
  let isOver = false;
  list.forEach(microstunCharts.draw);
  microstunCharts.watch(list);

  const drawStale = () => {
    for (const id of stale) microstunCharts.update(charts.get(id));
    stale.clear();
    page.dataset.points = String(charts.get('throughput').x.length);
  };

  const splice = (values, from, more) => values.slice(0, from).concat(more);

  const patchChart = ({ id, from, x, xLabels, values, bands }) => {
    const chart = charts.get(id);
    charts.set(id, {
      ...chart,
      x: splice(chart.x, from, x),
      xLabels,
      bands,
      series: chart.series.map((series, at) => ({ ...series, values: splice(series.values, from, values[at]) })),
    });
    // A page that nobody sees draws when it is looked at again.
    if (stale.size === 0) requestAnimationFrame(drawStale);
    stale.add(id);
  };

  const setText = (element, text) => {
    if (element !== null && element.textContent !== text) element.textContent = text;
  };

  const note = (text) => {
    notice.hidden = text === '';
    setText(notice, text);
  };

  const feed = new EventSource('events');
  feed.addEventListener('open', () => note(''));
  feed.addEventListener('error', () => {
    if (isOver) feed.close();
    if (isOver) note('The process that served this page has ended; the page stays as it is.');
    else note('The connection to the process is lost; trying again.');
  });
  feed.addEventListener('message', ({ data }) => {
    const { state, texts, charts: patches, parts } = JSON.parse(data);
    for (const [id, markup] of Object.entries(parts)) document.getElementById(id).innerHTML = markup;
    for (const [name, text] of Object.entries(texts)) setText(document.querySelector('[data-live="' + name + '"]'), text);
    patches.forEach(patchChart);
    isOver = state === 'completed' || state === 'failed';
    page.dataset.state = state;
  });
})();
`;
