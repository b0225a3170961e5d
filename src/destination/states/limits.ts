// How long each thing of an incoming migration may last, and who gives up first.
// Numbers only; states/step.ts arms timers with them.

export interface IncomingLimits {
  /** How long the control connection may stay lost before the hand-over; then the migration is refused for good. */
  readonly controlLostMs: number;
  /** How long page connections may stay lost before the hand-over. */
  readonly pagesLostMs: number;
  /** Pause before lost page and fault connections are dialled again. */
  readonly retryMs: number;
  /** How long a hand-over's last pages may take. */
  readonly placementMs: number;
  /** How long after the hand-over the source may stay away before nobody waits for it any more. */
  readonly farewellMs: number;
  /**
   * Whether that ends a guest that lacks pages as well: it is parked, and they are lost. Else it waits for them until its
   * source comes back, or somebody ends it.
   */
  readonly endsWithoutPages: boolean;
  readonly phases: PhaseLimits;
}

/**
 * A source says what it brings as soon as it is welcome; meanwhile it holds the only place here. Longer than the silence
 * after which a source whose welcome was lost dials anew (SILENCE_MS_MAX), and its dials.
 */
export const GREETED_MS = 15_000;

/**
 * From the first dial to the source that failed until it is told so, if none has succeeded by then. With a dial's own
 * limit it hears within 5 s that it cannot be reached.
 */
export const UNREACHABLE_MS = 1500;

/** How long each phase may last; `placing` has `placementMs`. A guest that runs and waits for its pages may do so. */
export interface PhaseLimits {
  readonly prepareMs: number;
  /** Receiving: from one sign of pages to the next, while the source is connected. */
  readonly idleMs: number;
  readonly resumeMs: number;
  readonly auditMs: number;
  /** Once the guest is whole and everything is said: the source's farewell, while it is connected. */
  readonly leaveMs: number;
}

export const PHASE_LIMITS: PhaseLimits = {
  // Less than the source waits (60 s), so that it hears why.
  prepareMs: 55_000,
  // A source that measures its clock, installs traces or harvests sends no pages; each of those has a limit there.
  idleMs: 120_000,
  // The first slice of every vCPU; a host that is very busy takes a second for it.
  resumeMs: 60_000,
  // Less than the source waits (600 s), so that it hears of it.
  auditMs: 540_000,
  // The source has all that it needs and only has to say so; its guest needs it no more.
  leaveMs: 60_000,
};
