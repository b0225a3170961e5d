// The script of the report's page: has its charts drawn, and says what lies under the pointer in the bitmap.
// Runs in a browser; knows the JSON in the page and nothing of this program. Text, because no build step makes it.

/** Plain JavaScript without modules; comes after chartsDrawing. The page allows it by its hash. */
export const chartsClient = String.raw`
'use strict';
(() => {
  const { charts, cells } = JSON.parse(document.getElementById('charts').textContent);
  charts.forEach(microstunCharts.draw);
  microstunCharts.watch(charts);

  const grid = document.getElementById('bitmap-grid');
  if (grid !== null && cells !== null) {
    const { exact } = microstunCharts;
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
