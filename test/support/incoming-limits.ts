// Limits of an incoming migration as tests give them: round figures, each unlike the others that a test tells apart.
import { PHASE_LIMITS, type IncomingLimits } from '../../src/destination/states/limits.js';

export const incomingLimits: IncomingLimits = {
  controlLostMs: 1000,
  pagesLostMs: 500,
  retryMs: 10,
  placementMs: 1000,
  farewellMs: 2000,
  endsWithoutPages: false,
  phases: PHASE_LIMITS,
};
