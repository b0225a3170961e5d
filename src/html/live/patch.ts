// What a live page is told, again and again: new values for its charts, texts for its figures, and parts when it is over.
// The shape alone; feed.ts makes patches, src/html/browser/live-page.ts puts them into the page.
import type { ChartBand } from '../charts.js';

export interface LivePatch {
  readonly state: LiveState;
  /** What the elements of these names (`data-live`) say now. */
  readonly texts: Readonly<Record<string, string>>;
  readonly charts: readonly ChartPatch[];
  /** HTML of whole parts of the page by their ids, once the migration is over. */
  readonly parts: Readonly<Record<string, string>>;
}

export type LiveState = 'booting' | 'running' | 'migrating' | 'completed' | 'failed';

/** New values of the chart `id`. */
export interface ChartPatch {
  readonly id: string;
  /** What the chart has from this index on goes; what is here takes its place. */
  readonly from: number;
  readonly x: readonly number[];
  readonly xLabels: 'ms' | readonly string[];
  /** One list a series. */
  readonly values: readonly (readonly (number | null)[])[];
  /** All of them. */
  readonly bands: readonly ChartBand[];
}
