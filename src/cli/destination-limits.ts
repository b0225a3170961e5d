// How long a destination waits, by its flags.
// Knows flags and times only.
import { PHASE_LIMITS, type IncomingLimits } from '../destination/states/limits.js';
import { PAGES_RETRY_MS, PLACEMENT_MS_MAX, sourceAwaitedMs } from '../shared/limits.js';

export function incomingLimitsOf(args: { reconnectTimeout: number; once: boolean }): IncomingLimits {
  return {
    controlLostMs: sourceAwaitedMs(args.reconnectTimeout),
    pagesLostMs: args.reconnectTimeout,
    retryMs: PAGES_RETRY_MS,
    placementMs: PLACEMENT_MS_MAX,
    farewellMs: sourceAwaitedMs(args.reconnectTimeout),
    endsWithoutPages: args.once,
    phases: PHASE_LIMITS,
  };
}
