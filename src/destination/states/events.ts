// What an incoming migration hears of, and what it asks its driver to do.
// Data only.
import type { MicrostunError } from '../../shared/errors.js';
import type { Message, MessageOf, RefusalCode } from '../../shared/wire/messages.js';
import type { TakenOver } from '../take-over.js';
import type { IncomingState, Outcome, Prepare } from './states.js';

/** What remote page faults cost the guest. */
export type FaultSummary = Omit<MessageOf<'ARRIVED'>, 'name' | 'pushedPages' | 'fetchedPages' | 'durationMs'>;

export type IncomingEvent =
  | { readonly kind: 'attached' }
  | { readonly kind: 'control-lost'; readonly error: MicrostunError }
  | { readonly kind: 'received'; readonly message: Message; readonly receivedAt: number }
  /** The source may dial these ports for pages and faults. */
  | { readonly kind: 'listening'; readonly pagePorts: readonly number[]; readonly faultPort: number }
  | { readonly kind: 'prepared' }
  | { readonly kind: 'declined'; readonly code: RefusalCode; readonly error: MicrostunError }
  | { readonly kind: 'round-placed'; readonly round: number; readonly pages: number }
  /** CONNECT_FAILED: it never was connected. */
  | { readonly kind: 'pages-lost'; readonly error: MicrostunError }
  /** Pages come in: the source is at work. */
  | { readonly kind: 'pages-moved' }
  /** Every page and fault connection is up again. */
  | { readonly kind: 'pages-connected' }
  /** The last page that the running guest lacked is placed. */
  | { readonly kind: 'all-arrived' }
  /** Every page is on the fast path. */
  | {
      readonly kind: 'settled';
      readonly settledAt: number;
      readonly fetchedPages: number;
      readonly faults: FaultSummary;
    }
  /** A hand-over came, and its last pages did not yet. */
  | { readonly kind: 'placing' }
  /** The guest is this side's, and its vCPUs were told to run; nothing that came before says otherwise. */
  | { readonly kind: 'taken-over'; readonly facts: TakenOver }
  /** The page connections break the protocol. */
  | { readonly kind: 'out-of-turn'; readonly error: MicrostunError }
  | { readonly kind: 'resumed'; readonly answer: MessageOf<'RESUMED'> }
  /** The guest was compared with what its source had at the hand-over. */
  | { readonly kind: 'verified'; readonly answer: MessageOf<'VERIFIED'> }
  | { readonly kind: 'audited'; readonly answer: MessageOf<'AUDITED'> }
  /** A few samples of the guest; they are said once, and missed where nobody listens. */
  | { readonly kind: 'sampled'; readonly samples: Float64Array }
  | { readonly kind: 'timer'; readonly timer: TimerName }
  /** The timer `farewell` is due, and pages came since it was armed, or this process slept meanwhile. */
  | { readonly kind: 'source-heard' }
  | { readonly kind: 'cancel'; readonly reason: string }
  /** Another migration asks for the place of one whose source went away. */
  | { readonly kind: 'make-way' }
  | { readonly kind: 'failed'; readonly error: MicrostunError }
  /** A worker that brings pages has failed. */
  | { readonly kind: 'helper-failed'; readonly error: MicrostunError };

/** `phase`: the phase has lasted too long. */
export type TimerName =
  'control' | 'greeted' | 'pages' | 'retry' | 'unreachable' | 'placement' | 'audit' | 'farewell' | 'phase';

export type IncomingEffect =
  | { readonly kind: 'send'; readonly message: Message }
  | { readonly kind: 'pong'; readonly sentAt: number }
  | { readonly kind: 'hang-up' }
  | { readonly kind: 'prepare'; readonly prepare: Prepare }
  /** The vCPUs were told to run: how they began to is to be told. */
  | { readonly kind: 'await-slices'; readonly facts: TakenOver }
  /** The fault connection is dialled anew, where we dial: a hand-over may have been lost on the one before. */
  | { readonly kind: 'redial-faults' }
  /** The answer is on its way: the guest is sampled, and a push that stands still is noticed if pages are to come. */
  | { readonly kind: 'watch'; readonly arePagesLacking: boolean }
  | { readonly kind: 'reconnect-pages' }
  | { readonly kind: 'settle' }
  /** The source is away with pages that the guest lacks, or is back; each is said once an absence. */
  | { readonly kind: 'report-source'; readonly isAway: boolean }
  | { readonly kind: 'audit' }
  /** It takes too long: the guest runs on. */
  | { readonly kind: 'stop-audit' }
  | { readonly kind: 'arm'; readonly timer: TimerName; readonly ms: number }
  | { readonly kind: 'disarm'; readonly timer: TimerName }
  | { readonly kind: 'end'; readonly outcome: Outcome };

export interface IncomingStep {
  readonly state: IncomingState;
  readonly effects: readonly IncomingEffect[];
}

export function same(state: IncomingState): IncomingStep {
  return { state, effects: [] };
}
