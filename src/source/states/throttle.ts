// Stun During Page Send: how much each vCPU has to sleep so that the rounds shrink.
// Knows numbers only; the sleeping is the vCPU's (shared/guest/vcpu.ts).

/** Sleep that the throttle aims at, as a share of each vCPU's time; beyond the limit it gives up. */
export const THROTTLE_SHARE_MAX = 0.995;
/** Throttled rounds are to leave this share of what they were given. */
const THROTTLE_TARGET = 0.6;
/** A round changes the guest's share by this factor at the most. */
const THROTTLE_STEP_MAX = 16;

// Random writes that leave so many of all pages dirty: a page that is written again is dirty only once, so a guest that
// dirtied everything wrote several times as much.
function writesFor(dirtyPages: number, pageCount: number): number {
  return -pageCount * Math.log1p(-Math.min(dirtyPages, pageCount - 0.5) / pageCount);
}

/**
 * The share of its time that each vCPU is to sleep in the next round, from the share in the last one and what that
 * round left: as much as makes the rounds shrink, and no more; less again when they shrink faster than they must.
 * The next round takes longer or shorter as its pages are more or fewer, and is to leave THROTTLE_TARGET of them; those
 * are `nextPages`, more than what was left where the last round was stopped before it had sent all.
 */
export function throttleShare(
  current: number,
  givenPages: number,
  leftPages: number,
  pageCount: number,
  nextPages = leftPages,
): number {
  if (leftPages === 0) return 0;
  const allowed = writesFor(THROTTLE_TARGET * nextPages, pageCount) / nextPages;
  const found = writesFor(leftPages, pageCount) / Math.max(1, givenPages);
  const step = allowed / found;
  const runs = (1 - current) * Math.min(THROTTLE_STEP_MAX, Math.max(1 / THROTTLE_STEP_MAX, step));
  return Math.min(THROTTLE_SHARE_MAX, Math.max(0, 1 - runs));
}
