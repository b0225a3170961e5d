// What an outgoing migration hears of: its control connection, its workers, its timers and its user.
// Data only; outgoing.ts makes them of what happens.
import type { MicrostunError } from '../../shared/errors.js';
import type { GuestAnswer } from '../../shared/guest/machine-notices.js';
import type { Message } from '../../shared/wire/messages.js';
import type { ControlEvent } from './control.js';
import type { RoundFacts } from './convergence.js';
import type { HandedOver } from './states.js';

export type OutgoingEvent =
  | ControlEvent
  | { readonly kind: 'received'; readonly message: Message; readonly receivedAt: number }
  | { readonly kind: 'pages-connected' }
  /** CONNECT_FAILED: it never was connected. */
  | { readonly kind: 'pages-lost'; readonly error: MicrostunError }
  /** CONNECT_FAILED: it could not be dialled. */
  | { readonly kind: 'faults-lost'; readonly error: MicrostunError }
  | { readonly kind: 'traces-installed' }
  /** `keptPages`: those of the round that were not sent, because it was stopped. */
  | { readonly kind: 'round-placed'; readonly facts: RoundFacts; readonly keptPages?: number }
  /** The hashes of all pages are at the destination. */
  | { readonly kind: 'hashes-placed' }
  | { readonly kind: 'harvested'; readonly dirtyPages: number }
  /** What the guest answers to the question of that number. */
  | { readonly kind: 'guest-answered'; readonly question: number; readonly answer: GuestAnswer }
  /** Pages were pushed, or sent for faults, since the timer `push` was armed. */
  | { readonly kind: 'pages-moved' }
  /** HAND_OVER is on its way, or waits for a connection. */
  | { readonly kind: 'handed-over'; readonly handOver: HandedOver }
  /** The destination has said at once, on the fault connection, that it runs the guest; RESUMED follows. */
  | { readonly kind: 'taken-over'; readonly receivedAt: number }
  | { readonly kind: 'timer'; readonly timer: TimerName }
  | { readonly kind: 'cancel'; readonly reason: string }
  /** The user wants the destination asked now, whatever pause there is. */
  | { readonly kind: 'ask-now' }
  | { readonly kind: 'failed'; readonly error: MicrostunError; readonly who?: Helper };

/** One of the events, by its kind. */
export type EventOf<Kind extends OutgoingEvent['kind']> = Extract<OutgoingEvent, { kind: Kind }>;

/** Who does the work that may fail; each is needed for some phases only. */
export type Helper = 'tracer' | 'copiers' | 'guest';

export type TimerName =
  /** Dial the control connection again. */
  | 'control-retry'
  /** Give the control connection up. */
  | 'control-limit'
  /** The phase took too long. */
  | 'phase'
  | 'doubt'
  /** Page connections stayed lost. */
  | 'pages'
  /** Dial lost page and fault connections again. */
  | 'pages-retry'
  /** No page or fault connection could be dialled so far. */
  | 'unreachable'
  /** The user's, of the rounds. */
  | 'time-limit'
  /** Ask the guest again. */
  | 'notice'
  /** The guest was asked for as long as it may be. */
  | 'notice-limit'
  /** Look whether pages move. */
  | 'push';
