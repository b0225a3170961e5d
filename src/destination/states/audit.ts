// The audit of a guest that is whole, and what is said of it.
// Does not know how it is done: that is ../audit.ts.
import type { MessageOf } from '../../shared/wire/messages.js';
import { same, type IncomingStep } from './events.js';
import type { PhaseLimits } from './limits.js';
import type { IncomingState } from './states.js';

export function onAuditDue(state: IncomingState): IncomingStep {
  return state.name === 'running'
    ? { state: { name: 'auditing', answers: state.answers }, effects: [{ kind: 'audit' }] }
    : same(state);
}

export function onAudited(state: IncomingState, answer: MessageOf<'AUDITED'>): IncomingStep {
  if (state.name !== 'auditing') return same(state);
  return {
    state: { name: 'told', answers: [...state.answers, answer] },
    effects: [{ kind: 'send', message: answer }],
  };
}

/** It takes too long: the guest runs on without it. */
export function giveUpAudit(
  limits: PhaseLimits,
  state: Extract<IncomingState, { name: 'auditing' }>,
): IncomingStep {
  const answer = endlessAudit(limits);
  return {
    state: { name: 'told', answers: [...state.answers, answer] },
    effects: [{ kind: 'stop-audit' }, { kind: 'send', message: answer }],
  };
}

// An audit that cannot be done is a failed one.
function endlessAudit({ auditMs }: PhaseLimits): MessageOf<'AUDITED'> {
  return {
    name: 'AUDITED',
    passed: false,
    checked: 0,
    failed: 1,
    findings: [`the audit was not over within ${auditMs / 1000} s and was stopped; the guest runs on`],
    samples: new Float64Array(0),
    gaps: new Float64Array(0),
    longestStallUs: 0,
  };
}
