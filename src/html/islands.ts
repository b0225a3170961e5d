// What a page tells its own script, as JSON in the page: written by the pages, read by src/html/browser.
// No more than that: both sides of the browser’s door are checked against it.
import type { Chart } from './charts.js';

/** The element that holds it. */
export const ISLAND_ID = 'charts';

/** Of the page of a report. */
export interface ReportIsland {
  readonly charts: readonly Chart[];
  /** Null when the report has no bitmap to point at. */
  readonly cells: BitmapCells | null;
}

/** Of a live page: its charts, still empty. */
export interface LiveIsland {
  readonly charts: readonly Chart[];
}

/** The drawing of the bitmap, for who points at it. */
export interface BitmapCells {
  readonly columns: number;
  readonly regionsPerCell: number;
  readonly pagesPerCell: number;
  readonly counts: readonly number[];
}
