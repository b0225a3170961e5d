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

export interface ReceptionLimits {
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
  readonly stages: StageLimits;
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

/** How long each stage may last; `placing` has `placementMs`. A guest that runs and waits for its pages may do so. */
export interface StageLimits {
  readonly prepareMs: number;
  /** Receiving: from one sign of pages to the next, while the source is connected. */
  readonly idleMs: number;
  readonly resumeMs: number;
  readonly auditMs: number;
  /** Once the guest is whole and everything is said: the source's farewell, while it is connected. */
  readonly leaveMs: number;
}

export const stageLimits: StageLimits = {
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

export type Stage =
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
  | { readonly name: 'ended'; readonly ending: Ending; readonly answers: readonly Message[] };

/** The newest round that was placed, and its pages. */
export interface Placed {
  readonly round: number;
  readonly pages: number;
}

export type Ending =
  /** The guest runs here and the source needs nothing more; `isSourceGone` when it left without a farewell. */
  | { readonly kind: 'running'; readonly isSourceGone: boolean }
  /** Refused for good: this migration never resumes here. */
  | { readonly kind: 'refused'; readonly error: MicrostunError; readonly answer: MessageOf<'REFUSAL'> }
  /** The source is gone with pages that the guest lacks: it is parked, and `error` says what is lost. */
  | { readonly kind: 'pages-lost' }
  /** The guest is here and cannot go on. */
  | { readonly kind: 'failed'; readonly error: MicrostunError };

export type ReceptionEvent =
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
  | { readonly kind: 'timer'; readonly timer: ReceptionTimer }
  /** The timer `farewell` is due, and pages came since it was armed, or this process slept meanwhile. */
  | { readonly kind: 'source-heard' }
  | { readonly kind: 'cancel'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: MicrostunError }
  /** A worker that brings pages has failed. */
  | { readonly kind: 'helper-failed'; readonly error: MicrostunError };

/** `stage`: the stage has lasted too long. */
export type ReceptionTimer =
  'control' | 'greeted' | 'pages' | 'retry' | 'unreachable' | 'placement' | 'audit' | 'farewell' | 'stage';

export type ReceptionEffect =
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
  | { readonly kind: 'arm'; readonly timer: ReceptionTimer; readonly ms: number }
  | { readonly kind: 'disarm'; readonly timer: ReceptionTimer }
  | { readonly kind: 'end'; readonly ending: Ending };

export interface ReceptionStep {
  readonly stage: Stage;
  readonly effects: readonly ReceptionEffect[];
}

const NOTHING_PLACED: Placed = { round: -1, pages: 0 };

export function beginReception(): Stage {
  return { name: 'greeted', isAwaited: false };
}

/** The next stage and what to do; an event that means nothing in a stage changes nothing. */
export function stepReception(limits: ReceptionLimits, stage: Stage, event: ReceptionEvent): ReceptionStep {
  const step = react(limits, stage, event);
  const timing = timeStage(limits.stages, stage, step.stage, event);
  // Last: the answers go first.
  return timing === undefined ? step : { stage: step.stage, effects: [...step.effects, timing] };
}

// Each stage is timed from where it begins; what keeps a stage alive begins its time anew.
function timeStage(
  limits: StageLimits,
  before: Stage,
  after: Stage,
  event: ReceptionEvent,
): ReceptionEffect | undefined {
  const isAlive =
    after.name === 'receiving' &&
    (event.kind === 'round-placed' || event.kind === 'pages-moved' || event.kind === 'attached');
  // Without its source it is the timer `control` that counts.
  if (after.name === 'receiving' && event.kind === 'control-lost') return { kind: 'disarm', timer: 'stage' };
  const ms = stageMs(limits, after);
  const msBefore = stageMs(limits, before);
  if (before.name === after.name && ms === msBefore && !isAlive) return undefined;
  if (ms !== undefined) return { kind: 'arm', timer: 'stage', ms };
  return msBefore === undefined ? undefined : { kind: 'disarm', timer: 'stage' };
}

function stageMs(limits: StageLimits, stage: Stage): number | undefined {
  switch (stage.name) {
    case 'preparing':
      return limits.prepareMs;
    case 'receiving':
      return limits.idleMs;
    case 'resuming':
      return limits.resumeMs;
    case 'running':
      return stage.isWhole && !stage.prepare.audits ? limits.leaveMs : undefined;
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
      return unreachable(stage);
  }
}

function react(limits: ReceptionLimits, stage: Stage, event: ReceptionEvent): ReceptionStep {
  switch (event.kind) {
    case 'attached':
      return onAttached(stage);
    case 'control-lost':
      return onControlLost(limits, stage);
    case 'received':
      return onMessage(limits, stage, event.message, event.receivedAt);
    case 'prepared': {
      if (stage.name !== 'preparing') return same(stage);
      const prepared: MessageOf<'PREPARED'> = { name: 'PREPARED', preparedMs: event.preparedMs };
      return {
        stage: { ...stage, name: 'receiving', prepared, placed: NOTHING_PLACED },
        effects: [{ kind: 'send', message: prepared }],
      };
    }
    case 'declined':
      return mayRefuse(stage) ? refuse(stage, event.code, event.error) : failRunning(stage, event.error);
    case 'round-placed':
      return onRoundPlaced(stage, { round: event.round, pages: event.pages });
    case 'pages-lost':
      return onPagesLost(limits, stage, event.error);
    case 'pages-moved':
      return same(stage);
    case 'pages-connected':
      return onPagesConnected(stage);
    case 'all-arrived':
      return onAllArrived(stage);
    case 'settled':
      return onSettled(stage, event.answer);
    case 'validated':
      if (stage.name !== 'validating') return same(stage);
      return tryResume(limits, stage, event.validated);
    case 'confirmed':
      return stage.name === 'placing' ? resume(stage.prepare, stage.handOver) : same(stage);
    case 'out-of-turn':
      return mayRefuse(stage) ? refuse(stage, 'PROTOCOL', event.error) : same(stage);
    case 'resumed':
      return onResumed(stage, event.answer);
    case 'audited': {
      if (stage.name !== 'auditing') return same(stage);
      return {
        stage: { name: 'told', answers: [...stage.answers, event.answer] },
        effects: [{ kind: 'send', message: event.answer }],
      };
    }
    case 'sampled':
      // Never before RESUMED, and nothing of what the guest does for its audit.
      if (stage.name !== 'running') return same(stage);
      return {
        stage,
        effects: [{ kind: 'send', message: { name: 'SAMPLES', samples: event.samples } }],
      };
    case 'timer':
      return onTimer(limits, stage, event.timer);
    case 'source-heard':
      // Only its control connection is silent: a source that sends pages is there.
      return isHandedOver(stage) ? { stage: waitAnew(stage), effects: [awaitFarewell(limits)] } : same(stage);
    case 'cancel':
      return mayRefuse(stage)
        ? refuse(stage, 'CANCELLED', new MicrostunError('CANCELLED', event.reason))
        : endWithoutPages(stage);
    case 'failed':
      return mayRefuse(stage) ? refuse(stage, 'GUEST_FAILED', event.error) : failRunning(stage, event.error);
    case 'helper-failed':
      // A guest that lacks nothing needs nobody to bring it pages.
      return isWhole(stage) ? same(stage) : react(limits, stage, { ...event, kind: 'failed' });
    default:
      return unreachable(event);
  }
}

// Lost page and fault connections are dialled again; before the hand-over there is a limit to that, counted from the
// first loss: each dial that fails is one more. After it, the vCPUs that need a page wait, and only a source that is
// gone for good (see 'farewell') ends it.
function onPagesLost(limits: ReceptionLimits, stage: Stage, error: MicrostunError): ReceptionStep {
  if (stage.name === 'ended' || stage.name === 'greeted') return same(stage);
  const effects: ReceptionEffect[] = [{ kind: 'arm', timer: 'retry', ms: limits.retryMs }];
  let after = stage;
  if (error.code === 'CONNECT_FAILED' && (stage.name === 'preparing' || stage.name === 'receiving')) {
    if (stage.unreachable === undefined)
      effects.push({ kind: 'arm', timer: 'unreachable', ms: UNREACHABLE_MS });
    after = { ...stage, unreachable: error };
  }
  if ('arePagesLost' in after && !after.arePagesLost) {
    after = { ...after, arePagesLost: true };
    effects.push({ kind: 'arm', timer: 'pages', ms: limits.pagesLostMs });
  }
  return { stage: after, effects };
}

function onPagesConnected(stage: Stage): ReceptionStep {
  const connected = 'arePagesLost' in stage ? { ...stage, arePagesLost: false } : stage;
  const isReached = (stage.name === 'preparing' || stage.name === 'receiving') && stage.unreachable;
  return {
    stage: 'unreachable' in connected ? { ...connected, unreachable: undefined } : connected,
    effects: [
      { kind: 'disarm', timer: 'pages' },
      ...(isReached ? [{ kind: 'disarm', timer: 'unreachable' } as const] : []),
    ],
  };
}

// Most of all a firewall, or an address that only the source's own host knows: what its user can mend, at once.
function refuseUnreachable(stage: Stage): ReceptionStep {
  if ((stage.name !== 'preparing' && stage.name !== 'receiving') || stage.unreachable === undefined)
    return same(stage);
  const { pagePorts, faultPort } = stage.prepare;
  const ports = [...new Set([...pagePorts, faultPort])].join(', ');
  return refuse(
    stage,
    'CONNECT_FAILED',
    new MicrostunError(
      'CONNECT_FAILED',
      `the destination ${stage.unreachable.message}. There the source listens for it (its --listen); a firewall or NAT ` +
        `may be in the way: let the destination reach TCP ports ${ports} of the source, or choose others with --listen`,
    ),
  );
}

// Told once, and perhaps before it is known that the guest runs: it is kept until then.
function onAllArrived(stage: Stage): ReceptionStep {
  if (stage.name === 'resuming') return same({ ...stage, haveAllArrived: true });
  if (stage.name !== 'running' || stage.haveAllArrived) return same(stage);
  return { stage: { ...stage, haveAllArrived: true }, effects: [{ kind: 'settle' }] };
}

function onSettled(stage: Stage, answer: MessageOf<'ARRIVED'>): ReceptionStep {
  if (stage.name !== 'running' || stage.isWhole) return same(stage);
  const effects: ReceptionEffect[] = [{ kind: 'send', message: answer }];
  if (stage.prepare.audits) effects.push({ kind: 'arm', timer: 'audit', ms: stage.prepare.auditAfterMs });
  return { stage: { ...stage, isWhole: true, answers: [...stage.answers, answer] }, effects };
}

// A control connection for this migration is up, for the first time or again: everything that was answered is said
// once more, because the answer may have been lost with the old connection.
function onAttached(stage: Stage): ReceptionStep {
  const disarm: ReceptionEffect[] = [
    { kind: 'disarm', timer: 'control' },
    { kind: 'disarm', timer: 'farewell' },
  ];
  if (stage.name === 'greeted' && !stage.isAwaited)
    return {
      stage: { ...stage, isAwaited: true },
      effects: [...disarm, { kind: 'arm', timer: 'greeted', ms: GREETED_MS }],
    };
  if (stage.name === 'running' || stage.name === 'auditing' || stage.name === 'told') {
    const isBack: ReceptionEffect[] = isMissed(stage) ? [{ kind: 'report-source', isAway: false }] : [];
    return { stage: waitAnew(stage), effects: [...disarm, ...isBack, ...sayAgain(stage.answers)] };
  }
  return stage.name === 'ended' ? { stage, effects: lastWords(stage) } : { stage, effects: disarm };
}

function sayAgain(answers: readonly Message[]): ReceptionEffect[] {
  return answers.map((message) => ({ kind: 'send', message }));
}

// What a source that comes back after the end is told. CANCEL is no refusal: it never gives the guest back.
function lastWords({ ending, answers }: Extract<Stage, { name: 'ended' }>): ReceptionEffect[] {
  const again = sayAgain(answers);
  switch (ending.kind) {
    case 'running':
      return again;
    case 'refused':
      return [{ kind: 'send', message: ending.answer }, { kind: 'hang-up' }];
    case 'pages-lost':
      return [
        ...again,
        cancelled(new MicrostunError('PAGES_LOST', 'pages were lost with the source; the guest is parked')),
        { kind: 'hang-up' },
      ];
    case 'failed':
      return [
        ...again,
        cancelled(new MicrostunError(ending.error.code, `the guest cannot go on: ${ending.error.message}`)),
        { kind: 'hang-up' },
      ];
    default:
      return unreachable(ending);
  }
}

/** What a source that comes back after the end of its migration is told; nothing before the end. */
export function lastMessages(stage: Stage): Message[] {
  return stage.name === 'ended'
    ? lastWords(stage).flatMap((effect) => (effect.kind === 'send' ? [effect.message] : []))
    : [];
}

function cancelled(error: MicrostunError): ReceptionEffect {
  return { kind: 'send', message: cancelOf(error) };
}

function onControlLost(limits: ReceptionLimits, stage: Stage): ReceptionStep {
  if (stage.name === 'ended') return same(stage);
  const timer: ReceptionEffect = isHandedOver(stage)
    ? awaitFarewell(limits)
    : { kind: 'arm', timer: 'control', ms: limits.controlLostMs };
  return { stage, effects: [timer] };
}

function onMessage(
  limits: ReceptionLimits,
  stage: Stage,
  message: Message,
  receivedAt: number,
): ReceptionStep {
  switch (message.name) {
    case 'PREPARE':
      return onPrepare(limits, stage, message);
    case 'PING':
      return { stage, effects: [{ kind: 'pong', sentAt: message.sentAt }] };
    case 'HAND_OVER':
      return onHandOver(limits, stage, message, receivedAt);
    case 'CANCEL':
      return mayRefuse(stage)
        ? refuse(
            stage,
            'CANCELLED',
            new MicrostunError('CANCELLED', `the source cancelled: ${message.reason}`),
          )
        : same(toldToEnd(stage));
    case 'FAREWELL':
      return onFarewell(limits, stage);
    case 'HELLO':
    case 'WELCOME':
    case 'REFUSAL':
    case 'PREPARED':
    case 'PONG':
    case 'RESUMED':
    case 'ARRIVED':
    case 'AUDITED':
    case 'SAMPLES':
      return outOfTurn(limits, stage, message.name);
    default:
      return unreachable(message);
  }
}

function onPrepare(limits: ReceptionLimits, stage: Stage, prepare: Prepare): ReceptionStep {
  switch (stage.name) {
    case 'greeted':
      return {
        stage: { name: 'preparing', prepare, arePagesLost: false },
        effects: [
          { kind: 'disarm', timer: 'greeted' },
          { kind: 'prepare', prepare },
        ],
      };
    case 'preparing':
      return same(stage);
    case 'receiving':
      return { stage, effects: [{ kind: 'send', message: stage.prepared }] };
    default:
      return outOfTurn(limits, stage, 'PREPARE');
  }
}

function onHandOver(
  limits: ReceptionLimits,
  stage: Stage,
  handOver: HandOver,
  receivedAt: number,
): ReceptionStep {
  switch (stage.name) {
    case 'receiving': {
      const { prepare, arePagesLost, placed } = stage;
      return {
        stage: { name: 'validating', prepare, arePagesLost, handOver, placed },
        effects: [{ kind: 'validate', prepare, handOver, receivedAt }],
      };
    }
    case 'validating':
    case 'placing':
    case 'resuming':
      // Asked again before there is an answer: it will come.
      return same(stage);
    case 'running':
    case 'auditing':
    case 'told':
      return { stage, effects: sayAgain(stage.answers) };
    case 'ended':
      return onAttached(stage);
    default:
      return outOfTurn(limits, stage, 'HAND_OVER');
  }
}

function onRoundPlaced(stage: Stage, placed: Placed): ReceptionStep {
  switch (stage.name) {
    case 'receiving':
    case 'validating':
      return { stage: { ...stage, placed }, effects: [] };
    case 'placing':
      return confirmIfPlaced(stage, placed);
    default:
      return same(stage);
  }
}

function tryResume(
  limits: ReceptionLimits,
  { prepare, arePagesLost, handOver, placed }: Extract<Stage, { name: 'validating' }>,
  validated: Validated,
): ReceptionStep {
  const placing = {
    name: 'placing',
    prepare,
    arePagesLost,
    handOver,
    validated,
    isConfirming: false,
  } as const;
  const step = confirmIfPlaced(placing, placed);
  if (step.stage !== placing) return step;
  return { stage: placing, effects: [{ kind: 'arm', timer: 'placement', ms: limits.placementMs }] };
}

// No page may be on its way when the guest is handed over: the last round before that must be placed on every
// connection. In a pre-copy it has brought as many pages as the bitmap says were missing; which ones is confirmed.
function confirmIfPlaced(stage: Extract<Stage, { name: 'placing' }>, placed: Placed): ReceptionStep {
  const { handOver, validated, isConfirming } = stage;
  const lastRound = handOver.pagesFollow ? handOver.finalRound - 1 : handOver.finalRound;
  if (isConfirming || placed.round < lastRound) return same(stage);
  const isPromised = handOver.pagesFollow || placed.pages === validated.lackingPages;
  if (placed.round !== lastRound || !isPromised) {
    return refuse(
      stage,
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
    stage: { ...stage, isConfirming: true },
    effects: [
      { kind: 'disarm', timer: 'placement' },
      { kind: 'confirm', handOver },
    ],
  };
}

function resume(prepare: Prepare, handOver: HandOver): ReceptionStep {
  return {
    stage: {
      name: 'resuming',
      prepare,
      pagesFollow: handOver.pagesFollow,
      haveAllArrived: false,
      wait: 'patient',
    },
    effects: [{ kind: 'resume', handOver }],
  };
}

function onResumed(stage: Stage, answer: MessageOf<'RESUMED'>): ReceptionStep {
  if (stage.name !== 'resuming') return same(stage);
  const { prepare, haveAllArrived, wait } = stage;
  const effects: ReceptionEffect[] = [{ kind: 'send', message: answer }];
  const isWhole = !stage.pagesFollow;
  if (isWhole && prepare.audits) effects.push({ kind: 'arm', timer: 'audit', ms: prepare.auditAfterMs });
  if (!isWhole && haveAllArrived) effects.push({ kind: 'settle' });
  return { stage: { name: 'running', prepare, answers: [answer], haveAllArrived, isWhole, wait }, effects };
}

function onFarewell(limits: ReceptionLimits, stage: Stage): ReceptionStep {
  if (stage.name === 'told' || (stage.name === 'running' && stage.isWhole && !stage.prepare.audits)) {
    return end(stage, { kind: 'running', isSourceGone: false });
  }
  return outOfTurn(limits, toldToEnd(stage), 'FAREWELL');
}

function onTimer(limits: ReceptionLimits, stage: Stage, timer: ReceptionTimer): ReceptionStep {
  switch (timer) {
    case 'control': {
      // The source went away before the hand-over. If its message was here by then, it is missed after it as well.
      if (isHandedOver(stage)) return { stage, effects: [awaitFarewell(limits)] };
      return refuse(
        stage,
        'TIMEOUT',
        new MicrostunError(
          'CONNECTION_LOST',
          'the source went away before the hand-over and did not come back',
        ),
      );
    }
    case 'pages':
      return mayRefuse(stage)
        ? refuse(
            stage,
            'CONNECTION_LOST',
            new MicrostunError(
              'CONNECTION_LOST',
              'the page connections were lost and the source cannot be reached for new ones',
            ),
          )
        : same(stage);
    case 'retry':
      return { stage, effects: stage.name === 'ended' ? [] : [{ kind: 'reconnect-pages' }] };
    case 'unreachable':
      return refuseUnreachable(stage);
    case 'greeted':
      return stage.name === 'greeted'
        ? refuse(
            stage,
            'TIMEOUT',
            new MicrostunError(
              'TIMEOUT',
              `the source did not say what it brings within ${GREETED_MS / 1000} s`,
            ),
          )
        : same(stage);
    case 'placement':
      return mayRefuse(stage)
        ? refuse(
            stage,
            'TIMEOUT',
            new MicrostunError('TIMEOUT', 'the last pages of the hand-over did not come in time'),
          )
        : same(stage);
    case 'audit':
      return stage.name === 'running'
        ? { stage: { name: 'auditing', answers: stage.answers }, effects: [{ kind: 'audit' }] }
        : same(stage);
    case 'farewell':
      return onSourceGone(limits, stage);
    case 'stage':
      return onStageTimeout(limits.stages, stage);
    default:
      return unreachable(timer);
  }
}

function onStageTimeout(limits: StageLimits, stage: Stage): ReceptionStep {
  switch (stage.name) {
    case 'preparing':
      return refuse(
        stage,
        'TIMEOUT',
        timeout(`a place for the guest was not ready within ${limits.prepareMs / 1000} s`),
      );
    case 'receiving':
      return refuse(stage, 'TIMEOUT', timeout(`the source sent no page for ${limits.idleMs / 1000} s`));
    case 'resuming':
      return failRunning(
        stage,
        timeout(
          `the guest's vCPUs did not all run within ${limits.resumeMs / 1000} s of the hand-over; end this process and start the guest anew`,
        ),
      );
    case 'auditing': {
      const answer = endlessAudit(limits);
      return {
        stage: { name: 'told', answers: [...stage.answers, answer] },
        effects: [{ kind: 'stop-audit' }, { kind: 'send', message: answer }],
      };
    }
    case 'running':
      // One that just began to run may hear of the stage before.
      return stage.isWhole ? end(stage, { kind: 'running', isSourceGone: true }) : same(stage);
    case 'told':
      return end(stage, { kind: 'running', isSourceGone: true });
    case 'greeted':
    case 'validating':
    case 'placing':
    case 'ended':
      return same(stage);
    default:
      return unreachable(stage);
  }
}

// An audit that cannot be done is a failed one.
function endlessAudit({ auditMs }: StageLimits): MessageOf<'AUDITED'> {
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
function onSourceGone(limits: ReceptionLimits, stage: Stage): ReceptionStep {
  if (!isHandedOver(stage)) return same(stage);
  if (stage.name === 'resuming') return { stage, effects: [awaitFarewell(limits)] };
  if (stage.name !== 'running' || stage.isWhole) return end(stage, { kind: 'running', isSourceGone: true });
  if (stage.haveAllArrived) return { stage, effects: [awaitFarewell(limits)] };
  if (limits.endsWithoutPages || stage.wait === 'told-to-end') return end(stage, { kind: 'pages-lost' });
  // Armed again: faults may bring the last page while nobody is connected, and a whole guest waits for no source.
  return stage.wait === 'reported'
    ? { stage, effects: [awaitFarewell(limits)] }
    : {
        stage: { ...stage, wait: 'reported' },
        effects: [awaitFarewell(limits), { kind: 'report-source', isAway: true }],
      };
}

// The user ends it: at once where nobody is there to bring the pages, and else once its source leaves it with some lacking.
function endWithoutPages(stage: Stage): ReceptionStep {
  return isMissed(stage) ? end(stage, { kind: 'pages-lost' }) : same(toldToEnd(stage));
}

function toldToEnd(stage: Stage): Stage {
  return stage.name === 'resuming' || stage.name === 'running' ? { ...stage, wait: 'told-to-end' } : stage;
}

// The source is there: its next absence is said again.
function waitAnew(stage: Stage): Stage {
  return stage.name === 'running' && stage.wait === 'reported' ? { ...stage, wait: 'patient' } : stage;
}

/** Whether it was said that the source is away, and the guest waits for pages that only that one has. */
export function isMissed(stage: Stage): boolean {
  return stage.name === 'running' && !stage.haveAllArrived && stage.wait === 'reported';
}

function awaitFarewell({ farewellMs }: ReceptionLimits): ReceptionEffect {
  return { kind: 'arm', timer: 'farewell', ms: farewellMs };
}

function outOfTurn(limits: ReceptionLimits, stage: Stage, name: MessageName): ReceptionStep {
  const error = new MicrostunError(
    'PROTOCOL',
    `the source sent ${name} while the destination was ${stage.name}`,
  );
  if (mayRefuse(stage)) return refuse(stage, 'PROTOCOL', error);
  const hangUp: ReceptionEffect = { kind: 'hang-up' };
  // Whoever hangs up is not told of the loss.
  return { stage, effects: isHandedOver(stage) ? [hangUp, awaitFarewell(limits)] : [hangUp] };
}

/** Final: this migration never resumes here. */
function refuse(stage: Stage, code: RefusalCode, error: MicrostunError): ReceptionStep {
  if (!mayRefuse(stage)) return same(stage);
  const answer: MessageOf<'REFUSAL'> = {
    name: 'REFUSAL',
    version: PROTOCOL_VERSION,
    code,
    reason: clipReason(error.message),
  };
  const ending: Ending = {
    kind: 'refused',
    error: new MicrostunError(errorCodeOf(code), error.message, { cause: error }),
    answer,
  };
  return {
    stage: { name: 'ended', ending, answers: [] },
    effects: [{ kind: 'send', message: answer }, { kind: 'hang-up' }, { kind: 'end', ending }],
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
function failRunning(stage: Stage, error: MicrostunError): ReceptionStep {
  return isHandedOver(stage) ? end(stage, { kind: 'failed', error }) : same(stage);
}

function end(stage: Stage, ending: Ending): ReceptionStep {
  const ended = { name: 'ended', ending, answers: 'answers' in stage ? stage.answers : [] } as const;
  return { stage: ended, effects: [...goodbye(ended), { kind: 'hang-up' }, { kind: 'end', ending }] };
}

// The answers themselves were said when they were new.
function goodbye({ ending }: Extract<Stage, { name: 'ended' }>): ReceptionEffect[] {
  return lastWords({ name: 'ended', ending, answers: [] }).filter(({ kind }) => kind === 'send');
}

function same(stage: Stage): ReceptionStep {
  return { stage, effects: [] };
}

/** Whether nothing but time keeps another migration from its place: it has no source, and its guest never came. */
export function isRefusable(stage: Stage): boolean {
  return mayRefuse(stage) || (stage.name === 'ended' && stage.ending.kind === 'refused');
}

/** Whether the guest may still be refused: no slice of it has run here, and none has been allowed. */
function mayRefuse(stage: Stage): boolean {
  switch (stage.name) {
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
      return unreachable(stage);
  }
}

/** Whether the guest is here with all of its pages. */
function isWhole(stage: Stage): boolean {
  switch (stage.name) {
    case 'resuming':
      return !stage.pagesFollow;
    case 'running':
      return stage.isWhole;
    default:
      return isHandedOver(stage);
  }
}

/** Whether the guest is this side's. */
export function isHandedOver(stage: Stage): boolean {
  return (
    stage.name === 'resuming' ||
    stage.name === 'running' ||
    stage.name === 'auditing' ||
    stage.name === 'told'
  );
}
