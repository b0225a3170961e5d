// Makes the patches of a live page: what is new since the page was last told.
// Knows the history of a run; how a patch travels is the server's.
import type { LiveHistory } from './history.js';
import { chartPatches } from './charts.js';
import type { LivePatch, LiveState } from './patch.js';
import { liveTexts } from './texts.js';

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
