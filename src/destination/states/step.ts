// The destination's state machine for one migration: data, one exhaustive step, no I/O. docs/protocol.md has the table.
// Sockets, workers and the machine are the driver's (incoming.ts).
import { MicrostunError, unreachable, type ErrorCode } from '../../shared/errors.js';
import { PROTOCOL_VERSION } from '../../shared/wire/frames.js';
import {
  cancelOf,
  clipReason,
  type Message,
  type MessageName,
  type MessageOf,
  type RefusalCode,
} from '../../shared/wire/messages.js';

export interface IncomingLimits {
  /** How long the control connection may stay lost before the hand-over; then the migration is refused for good. */
  readonly controlLostMs: number;
  /** How long page connections may stay lost before the hand-over. */
  readonly pagesLostMs: number;
  /** Pause before lost page and fault connections are dialled again. */
  readonly retryMs: number;
  /** How long a hand-over's last pages may take. */
  readonly placementMs: number;
  /** How long after the hand-over the source may stay away before nobody waits for it any more. */
  readonly farewellMs: number;
  /**
   * Whether that ends a guest that lacks pages as well: it is parked, and they are lost. Else it waits for them until its
   * source comes back, or somebody ends it.
   */
  readonly endsWithoutPages: boolean;
  readonly phases: PhaseLimits;
}

/**
 * A source says what it brings as soon as it is welcome; meanwhile it holds the only place here. Longer than the silence
 * after which a source whose welcome was lost dials anew (SILENCE_MS_MAX), and its dials.
 */
export const GREETED_MS = 15_000;

/**
 * From the first dial to the source that failed until it is told so, if none has succeeded by then. With a dial's own
 * limit it hears within 5 s that it cannot be reached.
 */
const UNREACHABLE_MS = 1500;

/** How long each phase may last; `placing` has `placementMs`. A guest that runs and waits for its pages may do so. */
export interface PhaseLimits {
  readonly prepareMs: number;
  /** Receiving: from one sign of pages to the next, while the source is connected. */
  readonly idleMs: number;
  readonly resumeMs: number;
  readonly auditMs: number;
  /** Once the guest is whole and everything is said: the source's farewell, while it is connected. */
  readonly leaveMs: number;
}

export const PHASE_LIMITS: PhaseLimits = {
  // Less than the source waits (60 s), so that it hears why.
  prepareMs: 55_000,
  // A source that measures its clock, installs traces or harvests sends no pages; each of those has a limit there.
  idleMs: 120_000,
  // The first slice of every vCPU; a host that is very busy takes a second for it.
  resumeMs: 60_000,
  // Less than the source waits (600 s), so that it hears of it.
  auditMs: 540_000,
  // The source has all that it needs and only has to say so; its guest needs it no more.
  leaveMs: 60_000,
};

type Prepare = MessageOf<'PREPARE'>;
type HandOver = MessageOf<'HAND_OVER'>;

/**
 * How the pages that a running guest lacks are waited for: `reported` once its source has been away for long and that was
 * said; `told-to-end` by the user, or by the source that leaves with them: its next long absence ends it.
 */
export type PagesWait = 'patient' | 'reported' | 'told-to-end';

/** What a checked hand-over comes down to. */
export interface Validated {
  readonly validationMs: number;
  /** Pages in the bitmap. */
  readonly lackingPages: number;
}

export type IncomingState =
  /** `isAwaited` once its source was here: it has so long to say what it brings, however often it comes again. */
  | { readonly name: 'greeted'; readonly isAwaited: boolean }
  | {
      readonly name: 'preparing';
      readonly prepare: Prepare;
      readonly arePagesLost: boolean;
      /** Why the source cannot be dialled, as long as it never could. */
      readonly unreachable?: MicrostunError | undefined;
    }
  | {
      readonly name: 'receiving';
      readonly prepare: Prepare;
      readonly arePagesLost: boolean;
      readonly prepared: MessageOf<'PREPARED'>;
      readonly placed: Placed;
      readonly unreachable?: MicrostunError | undefined;
    }
  | {
      readonly name: 'validating';
      readonly prepare: Prepare;
      readonly arePagesLost: boolean;
      readonly handOver: HandOver;
      readonly placed: Placed;
    }
  /** Valid, but the last round before it is not known to be placed on every connection; or that is being confirmed. */
  | {
      readonly name: 'placing';
      readonly prepare: Prepare;
      readonly arePagesLost: boolean;
      readonly handOver: HandOver;
      readonly validated: Validated;
      /** Every connection is quiet: what came is compared with what was promised. */
      readonly isConfirming: boolean;
    }
  /** Its vCPUs may run already, and fetch every page that they lack, before that is known here. */
  | {
      readonly name: 'resuming';
      readonly prepare: Prepare;
      readonly pagesFollow: boolean;
      readonly haveAllArrived: boolean;
      readonly wait: PagesWait;
    }
  /**
   * The guest runs here; `answers` are said again to a source that asks. Until all pages have arrived, some are on the
   * source only; it is whole once they are settled too.
   */
  | {
      readonly name: 'running';
      readonly prepare: Prepare;
      readonly answers: readonly Message[];
      readonly haveAllArrived: boolean;
      readonly isWhole: boolean;
      readonly wait: PagesWait;
    }
  | { readonly name: 'auditing'; readonly answers: readonly Message[] }
  /** Everything is said; waits for the source's farewell. */
  | { readonly name: 'told'; readonly answers: readonly Message[] }
  /** A source that comes back is told the answers once more. */
  | { readonly name: 'ended'; readonly outcome: Outcome; readonly answers: readonly Message[] };

/** The newest round that was placed, and its pages. */
export interface Placed {
  readonly round: number;
  readonly pages: number;
}

export type Outcome =
  /** The guest runs here and the source needs nothing more; `isSourceGone` when it left without a farewell. */
  | { readonly kind: 'running'; readonly isSourceGone: boolean }
  /** Refused for good: this migration never resumes here. */
  | { readonly kind: 'refused'; readonly error: MicrostunError; readonly answer: MessageOf<'REFUSAL'> }
  /** The source is gone with pages that the guest lacks: it is parked, and `error` says what is lost. */
  | { readonly kind: 'pages-lost' }
  /** The guest is here and cannot go on. */
  | { readonly kind: 'failed'; readonly error: MicrostunError };

export type IncomingEvent =
  | { readonly kind: 'attached' }
  | { readonly kind: 'control-lost'; readonly error: MicrostunError }
  | { readonly kind: 'received'; readonly message: Message; readonly receivedAt: number }
  | { readonly kind: 'prepared'; readonly preparedMs: number }
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
  | { readonly kind: 'settled'; readonly answer: MessageOf<'ARRIVED'> }
  | { readonly kind: 'validated'; readonly validated: Validated }
  /** Nobody overwrites a page any more, and what came is what was promised. */
  | { readonly kind: 'confirmed' }
  /** The page connections break the protocol. */
  | { readonly kind: 'out-of-turn'; readonly error: MicrostunError }
  | { readonly kind: 'resumed'; readonly answer: MessageOf<'RESUMED'> }
  | { readonly kind: 'audited'; readonly answer: MessageOf<'AUDITED'> }
  /** A few samples of the guest; they are said once, and missed where nobody listens. */
  | { readonly kind: 'sampled'; readonly samples: Float64Array }
  | { readonly kind: 'timer'; readonly timer: TimerName }
  /** The timer `farewell` is due, and pages came since it was armed, or this process slept meanwhile. */
  | { readonly kind: 'source-heard' }
  | { readonly kind: 'cancel'; readonly reason: string }
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
  | {
      readonly kind: 'validate';
      readonly prepare: Prepare;
      readonly handOver: HandOver;
      readonly receivedAt: number;
    }
  | { readonly kind: 'confirm'; readonly handOver: HandOver }
  | { readonly kind: 'resume'; readonly handOver: HandOver }
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

const NOTHING_PLACED: Placed = { round: -1, pages: 0 };

export function beginIncoming(): IncomingState {
  return { name: 'greeted', isAwaited: false };
}

/** The next phase and what to do; an event that means nothing in a phase changes nothing. */
export function stepIncoming(
  limits: IncomingLimits,
  state: IncomingState,
  event: IncomingEvent,
): IncomingStep {
  const step = react(limits, state, event);
  const timing = timePhase(limits.phases, state, step.state, event);
  // Last: the answers go first.
  return timing === undefined ? step : { state: step.state, effects: [...step.effects, timing] };
}

// Each phase is timed from where it begins; what keeps a phase alive begins its time anew.
function timePhase(
  limits: PhaseLimits,
  before: IncomingState,
  after: IncomingState,
  event: IncomingEvent,
): IncomingEffect | undefined {
  const isAlive =
    after.name === 'receiving' &&
    (event.kind === 'round-placed' || event.kind === 'pages-moved' || event.kind === 'attached');
  // Without its source it is the timer `control` that counts.
  if (after.name === 'receiving' && event.kind === 'control-lost') return { kind: 'disarm', timer: 'phase' };
  const ms = phaseMs(limits, after);
  const msBefore = phaseMs(limits, before);
  if (before.name === after.name && ms === msBefore && !isAlive) return undefined;
  if (ms !== undefined) return { kind: 'arm', timer: 'phase', ms };
  return msBefore === undefined ? undefined : { kind: 'disarm', timer: 'phase' };
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
      return state.isWhole && !state.prepare.audits ? limits.leaveMs : undefined;
    case 'auditing':
      return limits.auditMs;
    case 'told':
      return limits.leaveMs;
    case 'greeted':
    case 'validating':
    case 'placing':
    case 'ended':
      return undefined;
    default:
      return unreachable(state);
  }
}

function react(limits: IncomingLimits, state: IncomingState, event: IncomingEvent): IncomingStep {
  switch (event.kind) {
    case 'attached':
      return onAttached(state);
    case 'control-lost':
      return onControlLost(limits, state);
    case 'received':
      return onMessage(limits, state, event.message, event.receivedAt);
    case 'prepared': {
      if (state.name !== 'preparing') return same(state);
      const prepared: MessageOf<'PREPARED'> = { name: 'PREPARED', preparedMs: event.preparedMs };
      return {
        state: { ...state, name: 'receiving', prepared, placed: NOTHING_PLACED },
        effects: [{ kind: 'send', message: prepared }],
      };
    }
    case 'declined':
      return mayRefuse(state) ? refuse(state, event.code, event.error) : failRunning(state, event.error);
    case 'round-placed':
      return onRoundPlaced(state, { round: event.round, pages: event.pages });
    case 'pages-lost':
      return onPagesLost(limits, state, event.error);
    case 'pages-moved':
      return same(state);
    case 'pages-connected':
      return onPagesConnected(state);
    case 'all-arrived':
      return onAllArrived(state);
    case 'settled':
      return onSettled(state, event.answer);
    case 'validated':
      if (state.name !== 'validating') return same(state);
      return tryResume(limits, state, event.validated);
    case 'confirmed':
      return state.name === 'placing' ? resume(state.prepare, state.handOver) : same(state);
    case 'out-of-turn':
      return mayRefuse(state) ? refuse(state, 'PROTOCOL', event.error) : same(state);
    case 'resumed':
      return onResumed(state, event.answer);
    case 'audited': {
      if (state.name !== 'auditing') return same(state);
      return {
        state: { name: 'told', answers: [...state.answers, event.answer] },
        effects: [{ kind: 'send', message: event.answer }],
      };
    }
    case 'sampled':
      // Never before RESUMED, and nothing of what the guest does for its audit.
      if (state.name !== 'running') return same(state);
      return {
        state,
        effects: [{ kind: 'send', message: { name: 'SAMPLES', samples: event.samples } }],
      };
    case 'timer':
      return onTimer(limits, state, event.timer);
    case 'source-heard':
      // Only its control connection is silent: a source that sends pages is there.
      return isHandedOver(state) ? { state: waitAnew(state), effects: [awaitFarewell(limits)] } : same(state);
    case 'cancel':
      return mayRefuse(state)
        ? refuse(state, 'CANCELLED', new MicrostunError('CANCELLED', event.reason))
        : endWithoutPages(state);
    case 'failed':
      return mayRefuse(state) ? refuse(state, 'GUEST_FAILED', event.error) : failRunning(state, event.error);
    case 'helper-failed':
      // A guest that lacks nothing needs nobody to bring it pages.
      return isWhole(state) ? same(state) : react(limits, state, { ...event, kind: 'failed' });
    default:
      return unreachable(event);
  }
}

// Lost page and fault connections are dialled again; before the hand-over there is a limit to that, counted from the
// first loss: each dial that fails is one more. After it, the vCPUs that need a page wait, and only a source that is
// gone for good (see 'farewell') ends it.
function onPagesLost(limits: IncomingLimits, state: IncomingState, error: MicrostunError): IncomingStep {
  if (state.name === 'ended' || state.name === 'greeted') return same(state);
  const effects: IncomingEffect[] = [{ kind: 'arm', timer: 'retry', ms: limits.retryMs }];
  let after = state;
  if (error.code === 'CONNECT_FAILED' && (state.name === 'preparing' || state.name === 'receiving')) {
    if (state.unreachable === undefined)
      effects.push({ kind: 'arm', timer: 'unreachable', ms: UNREACHABLE_MS });
    after = { ...state, unreachable: error };
  }
  if ('arePagesLost' in after && !after.arePagesLost) {
    after = { ...after, arePagesLost: true };
    effects.push({ kind: 'arm', timer: 'pages', ms: limits.pagesLostMs });
  }
  return { state: after, effects };
}

function onPagesConnected(state: IncomingState): IncomingStep {
  const connected = 'arePagesLost' in state ? { ...state, arePagesLost: false } : state;
  const isReached = (state.name === 'preparing' || state.name === 'receiving') && state.unreachable;
  return {
    state: 'unreachable' in connected ? { ...connected, unreachable: undefined } : connected,
    effects: [
      { kind: 'disarm', timer: 'pages' },
      ...(isReached ? [{ kind: 'disarm', timer: 'unreachable' } as const] : []),
    ],
  };
}

// Most of all a firewall, or an address that only the source's own host knows: what its user can mend, at once.
function refuseUnreachable(state: IncomingState): IncomingStep {
  if ((state.name !== 'preparing' && state.name !== 'receiving') || state.unreachable === undefined)
    return same(state);
  const { pagePorts, faultPort } = state.prepare;
  const ports = [...new Set([...pagePorts, faultPort])].join(', ');
  return refuse(
    state,
    'CONNECT_FAILED',
    new MicrostunError(
      'CONNECT_FAILED',
      `the destination ${state.unreachable.message}. There the source listens for it (its --listen); a firewall or NAT ` +
        `may be in the way: let the destination reach TCP ports ${ports} of the source, or choose others with --listen`,
    ),
  );
}

// Told once, and perhaps before it is known that the guest runs: it is kept until then.
function onAllArrived(state: IncomingState): IncomingStep {
  if (state.name === 'resuming') return same({ ...state, haveAllArrived: true });
  if (state.name !== 'running' || state.haveAllArrived) return same(state);
  return { state: { ...state, haveAllArrived: true }, effects: [{ kind: 'settle' }] };
}

function onSettled(state: IncomingState, answer: MessageOf<'ARRIVED'>): IncomingStep {
  if (state.name !== 'running' || state.isWhole) return same(state);
  const effects: IncomingEffect[] = [{ kind: 'send', message: answer }];
  if (state.prepare.audits) effects.push({ kind: 'arm', timer: 'audit', ms: state.prepare.auditAfterMs });
  return { state: { ...state, isWhole: true, answers: [...state.answers, answer] }, effects };
}

// A control connection for this migration is up, for the first time or again: everything that was answered is said
// once more, because the answer may have been lost with the old connection.
function onAttached(state: IncomingState): IncomingStep {
  const disarm: IncomingEffect[] = [
    { kind: 'disarm', timer: 'control' },
    { kind: 'disarm', timer: 'farewell' },
  ];
  if (state.name === 'greeted' && !state.isAwaited)
    return {
      state: { ...state, isAwaited: true },
      effects: [...disarm, { kind: 'arm', timer: 'greeted', ms: GREETED_MS }],
    };
  if (state.name === 'running' || state.name === 'auditing' || state.name === 'told') {
    const isBack: IncomingEffect[] = isMissed(state) ? [{ kind: 'report-source', isAway: false }] : [];
    return { state: waitAnew(state), effects: [...disarm, ...isBack, ...sayAgain(state.answers)] };
  }
  return state.name === 'ended' ? { state, effects: lastWords(state) } : { state, effects: disarm };
}

function sayAgain(answers: readonly Message[]): IncomingEffect[] {
  return answers.map((message) => ({ kind: 'send', message }));
}

// What a source that comes back after the end is told. CANCEL is no refusal: it never gives the guest back.
function lastWords({ outcome, answers }: Extract<IncomingState, { name: 'ended' }>): IncomingEffect[] {
  const again = sayAgain(answers);
  switch (outcome.kind) {
    case 'running':
      return again;
    case 'refused':
      return [{ kind: 'send', message: outcome.answer }, { kind: 'hang-up' }];
    case 'pages-lost':
      return [
        ...again,
        cancelled(new MicrostunError('PAGES_LOST', 'pages were lost with the source; the guest is parked')),
        { kind: 'hang-up' },
      ];
    case 'failed':
      return [
        ...again,
        cancelled(new MicrostunError(outcome.error.code, `the guest cannot go on: ${outcome.error.message}`)),
        { kind: 'hang-up' },
      ];
    default:
      return unreachable(outcome);
  }
}

/** What a source that comes back after the end of its migration is told; nothing before the end. */
export function lastMessages(state: IncomingState): Message[] {
  return state.name === 'ended'
    ? lastWords(state).flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []))
    : [];
}

function cancelled(error: MicrostunError): IncomingEffect {
  return { kind: 'send', message: cancelOf(error) };
}

function onControlLost(limits: IncomingLimits, state: IncomingState): IncomingStep {
  if (state.name === 'ended') return same(state);
  const timer: IncomingEffect = isHandedOver(state)
    ? awaitFarewell(limits)
    : { kind: 'arm', timer: 'control', ms: limits.controlLostMs };
  return { state, effects: [timer] };
}

function onMessage(
  limits: IncomingLimits,
  state: IncomingState,
  message: Message,
  receivedAt: number,
): IncomingStep {
  switch (message.name) {
    case 'PREPARE':
      return onPrepare(limits, state, message);
    case 'PING':
      return { state, effects: [{ kind: 'pong', sentAt: message.sentAt }] };
    case 'HAND_OVER':
      return onHandOver(limits, state, message, receivedAt);
    case 'CANCEL':
      return mayRefuse(state)
        ? refuse(
            state,
            'CANCELLED',
            new MicrostunError('CANCELLED', `the source cancelled: ${message.reason}`),
          )
        : same(toldToEnd(state));
    case 'FAREWELL':
      return onFarewell(limits, state);
    case 'HELLO':
    case 'WELCOME':
    case 'REFUSAL':
    case 'PREPARED':
    case 'PONG':
    case 'RESUMED':
    case 'ARRIVED':
    case 'AUDITED':
    case 'SAMPLES':
      return outOfTurn(limits, state, message.name);
    default:
      return unreachable(message);
  }
}

function onPrepare(limits: IncomingLimits, state: IncomingState, prepare: Prepare): IncomingStep {
  switch (state.name) {
    case 'greeted':
      return {
        state: { name: 'preparing', prepare, arePagesLost: false },
        effects: [
          { kind: 'disarm', timer: 'greeted' },
          { kind: 'prepare', prepare },
        ],
      };
    case 'preparing':
      return same(state);
    case 'receiving':
      return { state, effects: [{ kind: 'send', message: state.prepared }] };
    default:
      return outOfTurn(limits, state, 'PREPARE');
  }
}

function onHandOver(
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

function onRoundPlaced(state: IncomingState, placed: Placed): IncomingStep {
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

function tryResume(
  limits: IncomingLimits,
  { prepare, arePagesLost, handOver, placed }: Extract<IncomingState, { name: 'validating' }>,
  validated: Validated,
): IncomingStep {
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
      new MicrostunError(
        'PROTOCOL',
        `round ${placed.round} brought ${placed.pages} pages, the hand-over promised ` +
          (handOver.pagesFollow
            ? `that round ${lastRound} was the last before it`
            : `${validated.lackingPages} in round ${lastRound}`),
      ),
    );
  }
  return {
    state: { ...state, isConfirming: true },
    effects: [
      { kind: 'disarm', timer: 'placement' },
      { kind: 'confirm', handOver },
    ],
  };
}

function resume(prepare: Prepare, handOver: HandOver): IncomingStep {
  return {
    state: {
      name: 'resuming',
      prepare,
      pagesFollow: handOver.pagesFollow,
      haveAllArrived: false,
      wait: 'patient',
    },
    effects: [{ kind: 'resume', handOver }],
  };
}

function onResumed(state: IncomingState, answer: MessageOf<'RESUMED'>): IncomingStep {
  if (state.name !== 'resuming') return same(state);
  const { prepare, haveAllArrived, wait } = state;
  const effects: IncomingEffect[] = [{ kind: 'send', message: answer }];
  const isWhole = !state.pagesFollow;
  if (isWhole && prepare.audits) effects.push({ kind: 'arm', timer: 'audit', ms: prepare.auditAfterMs });
  if (!isWhole && haveAllArrived) effects.push({ kind: 'settle' });
  return { state: { name: 'running', prepare, answers: [answer], haveAllArrived, isWhole, wait }, effects };
}

function onFarewell(limits: IncomingLimits, state: IncomingState): IncomingStep {
  if (state.name === 'told' || (state.name === 'running' && state.isWhole && !state.prepare.audits)) {
    return end(state, { kind: 'running', isSourceGone: false });
  }
  return outOfTurn(limits, toldToEnd(state), 'FAREWELL');
}

function onTimer(limits: IncomingLimits, state: IncomingState, timer: TimerName): IncomingStep {
  switch (timer) {
    case 'control': {
      // The source went away before the hand-over. If its message was here by then, it is missed after it as well.
      if (isHandedOver(state)) return { state, effects: [awaitFarewell(limits)] };
      return refuse(
        state,
        'TIMEOUT',
        new MicrostunError(
          'CONNECTION_LOST',
          'the source went away before the hand-over and did not come back',
        ),
      );
    }
    case 'pages':
      return mayRefuse(state)
        ? refuse(
            state,
            'CONNECTION_LOST',
            new MicrostunError(
              'CONNECTION_LOST',
              'the page connections were lost and the source cannot be reached for new ones',
            ),
          )
        : same(state);
    case 'retry':
      return { state, effects: state.name === 'ended' ? [] : [{ kind: 'reconnect-pages' }] };
    case 'unreachable':
      return refuseUnreachable(state);
    case 'greeted':
      return state.name === 'greeted'
        ? refuse(
            state,
            'TIMEOUT',
            new MicrostunError(
              'TIMEOUT',
              `the source did not say what it brings within ${GREETED_MS / 1000} s`,
            ),
          )
        : same(state);
    case 'placement':
      return mayRefuse(state)
        ? refuse(
            state,
            'TIMEOUT',
            new MicrostunError('TIMEOUT', 'the last pages of the hand-over did not come in time'),
          )
        : same(state);
    case 'audit':
      return state.name === 'running'
        ? { state: { name: 'auditing', answers: state.answers }, effects: [{ kind: 'audit' }] }
        : same(state);
    case 'farewell':
      return onSourceGone(limits, state);
    case 'phase':
      return onPhaseTimeout(limits.phases, state);
    default:
      return unreachable(timer);
  }
}

function onPhaseTimeout(limits: PhaseLimits, state: IncomingState): IncomingStep {
  switch (state.name) {
    case 'preparing':
      return refuse(
        state,
        'TIMEOUT',
        timeout(`a place for the guest was not ready within ${limits.prepareMs / 1000} s`),
      );
    case 'receiving':
      return refuse(state, 'TIMEOUT', timeout(`the source sent no page for ${limits.idleMs / 1000} s`));
    case 'resuming':
      return failRunning(
        state,
        timeout(
          `the guest's vCPUs did not all run within ${limits.resumeMs / 1000} s of the hand-over; end this process and start the guest anew`,
        ),
      );
    case 'auditing': {
      const answer = endlessAudit(limits);
      return {
        state: { name: 'told', answers: [...state.answers, answer] },
        effects: [{ kind: 'stop-audit' }, { kind: 'send', message: answer }],
      };
    }
    case 'running':
      // One that just began to run may hear of the phase before.
      return state.isWhole ? end(state, { kind: 'running', isSourceGone: true }) : same(state);
    case 'told':
      return end(state, { kind: 'running', isSourceGone: true });
    case 'greeted':
    case 'validating':
    case 'placing':
    case 'ended':
      return same(state);
    default:
      return unreachable(state);
  }
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

function timeout(message: string): MicrostunError {
  return new MicrostunError('TIMEOUT', message);
}

// A source that is away keeps the pages that the guest lacks, and comes back: only whoever is told to gives them up. While
// the guest is being resumed or settled, it is not known yet whether it lacks any.
function onSourceGone(limits: IncomingLimits, state: IncomingState): IncomingStep {
  if (!isHandedOver(state)) return same(state);
  if (state.name === 'resuming') return { state, effects: [awaitFarewell(limits)] };
  if (state.name !== 'running' || state.isWhole) return end(state, { kind: 'running', isSourceGone: true });
  if (state.haveAllArrived) return { state, effects: [awaitFarewell(limits)] };
  if (limits.endsWithoutPages || state.wait === 'told-to-end') return end(state, { kind: 'pages-lost' });
  // Armed again: faults may bring the last page while nobody is connected, and a whole guest waits for no source.
  return state.wait === 'reported'
    ? { state, effects: [awaitFarewell(limits)] }
    : {
        state: { ...state, wait: 'reported' },
        effects: [awaitFarewell(limits), { kind: 'report-source', isAway: true }],
      };
}

// The user ends it: at once where nobody is there to bring the pages, and else once its source leaves it with some lacking.
function endWithoutPages(state: IncomingState): IncomingStep {
  return isMissed(state) ? end(state, { kind: 'pages-lost' }) : same(toldToEnd(state));
}

function toldToEnd(state: IncomingState): IncomingState {
  return state.name === 'resuming' || state.name === 'running' ? { ...state, wait: 'told-to-end' } : state;
}

// The source is there: its next absence is said again.
function waitAnew(state: IncomingState): IncomingState {
  return state.name === 'running' && state.wait === 'reported' ? { ...state, wait: 'patient' } : state;
}

/** Whether it was said that the source is away, and the guest waits for pages that only that one has. */
export function isMissed(state: IncomingState): boolean {
  return state.name === 'running' && !state.haveAllArrived && state.wait === 'reported';
}

function awaitFarewell({ farewellMs }: IncomingLimits): IncomingEffect {
  return { kind: 'arm', timer: 'farewell', ms: farewellMs };
}

function outOfTurn(limits: IncomingLimits, state: IncomingState, name: MessageName): IncomingStep {
  const error = new MicrostunError(
    'PROTOCOL',
    `the source sent ${name} while the destination was ${state.name}`,
  );
  if (mayRefuse(state)) return refuse(state, 'PROTOCOL', error);
  const hangUp: IncomingEffect = { kind: 'hang-up' };
  // Whoever hangs up is not told of the loss.
  return { state, effects: isHandedOver(state) ? [hangUp, awaitFarewell(limits)] : [hangUp] };
}

/** Final: this migration never resumes here. */
function refuse(state: IncomingState, code: RefusalCode, error: MicrostunError): IncomingStep {
  if (!mayRefuse(state)) return same(state);
  const answer: MessageOf<'REFUSAL'> = {
    name: 'REFUSAL',
    version: PROTOCOL_VERSION,
    code,
    reason: clipReason(error.message),
  };
  const outcome: Outcome = {
    kind: 'refused',
    error: new MicrostunError(errorCodeOf(code), error.message, { cause: error }),
    answer,
  };
  return {
    state: { name: 'ended', outcome, answers: [] },
    effects: [{ kind: 'send', message: answer }, { kind: 'hang-up' }, { kind: 'end', outcome }],
  };
}

function errorCodeOf(code: RefusalCode): ErrorCode {
  switch (code) {
    case 'BUSY':
    case 'UNKNOWN_MIGRATION':
      return 'REFUSED';
    default:
      return code;
  }
}

/** The guest is here and cannot go on; a source that is connected hears it. */
function failRunning(state: IncomingState, error: MicrostunError): IncomingStep {
  return isHandedOver(state) ? end(state, { kind: 'failed', error }) : same(state);
}

function end(state: IncomingState, outcome: Outcome): IncomingStep {
  const ended = { name: 'ended', outcome, answers: 'answers' in state ? state.answers : [] } as const;
  return { state: ended, effects: [...goodbye(ended), { kind: 'hang-up' }, { kind: 'end', outcome }] };
}

// The answers themselves were said when they were new.
function goodbye({ outcome }: Extract<IncomingState, { name: 'ended' }>): IncomingEffect[] {
  return lastWords({ name: 'ended', outcome, answers: [] }).filter(({ kind }) => kind === 'send');
}

function same(state: IncomingState): IncomingStep {
  return { state, effects: [] };
}

/** Whether nothing but time keeps another migration from its place: it has no source, and its guest never came. */
export function isRefusable(state: IncomingState): boolean {
  return mayRefuse(state) || (state.name === 'ended' && state.outcome.kind === 'refused');
}

/** Whether the guest may still be refused: no slice of it has run here, and none has been allowed. */
function mayRefuse(state: IncomingState): boolean {
  switch (state.name) {
    case 'greeted':
    case 'preparing':
    case 'receiving':
    case 'validating':
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
function isWhole(state: IncomingState): boolean {
  switch (state.name) {
    case 'resuming':
      return !state.pagesFollow;
    case 'running':
      return state.isWhole;
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
