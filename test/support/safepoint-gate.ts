// The shared words by which a test and its safepoint fixtures hold each other up; passed to the workers by value.

/** For safepoint-worker.mjs. */
export const Gate = {
  /** Slices entered by all vCPUs. */
  ENTERED: 0,
  /** One a vCPU: 1 opens its barrier. */
  OPEN_FROM: 8,
  /** One a vCPU: 1 once it is past its barrier and about to pass a safepoint. */
  PASSED_FROM: 16,
} as const;

/** For safepoint-hammer-worker.mjs. */
export const HammerGate = {
  SLICES: 0,
  /** 1 while a grace period has ended and nobody may rely on an old permission. */
  IS_SEALED: 1,
  /** 1 while all vCPUs are parked. */
  IS_RELIED: 2,
  SLIPPED_GRACE: 3,
  SLIPPED_PARK: 4,
  WANTED: 5,
  ARRIVED: 6,
  ASKED: 7,
  IS_OVER: 8,
  GRACE_PERIODS: 9,
} as const;

export const GATE_WORDS = 24;

/** Word of the safepoint words that a grace period bumps first: how a test knows that one has begun. */
export const EPOCH_WORD = 0;
