// How an outgoing migration ends, well or not: what is said last, and to whom the guest belongs.
// Whether something is an end at all is decided elsewhere.
import type { MicrostunError } from '../../shared/errors.js';
import { cancelOf } from '../../shared/wire/messages.js';
import { enter, type OutgoingEffect, type OutgoingStep } from './effects.js';
import type { MigrationPlan } from './plan.js';
import type { Outcome, OutgoingState, Owner } from './states.js';

/** Ends it, with the guest's owner. */
export function end(state: OutgoingState, error: MicrostunError, owner: Owner): OutgoingStep {
  const outcome: Outcome = { kind: 'failed', error, owner, phase: state.phase.name };
  return enter(state, { name: 'ended', outcome }, [
    ...takesPages(state, error, owner),
    { kind: 'hang-up' },
    { kind: 'end', outcome },
  ]);
}

// A destination waits for the pages that its guest lacks, unless it hears that nobody brings them.
function takesPages(
  { phase, control }: OutgoingState,
  error: MicrostunError,
  owner: Owner,
): OutgoingEffect[] {
  const isAwaited = phase.name === 'pushing' && phase.arrived === undefined && owner === 'destination';
  return isAwaited && control.name === 'up' ? [{ kind: 'send', message: cancelOf(error) }] : [];
}

/** Every page has arrived: only the audit is waited for, if there is to be one. */
export function awaitAudit(
  plan: MigrationPlan,
  state: OutgoingState,
  before: readonly OutgoingEffect[],
): OutgoingStep {
  if (!plan.audits) return complete(state, before);
  return enter(state, { name: 'awaiting-audit' }, [
    ...before,
    { kind: 'arm', timer: 'phase', ms: plan.auditMs },
  ]);
}

/** The guest has gone, with all of its pages. */
export function complete(state: OutgoingState, before: readonly OutgoingEffect[]): OutgoingStep {
  const outcome: Outcome = { kind: 'completed' };
  return enter(state, { name: 'ended', outcome }, [
    ...before,
    { kind: 'send', message: { name: 'FAREWELL' } },
    { kind: 'hang-up' },
    { kind: 'end', outcome },
  ]);
}
