// The rounds: copies what is dirty, harvests, and copies again, until their verdict stops the guest.
// No I/O; the verdict is rounds.ts.
import { MicrostunError } from '../../shared/errors.js';
import { enter, limitPhase, stay, withEffects, type OutgoingEffect, type OutgoingStep } from './effects.js';
import type { EventOf } from './events.js';
import { fail } from './failure.js';
import { askOrStop, harvestAnew } from './notice.js';
import type { MigrationPlan } from './plan.js';
import { onPushed } from './pushing.js';
import { judgeRounds, type RoundsSoFar } from './rounds.js';
import type { HeldRounds, OutgoingState } from './states.js';

/** Every page is traced: round 0 copies all of them. */
export function onTracesInstalled(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  if (state.phase.name !== 'installing-traces') return stay(state);
  const { roundTripMs } = state.phase;
  return withEffects(
    [
      { kind: 'disarm', timer: 'phase' },
      { kind: 'arm', timer: 'time-limit', ms: plan.timeLimitMs },
    ],
    copyRound(state, { rounds: [], roundTripMs, isOvertime: false, throttledShare: 0 }),
  );
}

function copyRound(state: OutgoingState, soFar: RoundsSoFar): OutgoingStep {
  return enter(state, { name: 'copying', soFar }, [{ kind: 'copy-round', round: soFar.rounds.length }]);
}

/** What a round sent is placed at the destination; that of the push is its end here. */
export function onRoundPlaced(
  plan: MigrationPlan,
  state: OutgoingState,
  { facts, keptPages = 0 }: EventOf<'round-placed'>,
): OutgoingStep {
  const { phase } = state;
  if (phase.name === 'pushing') return onPushed(plan, state, { ...phase, isPushed: true });
  if (phase.name !== 'copying') return stay(state);
  const soFar = { ...phase.soFar, rounds: [...phase.soFar.rounds, facts] };
  return enter(state, { name: 'harvesting', soFar, keptPages }, [
    { kind: 'harvest', keepsRest: keptPages > 0 },
    limitPhase(plan.phases.harvestMs),
  ]);
}

/** It is known what the next round, or the switch-over, would have to bring. */
export function onHarvested(plan: MigrationPlan, state: OutgoingState, dirtyPages: number): OutgoingStep {
  if (state.phase.name !== 'harvesting') return stay(state);
  const { soFar, keptPages } = state.phase;
  const verdict = judgeRounds(plan, soFar, { dirtyPages, keptPages });
  const course = verdict.kind === 'go-on' ? verdict.course : undefined;
  const noted: readonly OutgoingEffect[] = [
    { kind: 'disarm', timer: 'phase' },
    { kind: 'note-forecast', forecast: verdict.forecast, course },
  ];
  if (verdict.kind === 'stop') {
    const how = { round: soFar.rounds.length, stop: verdict.stop };
    return askOrStop(plan, state, how, { soFar, dirtyPages }, noted);
  }
  const { throttledShare, isThrottleSet } = verdict;
  const throttled: readonly OutgoingEffect[] = isThrottleSet
    ? [{ kind: 'throttle', share: throttledShare }]
    : [];
  return withEffects([...noted, ...throttled], copyRound(state, { ...soFar, throttledShare }));
}

/** The guest takes its time, and the rounds have paused: what it dirties meanwhile is copied, as far as there is any. */
export function onRoundsPaused(
  plan: MigrationPlan,
  state: OutgoingState,
  { soFar, dirtyPages }: HeldRounds,
): OutgoingStep {
  return dirtyPages > 0 ? copyRound(state, soFar) : harvestAnew(plan, state, { soFar, dirtyPages }, []);
}

/** The rounds take too long. One under way is stopped where it is: what it has not sent stays dirty. */
export function onTimeLimit(plan: MigrationPlan, state: OutgoingState): OutgoingStep {
  const { phase } = state;
  if (phase.name !== 'copying' && phase.name !== 'harvesting') return stay(state);
  if (plan.onTimeout === 'abort') {
    const error = `the rounds did not converge within ${plan.timeLimitMs / 1000} s (--time-limit)`;
    return fail(plan, state, new MicrostunError('TIMEOUT', error));
  }
  const soFar = { ...phase.soFar, isOvertime: true };
  if (phase.name === 'harvesting') return enter(state, { ...phase, soFar }, []);
  return enter(state, { ...phase, soFar }, [
    { kind: 'stop-round', round: soFar.rounds.length },
    limitPhase(plan.phases.stoppedRoundMs),
  ]);
}
