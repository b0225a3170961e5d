// How long each thing of an incoming migration may last.
// Numbers only; what they have to do with the source's is shared/limits.ts.
import { PREPARING_MS_MAX, AUDITING_MS_MAX } from '../../shared/limits.js';

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

/** How long each phase may last; `placing` has `placementMs`. A guest that runs and waits for its pages may do so. */
export interface PhaseLimits {
  readonly prepareMs: number;
  /** Receiving: from one sign of pages to the next, while the source is connected. */
  readonly idleMs: number;
  /** Receiving: how often its source may come back between two signs of pages. */
  readonly comebacksMax: number;
  readonly resumeMs: number;
  readonly auditMs: number;
  /** Once the guest is whole and everything is said: the source's farewell, while it is connected. */
  readonly leaveMs: number;
}

export const PHASE_LIMITS: PhaseLimits = {
  prepareMs: PREPARING_MS_MAX,
  // A source that measures its clock, installs traces or harvests sends no pages; each of those has a limit there.
  idleMs: 120_000,
  // Whose connections break so often before they bring a page brings none; it may hold the place for no more than hours.
  comebacksMax: 100,
  // The first slice of every vCPU; a host that is very busy takes a second for it.
  resumeMs: 60_000,
  auditMs: AUDITING_MS_MAX,
  // The source has all that it needs and only has to say so; its guest needs it no more.
  leaveMs: 60_000,
};
