// Before the rounds: the destination makes room, pages are connected, and the two clocks are compared.
// No I/O.
import type { ClockSample } from '../measurement/clock-offset.js';
import { enter, limitPhase, stay, type OutgoingEffect, type OutgoingStep } from './effects.js';
import { outOfTurn } from './failure.js';
import { askOrStop } from './notice.js';
import type { MigrationPlan } from './plan.js';
import { stopAllFollowing } from './rounds.js';
import type { OutgoingState, PhaseOf } from './states.js';

/** Clock exchanges before the migration; the shortest round trip of them goes into the forecasts. */
const CLOCK_SAMPLES = 12;

/** The destination is prepared, or all page connections are up: with both it goes on. */
export function onPrepared(
  plan: MigrationPlan,
  state: OutgoingState,
  phase: PhaseOf<'preparing'>,
): OutgoingStep {
  if (!phase.isPrepared || !phase.arePagesUp) return enter(state, phase, []);
  return enter(state, { name: 'measuring-clock', samples: [] }, [
    limitPhase(plan.phases.pongMs),
    { kind: 'ping' },
  ]);
}

/** An answer to a PING: of the measurement, or of a heartbeat. */
export function onPong(plan: MigrationPlan, state: OutgoingState, sample: ClockSample): OutgoingStep {
  // An answer to what was not asked yet measures nothing.
  if (sample.sentAt > sample.receivedAt)
    return state.phase.name === 'measuring-clock' ? outOfTurn(plan, state, 'PONG') : stay(state);
  // Clocks run apart: every exchange counts, at whatever time, and those next to the stun count most.
  const noted: OutgoingEffect = { kind: 'note-clock', sample };
  if (state.phase.name !== 'measuring-clock') return { state, effects: [noted] };
  const samples = [...state.phase.samples, sample];
  if (samples.length < CLOCK_SAMPLES) {
    return enter(state, { name: 'measuring-clock', samples }, [
      noted,
      { kind: 'ping' },
      limitPhase(plan.phases.pongMs),
    ]);
  }
  const roundTripMs = Math.min(...samples.map((one) => one.receivedAt - one.sentAt)) / 1000;
  if (plan.mode === 'post-copy')
    return askOrStop(plan, state, { round: 0, stop: stopAllFollowing('post-copy') }, undefined, [noted]);
  return enter(state, { name: 'installing-traces', roundTripMs }, [
    noted,
    { kind: 'install-traces' },
    limitPhase(plan.phases.installMs),
  ]);
}
