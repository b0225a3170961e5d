// The comparison of a guest that is whole with what its source had at the hand-over, and what is said of it.
// Does not know how it is done: that is ../pages/hash-comparison.ts.
import type { MessageOf } from '../../shared/wire/messages.js';
import { same, type IncomingEffect, type IncomingStep } from './events.js';
import type { IncomingState, Prepare } from './states.js';

/** Whether its source is still to tell what it had. */
export function isVerifying(state: IncomingState): boolean {
  return (
    state.name === 'running' &&
    state.pages.name === 'whole' &&
    state.prepare.verifies &&
    !state.answers.some(({ name }) => name === 'VERIFIED')
  );
}

export function onVerified(state: IncomingState, answer: MessageOf<'VERIFIED'>): IncomingStep {
  if (state.name !== 'running' || !isVerifying(state)) return same(state);
  const { prepare, answers } = state;
  return {
    state: { ...state, answers: [...answers, answer] },
    effects: [{ kind: 'send', message: answer }, ...auditNext(prepare)],
  };
}

/** All pages of the guest are here: it is compared first, if it is to be, and audited after. */
export function whenWhole(prepare: Prepare): IncomingEffect[] {
  return prepare.verifies ? [] : auditNext(prepare);
}

function auditNext({ audits, auditAfterMs }: Prepare): IncomingEffect[] {
  return audits ? [{ kind: 'arm', timer: 'audit', ms: auditAfterMs }] : [];
}
