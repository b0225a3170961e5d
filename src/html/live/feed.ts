// What a live page is told, again and again: new values for its charts, texts for its figures, and parts when it is over.
// Knows the history of a run; how a patch travels is the server's.
import type { LiveHistory } from './history.js';
import type { ChartBand } from '../charts.js';
import { chartPatches } from './charts.js';
import { liveTexts } from './texts.js';

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

/** What a page has already. */
export interface LiveCursor {
  readonly generation: number;
  /** So many points that do not change any more. */
  readonly points: number;
}

/** How a run ended, as the page shows it. */
export interface LiveEnd {
  readonly state: 'completed' | 'failed';
  readonly parts: Readonly<Record<string, string>>;
}

/** What is new since `cursor`, and the cursor after it; without one, everything. */
export function patchSince(
  cursor: LiveCursor | undefined,
  history: LiveHistory,
  stunBudgetMs: number,
  end: LiveEnd | undefined,
): { readonly patch: LivePatch; readonly next: LiveCursor } {
  const { generation, settledCount } = history;
  const from = cursor?.generation === generation ? Math.min(cursor.points, settledCount) : 0;
  return {
    patch: {
      state: end?.state ?? stateOf(history),
      texts: liveTexts(history, stunBudgetMs),
      charts: chartPatches(history, from),
      parts: end?.parts ?? {},
    },
    next: { generation, points: settledCount },
  };
}

function stateOf({ progress, isBooted }: LiveHistory): LiveState {
  if (progress !== undefined) return 'migrating';
  return isBooted ? 'running' : 'booting';
}
