// What a page tells its own script, as JSON in the page: written by the pages, read by src/html/browser.
// No more than that: both sides of the browser’s door are checked against it.
import type { Chart } from './charts.js';

/** The element that holds it. */
export const ISLAND_ID = 'charts';

/** Of the page of a report. */
export interface ReportIsland {
  readonly charts: readonly Chart[];
  /** Null when the guest had no memory. */
  readonly bitmap: DrawnBitmap | null;
}

/** Of a live page: its charts, still empty. */
export interface LiveIsland {
  readonly charts: readonly Chart[];
}

/** The bitmap to be drawn, in units: regions, or so many of them together that a page can hold it. */
export interface DrawnBitmap {
  /** Of the guest; its last unit may have fewer than the others. */
  readonly pages: number;
  readonly pageBytes: number;
  readonly regionPages: number;
  /** How many regions a unit is: a power of two. */
  readonly unitRegions: number;
  /** Two numbers for each unit that has dirty pages: how many units it lies behind the one before, and its dirty pages. */
  readonly dirty: readonly number[];
}
