// The shared words by which a test, its scripted vCPU and its tracer hold each other up; passed to them by value.
export const TracerGate = {
  /** Stores that the vCPU may begin. */
  ORDERED: 0,
  /** Page fires so far; the vCPU stops after each one ... */
  FIRED: 1,
  /** ... until it is among those let go. */
  FIRES_LET_GO: 2,
  /** Stores made. */
  STORED: 3,
} as const;

export const TRACER_GATE_WORDS = 4;
