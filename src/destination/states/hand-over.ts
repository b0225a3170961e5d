// From HAND_OVER to a guest that runs here: validated, its pages placed and compared, resumed.
// Does not look into the message: that is hand-over-check.ts.
import type { MessageOf } from '../../shared/wire/messages.js';
import { onAttached, outOfTurn } from './control.js';
import { same, type IncomingEffect, type IncomingStep } from './events.js';
import type { IncomingLimits } from './limits.js';
import { refuse, sayAgain } from './outcome.js';
import type { GuestPages, HandOver, IncomingState, Placed, Validated } from './states.js';

export function onHandOver(
  limits: IncomingLimits,
  state: IncomingState,
  handOver: HandOver,
  receivedAt: number,
): IncomingStep {
  switch (state.name) {
    case 'receiving': {
      const { prepare, arePagesLost, placed } = state;
      return {
        state: { name: 'validating', prepare, arePagesLost, handOver, placed },
        effects: [{ kind: 'validate', prepare, handOver, receivedAt }],
      };
    }
    case 'validating':
    case 'placing':
    case 'resuming':
      // Asked again before there is an answer: it will come.
      return same(state);
    case 'running':
    case 'auditing':
    case 'told':
      return { state, effects: sayAgain(state.answers) };
    case 'ended':
      return onAttached(state);
    default:
      return outOfTurn(limits, state, 'HAND_OVER');
  }
}

export function onRoundPlaced(state: IncomingState, placed: Placed): IncomingStep {
  switch (state.name) {
    case 'receiving':
    case 'validating':
      return { state: { ...state, placed }, effects: [] };
    case 'placing':
      return confirmIfPlaced(state, placed);
    default:
      return same(state);
  }
}

export function onValidated(
  limits: IncomingLimits,
  state: IncomingState,
  validated: Validated,
): IncomingStep {
  if (state.name !== 'validating') return same(state);
  const { prepare, arePagesLost, handOver, placed } = state;
  const placing = {
    name: 'placing',
    prepare,
    arePagesLost,
    handOver,
    validated,
    isConfirming: false,
  } as const;
  const step = confirmIfPlaced(placing, placed);
  if (step.state !== placing) return step;
  return { state: placing, effects: [{ kind: 'arm', timer: 'placement', ms: limits.placementMs }] };
}

// No page may be on its way when the guest is handed over: the last round before that must be placed on every
// connection. In a pre-copy it has brought as many pages as the bitmap says were missing; which ones is confirmed.
function confirmIfPlaced(state: Extract<IncomingState, { name: 'placing' }>, placed: Placed): IncomingStep {
  const { handOver, validated, isConfirming } = state;
  const lastRound = handOver.pagesFollow ? handOver.finalRound - 1 : handOver.finalRound;
  if (isConfirming || placed.round < lastRound) return same(state);
  const isPromised = handOver.pagesFollow || placed.pages === validated.lackingPages;
  if (placed.round !== lastRound || !isPromised) {
    return refuse(
      state,
      'PROTOCOL',
      `round ${placed.round} brought ${placed.pages} pages, the hand-over promised ` +
        (handOver.pagesFollow
          ? `that round ${lastRound} was the last before it`
          : `${validated.lackingPages} in round ${lastRound}`),
    );
  }
  return {
    state: { ...state, isConfirming: true },
    effects: [
      { kind: 'disarm', timer: 'placement' },
      { kind: 'confirm', pagesFollow: handOver.pagesFollow, lacking: validated.lacking },
    ],
  };
}

export function onConfirmed(state: IncomingState): IncomingStep {
  if (state.name !== 'placing') return same(state);
  const { prepare, handOver, validated } = state;
  const lackingPages = handOver.pagesFollow ? validated.lackingPages : 0;
  return {
    state: { name: 'resuming', prepare, pages: pagesAfter(handOver, lackingPages) },
    effects: [{ kind: 'resume', handOver, validated, lackingPages }],
  };
}

function pagesAfter({ pagesFollow }: HandOver, lackedPages: number): GuestPages {
  if (!pagesFollow) return { name: 'whole' };
  return lackedPages > 0
    ? { name: 'lacking', lackedPages, wait: 'patient' }
    : { name: 'settling', lackedPages };
}

export function onResumed(
  state: IncomingState,
  resumedAt: number,
  answer: MessageOf<'RESUMED'>,
): IncomingStep {
  if (state.name !== 'resuming') return same(state);
  const { prepare, pages } = state;
  // The answer first: all that can wait does so until it is on its way.
  const effects: IncomingEffect[] = [
    { kind: 'send', message: answer },
    { kind: 'watch', arePagesLacking: pages.name === 'lacking' },
  ];
  if (pages.name === 'whole' && prepare.audits)
    effects.push({ kind: 'arm', timer: 'audit', ms: prepare.auditAfterMs });
  if (pages.name === 'settling') effects.push({ kind: 'settle' });
  return { state: { name: 'running', prepare, answers: [answer], resumedAt, pages }, effects };
}
