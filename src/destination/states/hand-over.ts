// From HAND_OVER to a guest that runs here: its last pages placed, taken over, resumed.
// Does not look into the message, and does not decide: the fetcher does, at its gate (take-over.ts).
import type { MessageOf } from '../../shared/wire/messages.js';
import type { TakenOver } from '../take-over.js';
import { same, type IncomingEffect, type IncomingStep } from './events.js';
import type { IncomingLimits } from './limits.js';
import { whenWhole } from './verifying.js';
import { mayRefuse, type GuestPages, type IncomingState } from './states.js';

/** A hand-over came, and waits for its last round. */
export function onPlacing(limits: IncomingLimits, state: IncomingState): IncomingStep {
  if (state.name !== 'receiving') return same(state);
  const { prepare, arePagesLost } = state;
  return {
    state: { name: 'placing', prepare, arePagesLost },
    effects: [{ kind: 'arm', timer: 'placement', ms: limits.placementMs }],
  };
}

/** The guest is this side's, whatever was about to be said. */
export function onTakenOver(state: IncomingState, facts: TakenOver): IncomingStep {
  if (!mayRefuse(state) || !('prepare' in state)) return same(state);
  const { prepare } = state;
  return {
    state: { name: 'resuming', prepare, resumedAt: facts.markedAt, pages: pagesOf(facts) },
    effects: [
      { kind: 'disarm', timer: 'placement' },
      { kind: 'await-slices', facts },
    ],
  };
}

function pagesOf({ pagesFollow, lackingPages }: TakenOver): GuestPages {
  if (!pagesFollow) return { name: 'whole' };
  return lackingPages > 0
    ? { name: 'lacking', lackedPages: lackingPages, wait: 'patient' }
    : { name: 'settling', lackedPages: 0 };
}

/** Every vCPU has begun a slice. */
export function onResumed(state: IncomingState, answer: MessageOf<'RESUMED'>): IncomingStep {
  if (state.name !== 'resuming') return same(state);
  const { prepare, pages, resumedAt } = state;
  // The answer first: all that can wait does so until it is on its way.
  const effects: IncomingEffect[] = [
    { kind: 'send', message: answer },
    { kind: 'watch', arePagesLacking: pages.name === 'lacking' },
  ];
  if (pages.name === 'whole') effects.push(...whenWhole(prepare));
  if (pages.name === 'settling') effects.push({ kind: 'settle' });
  return { state: { name: 'running', prepare, answers: [answer], resumedAt, pages }, effects };
}
