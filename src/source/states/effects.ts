// What an outgoing migration wants done, and a step as the state that it leads to with what is to be done on the way.
// Data only; outgoing.ts does it.
import type { MicrostunError } from '../../shared/errors.js';
import type { Message, MessageOf } from '../../shared/wire/messages.js';
import type { ClockSample } from '../measurement/clock-offset.js';
import type { ControlEffect } from './control.js';
import type { Course, Forecast } from './convergence.js';
import type { TimerName } from './events.js';
import type { StopReason } from './rounds.js';
import type { NoticeOutcome, Outcome, OutgoingState, Phase } from './states.js';

export type OutgoingEffect =
  | ControlEffect
  | { readonly kind: 'hang-up' }
  | { readonly kind: 'send-prepare' }
  | { readonly kind: 'dial-pages'; readonly pagePorts: readonly number[]; readonly faultPort: number }
  /** What was lost of the page and fault connections is dialled again. */
  | { readonly kind: 'reconnect-pages' }
  /** All of them are dialled anew, whatever they seem to be. */
  | { readonly kind: 'redial-pages' }
  /** The fault connection is dialled anew: what was said on the one before may have been lost. */
  | { readonly kind: 'redial-faults' }
  | { readonly kind: 'ping' }
  | { readonly kind: 'send'; readonly message: Message }
  | { readonly kind: 'note-clock'; readonly sample: ClockSample }
  | { readonly kind: 'install-traces' }
  | { readonly kind: 'copy-round'; readonly round: number }
  /** The round under way ends at its next region; what it has not sent stays dirty. */
  | { readonly kind: 'stop-round'; readonly round: number }
  /** `keepsRest`: the last round was stopped, and what it did not send is dirty still. */
  | { readonly kind: 'harvest'; readonly keepsRest: boolean }
  /** `course`: of the rounds to come, if there are any. */
  | { readonly kind: 'note-forecast'; readonly forecast: Forecast; readonly course: Course | undefined }
  /** May it be stopped now? */
  | { readonly kind: 'ask-guest'; readonly question: number }
  /** Its answer is not waited for any more. */
  | { readonly kind: 'withdraw-question' }
  | { readonly kind: 'note-notice'; readonly outcome: NoticeOutcome }
  /** Announces what is left, parks the vCPUs and hands the guest over; `round` carries the rest. */
  | {
      readonly kind: 'switch-over';
      readonly round: number;
      readonly pagesFollow: boolean;
      /** With more last pages than this they follow, all the same: copying them would stun the guest for too long. */
      readonly pagesMax: number;
      readonly why: StopReason;
    }
  /** Stun During Page Send: each vCPU sleeps this share of its time. */
  | { readonly kind: 'throttle'; readonly share: number }
  /** The guest is parked and handed over: the remaining pages go within the stun. */
  | { readonly kind: 'copy-rest'; readonly round: number }
  | { readonly kind: 'note-taken-over'; readonly receivedAt: number }
  | { readonly kind: 'note-resumed'; readonly message: MessageOf<'RESUMED'>; readonly receivedAt: number }
  | { readonly kind: 'push'; readonly round: number }
  | { readonly kind: 'note-arrived'; readonly message: MessageOf<'ARRIVED'> }
  /** A few samples of the guest at the destination. */
  | { readonly kind: 'note-samples'; readonly samples: Float64Array }
  /** What all pages were at the hand-over follows, as hashes. */
  | { readonly kind: 'hash-pages'; readonly round: number }
  | { readonly kind: 'note-verified'; readonly message: MessageOf<'VERIFIED'> }
  | { readonly kind: 'note-audit'; readonly message: MessageOf<'AUDITED'> }
  /** The guest stays: its traces go, and it runs if it was parked. */
  | { readonly kind: 'release-guest' }
  | { readonly kind: 'report-doubt'; readonly error: MicrostunError }
  /** For the log: what went wrong, or lasts, and ends nothing. */
  | { readonly kind: 'warn'; readonly text: string }
  | { readonly kind: 'decline-cancel'; readonly reason: string }
  | { readonly kind: 'arm'; readonly timer: TimerName; readonly ms: number }
  | { readonly kind: 'disarm'; readonly timer: TimerName }
  | { readonly kind: 'end'; readonly outcome: Outcome };

/** One of the effects, by its kind. */
export type EffectOf<Kind extends OutgoingEffect['kind']> = Extract<OutgoingEffect, { kind: Kind }>;

export interface OutgoingStep {
  readonly state: OutgoingState;
  readonly effects: readonly OutgoingEffect[];
}

/** Nothing changes and nothing is to be done. */
export function stay(state: OutgoingState): OutgoingStep {
  return { state, effects: [] };
}

/** The phase changes, or what is known in it. */
export function enter(state: OutgoingState, phase: Phase, effects: readonly OutgoingEffect[]): OutgoingStep {
  return { state: { ...state, phase }, effects };
}

/** A step with something to be done before it. */
export function withEffects(before: readonly OutgoingEffect[], step: OutgoingStep): OutgoingStep {
  return { state: step.state, effects: [...before, ...step.effects] };
}

/** The phase, or what it waits for, may take so long. */
export function limitPhase(ms: number): OutgoingEffect {
  return { kind: 'arm', timer: 'phase', ms };
}
