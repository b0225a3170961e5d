// A guest that runs here while pages of it are at its source still: until the last has come, or is given up.
// Does not know how pages come.
import type { MessageOf } from '../../shared/wire/messages.js';
import { same, type FaultSummary, type IncomingEffect, type IncomingStep } from './events.js';
import type { IncomingLimits } from './limits.js';
import { end } from './outcome.js';
import { isHandedOver, type IncomingState } from './states.js';
import { whenWhole } from './verifying.js';

/** Told once, and perhaps before it is known that the guest runs: it is kept until then. */
export function onAllArrived(state: IncomingState): IncomingStep {
  if ((state.name !== 'resuming' && state.name !== 'running') || state.pages.name !== 'lacking')
    return same(state);
  const { lackedPages } = state.pages;
  return {
    state: { ...state, pages: { name: 'settling', lackedPages } },
    effects: state.name === 'running' ? [{ kind: 'settle' }] : [],
  };
}

export function onSettled(
  state: IncomingState,
  settledAt: number,
  fetchedPages: number,
  faults: FaultSummary,
): IncomingStep {
  if (state.name !== 'running' || state.pages.name !== 'settling') return same(state);
  const { prepare, answers, resumedAt, pages } = state;
  const answer: MessageOf<'ARRIVED'> = {
    name: 'ARRIVED',
    pushedPages: pages.lackedPages - fetchedPages,
    fetchedPages,
    ...faults,
    durationMs: (settledAt - resumedAt) / 1000,
  };
  const effects: IncomingEffect[] = [{ kind: 'send', message: answer }, ...whenWhole(prepare)];
  return { state: { ...state, pages: { name: 'whole' }, answers: [...answers, answer] }, effects };
}

/**
 * A source that is away keeps the pages that the guest lacks, and comes back: only whoever is told to gives them up. While
 * the guest is being resumed or settled, it is not known yet whether it lacks any.
 */
export function onSourceGone(limits: IncomingLimits, state: IncomingState): IncomingStep {
  if (!isHandedOver(state)) return same(state);
  if (state.name === 'resuming') return { state, effects: [awaitFarewell(limits)] };
  if (state.name !== 'running' || state.pages.name === 'whole')
    return end(state, { kind: 'running', isSourceGone: true });
  if (state.pages.name === 'settling') return { state, effects: [awaitFarewell(limits)] };
  const { wait } = state.pages;
  if (limits.endsWithoutPages || wait === 'told-to-end') return end(state, { kind: 'pages-lost' });
  // Armed again: faults may bring the last page while nobody is connected, and a whole guest waits for no source.
  return wait === 'reported'
    ? { state, effects: [awaitFarewell(limits)] }
    : {
        state: { ...state, pages: { ...state.pages, wait: 'reported' } },
        effects: [awaitFarewell(limits), { kind: 'report-source', isAway: true }],
      };
}

/** The user ends it: at once where nobody is there to bring the pages, and else once its source leaves it with some lacking. */
export function endWithoutPages(state: IncomingState): IncomingStep {
  return isMissed(state) ? end(state, { kind: 'pages-lost' }) : same(toldToEnd(state));
}

export function toldToEnd(state: IncomingState): IncomingState {
  const lacksPages =
    (state.name === 'resuming' || state.name === 'running') && state.pages.name === 'lacking';
  return lacksPages ? { ...state, pages: { ...state.pages, wait: 'told-to-end' } } : state;
}

/** The source is there: its next absence is said again. */
export function waitAnew(state: IncomingState): IncomingState {
  return state.name === 'running' && state.pages.name === 'lacking' && state.pages.wait === 'reported'
    ? { ...state, pages: { ...state.pages, wait: 'patient' } }
    : state;
}

/** Whether it was said that the source is away, and the guest waits for pages that only that one has. */
export function isMissed(state: IncomingState): boolean {
  return state.name === 'running' && state.pages.name === 'lacking' && state.pages.wait === 'reported';
}

export function awaitFarewell({ farewellMs }: IncomingLimits): IncomingEffect {
  return { kind: 'arm', timer: 'farewell', ms: farewellMs };
}
