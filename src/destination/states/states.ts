// Where an incoming migration stands: a union of phases, each carrying all that is valid in it.
// Knows how a state is asked, not how it changes: that is step.ts and its neighbours.
import { unreachable, type MicrostunError } from '../../shared/errors.js';
import type { Message, MessageOf } from '../../shared/wire/messages.js';

export type Prepare = MessageOf<'PREPARE'>;

/**
 * How the pages that a running guest lacks are waited for: `reported` once its source has been away for long and that was
 * said; `told-to-end` by the user, or by the source that leaves with them: its next long absence ends it.
 */
export type PagesWait = 'patient' | 'reported' | 'told-to-end';

/** The pages of a guest that runs here. */
export type GuestPages =
  /** Some are on the source only; `lackedPages` were when it was handed over. */
  | { readonly name: 'lacking'; readonly lackedPages: number; readonly wait: PagesWait }
  /** The last of them has come; they are being given to the fast path. */
  | { readonly name: 'settling'; readonly lackedPages: number }
  | { readonly name: 'whole' };

/** Where it stands: its phase by name. */
export type IncomingState =
  /** `isAwaited` once its source was here: it has so long to say what it brings, however often it comes again. */
  | { readonly name: 'greeted'; readonly isAwaited: boolean }
  | {
      readonly name: 'preparing';
      readonly prepare: Prepare;
      readonly arePagesLost: boolean;
      /** Where the source may dial, if it is to; said again to one that asks. */
      readonly listening?: MessageOf<'LISTENING'>;
      /** Why the source cannot be dialled, as long as it never could. */
      readonly unreachable?: MicrostunError | undefined;
    }
  | {
      readonly name: 'receiving';
      readonly prepare: Prepare;
      readonly arePagesLost: boolean;
      readonly unreachable?: MicrostunError | undefined;
      /** How often its source has come back since a page moved; none if nothing is said. */
      readonly comebacks?: number;
    }
  /** A hand-over came, and waits for the last round before it. */
  | { readonly name: 'placing'; readonly prepare: Prepare; readonly arePagesLost: boolean }
  /** The guest is this side's, and its vCPUs are told to run; how they began to is not known yet. */
  | {
      readonly name: 'resuming';
      readonly prepare: Prepare;
      readonly resumedAt: number;
      readonly pages: GuestPages;
    }
  /** The guest runs here, since `resumedAt` (`monotonicUs`); `answers` are said again to a source that asks. */
  | {
      readonly name: 'running';
      readonly prepare: Prepare;
      readonly answers: readonly Message[];
      readonly resumedAt: number;
      readonly pages: GuestPages;
    }
  | { readonly name: 'auditing'; readonly answers: readonly Message[] }
  /** Everything is said; waits for the source's farewell. */
  | { readonly name: 'told'; readonly answers: readonly Message[] }
  /** A source that comes back is told the answers once more. */
  | { readonly name: 'ended'; readonly outcome: Outcome; readonly answers: readonly Message[] };

export type Outcome =
  /** The guest runs here and the source needs nothing more; `isSourceGone` when it left without a farewell. */
  | { readonly kind: 'running'; readonly isSourceGone: boolean }
  /** Refused for good: this migration never resumes here. */
  | { readonly kind: 'refused'; readonly error: MicrostunError; readonly answer: MessageOf<'REFUSAL'> }
  /** The source is gone with pages that the guest lacks: it is parked, and `error` says what is lost. */
  | { readonly kind: 'pages-lost' }
  /** The guest is here and cannot go on. */
  | { readonly kind: 'failed'; readonly error: MicrostunError };

/** Whether nothing but time keeps another migration from its place: it has no source, and its guest never came. */
export function isRefusable(state: IncomingState): boolean {
  return mayRefuse(state) || (state.name === 'ended' && state.outcome.kind === 'refused');
}

/** Whether its guest may be taken over at any moment, before anybody here is told. */
export function isAtGate(state: IncomingState): boolean {
  return state.name === 'receiving' || state.name === 'placing';
}

/** Whether the guest may still be refused: no slice of it has run here, and none has been allowed. */
export function mayRefuse(state: IncomingState): boolean {
  switch (state.name) {
    case 'greeted':
    case 'preparing':
    case 'receiving':
    case 'placing':
      return true;
    case 'resuming':
    case 'running':
    case 'auditing':
    case 'told':
    case 'ended':
      return false;
    default:
      return unreachable(state);
  }
}

/** Whether the guest is here with all of its pages. */
export function isWhole(state: IncomingState): boolean {
  switch (state.name) {
    case 'resuming':
    case 'running':
      return state.pages.name === 'whole';
    default:
      return isHandedOver(state);
  }
}

/** Whether the guest is this side's. */
export function isHandedOver(state: IncomingState): boolean {
  return (
    state.name === 'resuming' ||
    state.name === 'running' ||
    state.name === 'auditing' ||
    state.name === 'told'
  );
}
