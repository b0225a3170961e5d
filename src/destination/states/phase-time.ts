// How long a phase may last, and what becomes of a migration whose phase lasts longer.
// One timer, `phase`: each phase arms it anew or lets it go.
import { MicrostunError, unreachable } from '../../shared/errors.js';
import { giveUpAudit } from './audit.js';
import { same, type IncomingEffect, type IncomingEvent, type IncomingStep } from './events.js';
import type { PhaseLimits } from './limits.js';
import { end, failRunning, refuse } from './outcome.js';
import type { IncomingState } from './states.js';
import { isVerifying } from './verifying.js';

/** Each phase is timed from where it begins; what keeps a phase alive begins its time anew. */
export function timePhase(
  limits: PhaseLimits,
  before: IncomingState,
  after: IncomingState,
  event: IncomingEvent,
): IncomingEffect | undefined {
  const isAlive =
    (after.name === 'receiving' && (arePagesMoving(event) || event.kind === 'attached')) ||
    (isVerifying(after) &&
      (event.kind === 'round-placed' || event.kind === 'pages-moved' || event.kind === 'attached'));
  // Without its source it is the timer `control` that counts.
  if (after.name === 'receiving' && event.kind === 'control-lost') return { kind: 'disarm', timer: 'phase' };
  const ms = phaseMs(limits, after);
  const msBefore = phaseMs(limits, before);
  if (before.name === after.name && ms === msBefore && !isAlive) return undefined;
  if (ms !== undefined) return { kind: 'arm', timer: 'phase', ms };
  return msBefore === undefined ? undefined : { kind: 'disarm', timer: 'phase' };
}

/** Whether it is told that pages come: a round that brings none is no sign of them. */
export function arePagesMoving(event: IncomingEvent): boolean {
  return event.kind === 'pages-moved' || (event.kind === 'round-placed' && event.pages > 0);
}

function phaseMs(limits: PhaseLimits, state: IncomingState): number | undefined {
  switch (state.name) {
    case 'preparing':
      return limits.prepareMs;
    case 'receiving':
      return limits.idleMs;
    case 'resuming':
      return limits.resumeMs;
    case 'running':
      if (isVerifying(state)) return limits.auditMs;
      return state.pages.name === 'whole' && !state.prepare.audits ? limits.leaveMs : undefined;
    case 'auditing':
      return limits.auditMs;
    case 'told':
      return limits.leaveMs;
    case 'greeted':
    case 'placing':
    case 'ended':
      return undefined;
    default:
      return unreachable(state);
  }
}

export function onPhaseTimeout(limits: PhaseLimits, state: IncomingState): IncomingStep {
  switch (state.name) {
    case 'preparing':
      return refuse(
        state,
        'TIMEOUT',
        `a place for the guest was not ready within ${limits.prepareMs / 1000} s`,
      );
    case 'receiving':
      return refuse(state, 'TIMEOUT', `the source sent no page for ${limits.idleMs / 1000} s`);
    case 'resuming':
      return failRunning(
        state,
        new MicrostunError(
          'TIMEOUT',
          `the guest's vCPUs did not all run within ${limits.resumeMs / 1000} s of the hand-over; end this process and start the guest anew`,
        ),
      );
    case 'auditing':
      return giveUpAudit(limits, state);
    case 'running':
      // One that just began to run may hear of the phase before.
      return state.pages.name === 'whole' ? end(state, { kind: 'running', isSourceGone: true }) : same(state);
    case 'told':
      return end(state, { kind: 'running', isSourceGone: true });
    case 'greeted':
    case 'placing':
    case 'ended':
      return same(state);
    default:
      return unreachable(state);
  }
}
