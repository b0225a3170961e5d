// Where an outgoing migration stands: its phases, each with all that is valid in it, and the control connection beside.
// Data only; docs/protocol.md shows how one follows another.
import { unreachable, type MicrostunError } from '../../shared/errors.js';
import type { MessageOf } from '../../shared/wire/messages.js';
import type { ClockSample } from '../measurement/clock-offset.js';
import type { Control } from './control.js';
import type { RoundsSoFar } from './rounds.js';
import type { StopHow } from './stopping.js';

export type Owner = 'source' | 'destination' | 'in doubt' | 'lost';

export type Outcome =
  | { readonly kind: 'completed' }
  | {
      readonly kind: 'failed';
      readonly error: MicrostunError;
      readonly owner: Owner;
      readonly phase: Phase['name'];
    };

/** What was handed over, as far as it is asked for later. */
export interface HandedOver {
  readonly vcpus: number;
  /** The round that brings the last pages. */
  readonly round: number;
  readonly pagesFollow: boolean;
}

/** Where the guest's say stands, once it was asked; questions count up from 1. */
export type Notice =
  | { readonly name: 'asked'; readonly question: number }
  /** It wants to be asked again, a little later. */
  | { readonly name: 'delayed'; readonly question: number }
  | { readonly name: 'settled' };

/** What came of it: it is ready, all of its time was over, or it was paused and could not be asked. */
export type NoticeOutcome = 'ready' | 'time over' | 'paused';

/** Rounds that pause while the guest takes its time: what they have left is taken, and not copied yet. */
export interface HeldRounds {
  readonly soFar: RoundsSoFar;
  readonly dirtyPages: number;
}

export type Phase =
  /** Nothing asked yet: the control connection is not up. */
  | { readonly name: 'connecting' }
  /** PREPARE is sent; waits for PREPARED and for all page connections. */
  | {
      readonly name: 'preparing';
      readonly isPrepared: boolean;
      readonly arePagesUp: boolean;
      /** Where it is dialled for pages, once it has said so, if the source dials. */
      readonly listening?: MessageOf<'LISTENING'>;
      /** Why that cannot be dialled, as long as it never could. */
      readonly unreachable?: MicrostunError | undefined;
    }
  | { readonly name: 'measuring-clock'; readonly samples: readonly ClockSample[] }
  | { readonly name: 'installing-traces'; readonly roundTripMs: number }
  /** A round is under way; its number is that of the rounds before it. */
  | { readonly name: 'copying'; readonly soFar: RoundsSoFar }
  /** `keptPages`: those of the round before that were not sent, because it was stopped. */
  | { readonly name: 'harvesting'; readonly soFar: RoundsSoFar; readonly keptPages: number }
  /** The guest would be stopped, and is asked; no round is under way. Without `rounds` there are none (post-copy). */
  | { readonly name: 'notifying'; readonly how: StopHow; readonly rounds: HeldRounds | undefined }
  /** What is left is announced, then the vCPUs are parked; waits for the hand-over to be sent. */
  | {
      readonly name: 'stopping';
      /** How often the destination was asked to dial anew, because nothing came of it. */
      readonly asks: number;
    }
  /** HAND_OVER is on its way: the source runs no slice until it knows that the destination refused. */
  | {
      readonly name: 'handing-over';
      readonly handOver: HandedOver;
      readonly isInDoubt: boolean;
      /** The destination has said that it runs the guest. */
      readonly isTakenOver?: true;
      /** Times that the doubt has lasted `doubtMs`. */
      readonly doubts: number;
      /** What failed here meanwhile; it matters once the destination has answered. */
      readonly failure: MicrostunError | undefined;
    }
  /** The destination runs the guest and fetches what it lacks; the source keeps memory until it has all. */
  | {
      readonly name: 'pushing';
      /** RESUMED came: it may be behind what the fault connection has said. */
      readonly isResumed: boolean;
      readonly vcpus: number;
      /** Of the push. */
      readonly round: number;
      readonly isPushed: boolean;
      readonly arrived: MessageOf<'ARRIVED'> | undefined;
      /** The audit may be over before the push is acknowledged here. */
      readonly audited: MessageOf<'AUDITED'> | undefined;
      /** Times in a row that nothing has moved for `pushStillMs`. */
      readonly stills: number;
    }
  /** All pages have arrived; their hashes are on their way, and what the destination makes of them. */
  | {
      readonly name: 'verifying';
      readonly areSent: boolean;
      readonly verified: MessageOf<'VERIFIED'> | undefined;
    }
  | { readonly name: 'awaiting-audit' }
  | { readonly name: 'ended'; readonly outcome: Outcome };

/** One of the phases, by its name. */
export type PhaseOf<Name extends Phase['name']> = Extract<Phase, { name: Name }>;

export interface OutgoingState {
  /** In each phase it may be lost and come back. */
  readonly control: Control;
  readonly phase: Phase;
  /** Whether not all page connections are up that were, or that were dialled. */
  readonly arePagesLost?: boolean;
  /** What the guest was asked, if it was; rounds go on meanwhile. */
  readonly notice?: Notice;
}

/** Whose the guest is in a phase, as far as the source knows. */
export function ownerIn(phase: Phase): Owner {
  if (phase.name === 'ended') return phase.outcome.kind === 'completed' ? 'destination' : phase.outcome.owner;
  if (phase.name === 'handing-over') return 'in doubt';
  return isBeforeHandOver(phase) ? 'source' : 'destination';
}

/** Whether the guest is the source's beyond doubt. */
export function isBeforeHandOver(phase: Phase): boolean {
  switch (phase.name) {
    case 'connecting':
    case 'preparing':
    case 'measuring-clock':
    case 'installing-traces':
    case 'copying':
    case 'harvesting':
    case 'notifying':
    case 'stopping':
      return true;
    case 'handing-over':
    case 'pushing':
    case 'verifying':
    case 'awaiting-audit':
    case 'ended':
      return false;
    default:
      return unreachable(phase);
  }
}
