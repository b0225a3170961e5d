// What follows a harvest: one verdict of the forecast, the time limit and the throttle together.
// Pure, numbers only; convergence.ts forecasts, throttle.ts finds the share, copying.ts does what the verdict says.
import {
  judge,
  pagesWithin,
  type Course,
  type Forecast,
  type RoundFacts,
  type SwitchOverReason,
} from './convergence.js';
import type { MigrationPlan } from './plan.js';
import { throttleShare, THROTTLE_SHARE_MAX } from './throttle.js';

/** A pre-copy that makes no progress switches over all the same if its stun stays below what vMotion promises. */
const TOLERABLE_STUN_MS = 1000;

/** The rounds that are over, and what has become of the guest and of their time meanwhile. */
export interface RoundsSoFar {
  readonly rounds: readonly RoundFacts[];
  readonly roundTripMs: number;
  /** They have taken longer than they may. */
  readonly isOvertime: boolean;
  /** The share of its time that each vCPU is made to sleep, to let them converge. */
  readonly throttledShare: number;
}

/** What the last harvest left for the next round, or for the switch-over. */
export interface Left {
  readonly dirtyPages: number;
  /** Of them, those of the round before that were not sent, because it was stopped. */
  readonly keptPages: number;
}

export type StopReason = SwitchOverReason | 'post-copy' | 'time limit' | 'throttle not enough';

/** How the guest is stopped. */
export interface Stop {
  readonly why: StopReason;
  readonly pagesFollow: boolean;
  /** With more last pages than this they follow, all the same: copying them would stun the guest for too long. */
  readonly pagesMax: number;
}

export type Verdict =
  /** `throttledShare`: as before, unless the throttle is set anew. */
  | {
      readonly kind: 'go-on';
      readonly forecast: Forecast;
      readonly course: Course | undefined;
      readonly throttledShare: number;
      readonly isThrottleSet: boolean;
    }
  | { readonly kind: 'stop'; readonly forecast: Forecast; readonly stop: Stop };

/**
 * Judges after a harvest. *Stuck* are rounds whose time is up, and those of a pre-copy that make no progress and whose
 * stun could not be borne. In this order:
 * 1. the forecast stun fits the budget, or nothing but the network keeps it from fitting: stop;
 * 2. stuck, and post-copy is what the user wants then: stop, and what is left follows;
 * 3. the round limit is reached: stop;
 * 4. stuck or throttled already, and a throttle is what the user wants: go on with as much of it as makes the rounds
 *    shrink, unless it has reached its limit and they are stuck still;
 * 5. another round would not pay: stop, unless a long stun would be all that is left and the time limit is to abort instead;
 * 6. otherwise go on.
 */
export function judgeRounds(plan: MigrationPlan, soFar: RoundsSoFar, left: Left): Verdict {
  const { rounds, roundTripMs, isOvertime, throttledShare } = soFar;
  const pagesFollow = plan.mode !== 'pre-copy';
  const convergence = judge(rounds, left.dirtyPages, roundTripMs, { ...plan, pagesFollow });
  const { forecast } = convergence;
  const why = convergence.kind === 'switch-over' ? convergence.why : undefined;
  const course = convergence.kind === 'go-on' ? convergence.course : undefined;
  const stopFor = (reason: SwitchOverReason): Verdict => ({
    kind: 'stop',
    forecast,
    stop: stopOf(plan, reason, forecast),
  });

  if (why !== undefined && isAsPlanned(why)) return stopFor(why);
  const isStuck = isOvertime || (!pagesFollow && why === 'no progress' && isUnbearable(plan, forecast));
  if (isStuck && plan.onTimeout === 'post-copy')
    return { kind: 'stop', forecast, stop: stopAllFollowing(isOvertime ? 'time limit' : 'no progress') };
  if (why === 'round limit') return stopFor(why);
  if (plan.onTimeout === 'throttle' && (isStuck || throttledShare > 0)) {
    const share = nextShare(soFar, left);
    const isAtLimit = share >= THROTTLE_SHARE_MAX && throttledShare >= THROTTLE_SHARE_MAX;
    if (!isStuck || !isAtLimit)
      return { kind: 'go-on', forecast, course, throttledShare: share, isThrottleSet: true };
  }
  const isHopeless = isStuck && !isOvertime && plan.onTimeout === 'abort';
  if (why !== undefined && !isHopeless) return stopFor(why);
  return { kind: 'go-on', forecast, course, throttledShare, isThrottleSet: false };
}

/** All pages that are left follow after the stun, however many they are. */
export function stopAllFollowing(why: StopReason): Stop {
  return { why, pagesFollow: true, pagesMax: Infinity };
}

function stopOf(plan: MigrationPlan, why: SwitchOverReason, forecast: Forecast): Stop {
  const pagesFollow = plan.mode !== 'pre-copy';
  if (plan.onTimeout !== 'throttle') return { why, pagesFollow, pagesMax: Infinity };
  // A throttled guest is spared a long stun, whichever rule ends the rounds: its last pages follow instead.
  if (!pagesFollow && !isAsPlanned(why) && forecast.stunMs > TOLERABLE_STUN_MS)
    return stopAllFollowing('throttle not enough');
  // What the guest dirties after the forecast counts too: only at the stop is it known how much that is.
  const stunMsMax = Math.max(TOLERABLE_STUN_MS, plan.stunBudgetMs);
  return { why, pagesFollow, pagesMax: pagesWithin(forecast, stunMsMax) };
}

function nextShare({ rounds, throttledShare }: RoundsSoFar, { dirtyPages, keptPages }: Left): number {
  return throttleShare(
    throttledShare,
    rounds.at(-1)?.dirtyPages ?? dirtyPages,
    // What a stopped round did not send was not dirtied by the guest since.
    Math.max(0, dirtyPages - keptPages),
    Math.max(dirtyPages, (rounds[0]?.dirtyPages ?? 0) + (rounds.length === 1 ? keptPages : 0)),
    dirtyPages,
  );
}

function isAsPlanned(why: SwitchOverReason): boolean {
  return why === 'stun within budget' || why === 'network beyond budget';
}

// The guest dirties memory as fast as it is copied, and copying the rest would stun it for longer than can be borne.
function isUnbearable(plan: MigrationPlan, forecast: Forecast): boolean {
  return plan.onTimeout === 'throttle' || forecast.stunMs > TOLERABLE_STUN_MS;
}
