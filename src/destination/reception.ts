// The destination's state machine for one migration: data, one exhaustive step, no I/O. docs/protocol.md has the table.
// Sockets, workers and the machine are the driver's (receive.ts).
import { MicrostunError, unreachable, type ErrorCode } from '../shared/errors.js';
import { PROTOCOL_VERSION } from '../shared/wire/frames.js';
import type { Message, MessageName, MessageOf, RefusalCode } from '../shared/wire/messages.js';

export interface ReceptionLimits {
  /** How long the control connection may stay lost before the hand-over; then the migration is refused for good. */
  readonly controlLostMs: number;
  /** How long page connections may stay lost before the hand-over. */
  readonly pagesLostMs: number;
  /** First pause before lost page and fault connections are dialled again; doubles up to a second. */
  readonly retryMs: number;
  /** How long a hand-over's last pages may take. */
  readonly placementMs: number;
  /** How long after the hand-over the source may stay away before nobody waits for it any more. */
  readonly farewellMs: number;
}

type Prepare = MessageOf<'PREPARE'>;
type HandOver = MessageOf<'HAND_OVER'>;

/** What a checked hand-over comes down to. */
export interface Validated {
  readonly validationMs: number;
  /** Pages in the bitmap. */
  readonly lackingPages: number;
}

export type Stage =
  | { readonly name: 'greeted' }
  | { readonly name: 'preparing'; readonly prepare: Prepare }
  | {
      readonly name: 'receiving';
      readonly prepare: Prepare;
      readonly prepared: MessageOf<'PREPARED'>;
      readonly placed: Placed;
    }
  | {
      readonly name: 'validating';
      readonly prepare: Prepare;
      readonly handOver: HandOver;
      readonly placed: Placed;
    }
  /** Pre-copy: valid, but its last pages are not all here. */
  | {
      readonly name: 'placing';
      readonly prepare: Prepare;
      readonly handOver: HandOver;
      readonly validated: Validated;
    }
  | { readonly name: 'resuming'; readonly prepare: Prepare; readonly pagesFollow: boolean }
  /** The guest runs here; `answers` are said again to a source that asks. Until it is whole, pages are on the source. */
  | {
      readonly name: 'running';
      readonly prepare: Prepare;
      readonly answers: readonly Message[];
      readonly isWhole: boolean;
    }
  | { readonly name: 'auditing'; readonly answers: readonly Message[] }
  /** Everything is said; waits for the source's farewell. */
  | { readonly name: 'told'; readonly answers: readonly Message[] }
  | { readonly name: 'ended'; readonly ending: Ending };

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
  | { readonly kind: 'pages-lost'; readonly error: MicrostunError }
  /** Every page and fault connection is up again. */
  | { readonly kind: 'pages-connected' }
  /** The last page that the running guest lacked is placed. */
  | { readonly kind: 'all-arrived' }
  /** Every page is on the fast path. */
  | { readonly kind: 'settled'; readonly answer: MessageOf<'ARRIVED'> }
  | { readonly kind: 'validated'; readonly validated: Validated }
  | { readonly kind: 'resumed'; readonly answer: MessageOf<'RESUMED'> }
  | { readonly kind: 'audited'; readonly answer: MessageOf<'AUDITED'> }
  | { readonly kind: 'timer'; readonly timer: ReceptionTimer }
  | { readonly kind: 'cancel'; readonly reason: string }
  | { readonly kind: 'failed'; readonly error: MicrostunError };

export type ReceptionTimer = 'control' | 'pages' | 'retry' | 'placement' | 'audit' | 'farewell';

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
  | { readonly kind: 'resume'; readonly handOver: HandOver }
  | { readonly kind: 'reconnect-pages' }
  | { readonly kind: 'settle' }
  | { readonly kind: 'audit' }
  | { readonly kind: 'arm'; readonly timer: ReceptionTimer; readonly ms: number }
  | { readonly kind: 'disarm'; readonly timer: ReceptionTimer }
  | { readonly kind: 'end'; readonly ending: Ending };

export interface ReceptionStep {
  readonly stage: Stage;
  readonly effects: readonly ReceptionEffect[];
}

const NOTHING_PLACED: Placed = { round: -1, pages: 0 };

export function beginReception(): Stage {
  return { name: 'greeted' };
}

/** The next stage and what to do; an event that means nothing in a stage changes nothing. */
export function stepReception(limits: ReceptionLimits, stage: Stage, event: ReceptionEvent): ReceptionStep {
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
        stage: { name: 'receiving', prepare: stage.prepare, prepared, placed: NOTHING_PLACED },
        effects: [{ kind: 'send', message: prepared }],
      };
    }
    case 'declined':
      return refuse(stage, event.code, event.error);
    case 'round-placed':
      return onRoundPlaced(stage, { round: event.round, pages: event.pages });
    case 'pages-lost':
      return onPagesLost(limits, stage);
    case 'pages-connected':
      return { stage, effects: [{ kind: 'disarm', timer: 'pages' }] };
    case 'all-arrived':
      return stage.name === 'running' && !stage.isWhole
        ? { stage, effects: [{ kind: 'settle' }] }
        : same(stage);
    case 'settled':
      return onSettled(stage, event.answer);
    case 'validated':
      if (stage.name !== 'validating') return same(stage);
      return tryResume(stage.prepare, stage.handOver, event.validated, stage.placed);
    case 'resumed':
      return onResumed(stage, event.answer);
    case 'audited': {
      if (stage.name !== 'auditing') return same(stage);
      return {
        stage: { name: 'told', answers: [...stage.answers, event.answer] },
        effects: [{ kind: 'send', message: event.answer }],
      };
    }
    case 'timer':
      return onTimer(stage, event.timer);
    case 'cancel':
      return mayRefuse(stage)
        ? refuse(stage, 'CANCELLED', new MicrostunError('CANCELLED', event.reason))
        : same(stage);
    case 'failed':
      return mayRefuse(stage)
        ? refuse(stage, 'GUEST_FAILED', event.error)
        : end({ kind: 'failed', error: event.error });
    default:
      return unreachable(event);
  }
}

// Lost page and fault connections are dialled again; before the hand-over there is a limit to that. After it, the
// vCPUs that need a page wait, and only a source that is gone for good (see 'farewell') ends it.
function onPagesLost(limits: ReceptionLimits, stage: Stage): ReceptionStep {
  const retry: ReceptionEffect = { kind: 'arm', timer: 'retry', ms: limits.retryMs };
  if (mayRefuse(stage))
    return { stage, effects: [retry, { kind: 'arm', timer: 'pages', ms: limits.pagesLostMs }] };
  return isHandedOver(stage) ? { stage, effects: [retry] } : same(stage);
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
  const disarm: ReceptionEffect = { kind: 'disarm', timer: 'control' };
  if (stage.name === 'running' || stage.name === 'auditing' || stage.name === 'told') {
    const again = stage.answers.map((message): ReceptionEffect => ({ kind: 'send', message }));
    return { stage, effects: [disarm, { kind: 'disarm', timer: 'farewell' }, ...again] };
  }
  if (stage.name === 'ended' && stage.ending.kind === 'refused') {
    return { stage, effects: [{ kind: 'send', message: stage.ending.answer }] };
  }
  return { stage, effects: [disarm] };
}

function onControlLost(limits: ReceptionLimits, stage: Stage): ReceptionStep {
  if (stage.name === 'ended') return same(stage);
  const timer: ReceptionEffect = isHandedOver(stage)
    ? { kind: 'arm', timer: 'farewell', ms: limits.farewellMs }
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
      return onPrepare(stage, message);
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
        : same(stage);
    case 'FAREWELL':
      return onFarewell(stage);
    case 'HELLO':
    case 'WELCOME':
    case 'REFUSAL':
    case 'PREPARED':
    case 'PONG':
    case 'RESUMED':
    case 'ARRIVED':
    case 'AUDITED':
      return outOfTurn(stage, message.name);
    default:
      return unreachable(message);
  }
}

function onPrepare(stage: Stage, prepare: Prepare): ReceptionStep {
  switch (stage.name) {
    case 'greeted':
      return { stage: { name: 'preparing', prepare }, effects: [{ kind: 'prepare', prepare }] };
    case 'preparing':
      return same(stage);
    case 'receiving':
      return { stage, effects: [{ kind: 'send', message: stage.prepared }] };
    default:
      return outOfTurn(stage, 'PREPARE');
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
      const { prepare, placed } = stage;
      return {
        stage: { name: 'validating', prepare, handOver, placed },
        effects: [
          { kind: 'validate', prepare, handOver, receivedAt },
          { kind: 'arm', timer: 'placement', ms: limits.placementMs },
        ],
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
      return { stage, effects: stage.answers.map((message): ReceptionEffect => ({ kind: 'send', message })) };
    case 'ended':
      return onAttached(stage);
    default:
      return outOfTurn(stage, 'HAND_OVER');
  }
}

function onRoundPlaced(stage: Stage, placed: Placed): ReceptionStep {
  switch (stage.name) {
    case 'receiving':
    case 'validating':
      return { stage: { ...stage, placed }, effects: [] };
    case 'placing':
      return resumeIfWhole(stage.prepare, stage.handOver, stage.validated, placed);
    default:
      return same(stage);
  }
}

function tryResume(
  prepare: Prepare,
  handOver: HandOver,
  validated: Validated,
  placed: Placed,
): ReceptionStep {
  if (handOver.pagesFollow) return resume(prepare, handOver);
  if (placed.round < handOver.finalRound)
    return { stage: { name: 'placing', prepare, handOver, validated }, effects: [] };
  return resumeIfWhole(prepare, handOver, validated, placed);
}

// The last round of a pre-copy must have brought exactly the pages that the bitmap says were missing.
function resumeIfWhole(
  prepare: Prepare,
  handOver: HandOver,
  validated: Validated,
  placed: Placed,
): ReceptionStep {
  const stage: Stage = { name: 'placing', prepare, handOver, validated };
  if (placed.round < handOver.finalRound) return same(stage);
  if (placed.round !== handOver.finalRound || placed.pages !== validated.lackingPages) {
    return refuse(
      stage,
      'PROTOCOL',
      new MicrostunError(
        'PROTOCOL',
        `round ${placed.round} brought ${placed.pages} pages, the hand-over promised ${validated.lackingPages} in round ${handOver.finalRound}`,
      ),
    );
  }
  return resume(prepare, handOver);
}

function resume(prepare: Prepare, handOver: HandOver): ReceptionStep {
  return {
    stage: { name: 'resuming', prepare, pagesFollow: handOver.pagesFollow },
    effects: [
      { kind: 'disarm', timer: 'placement' },
      { kind: 'resume', handOver },
    ],
  };
}

function onResumed(stage: Stage, answer: MessageOf<'RESUMED'>): ReceptionStep {
  if (stage.name !== 'resuming') return same(stage);
  const { prepare } = stage;
  const effects: ReceptionEffect[] = [{ kind: 'send', message: answer }];
  const isWhole = !stage.pagesFollow;
  if (isWhole && prepare.audits) effects.push({ kind: 'arm', timer: 'audit', ms: prepare.auditAfterMs });
  return { stage: { name: 'running', prepare, answers: [answer], isWhole }, effects };
}

function onFarewell(stage: Stage): ReceptionStep {
  if (stage.name === 'told' || (stage.name === 'running' && stage.isWhole && !stage.prepare.audits)) {
    return end({ kind: 'running', isSourceGone: false });
  }
  return outOfTurn(stage, 'FAREWELL');
}

function onTimer(stage: Stage, timer: ReceptionTimer): ReceptionStep {
  switch (timer) {
    case 'control':
      return mayRefuse(stage)
        ? refuse(
            stage,
            'TIMEOUT',
            new MicrostunError(
              'CONNECTION_LOST',
              'the source went away before the hand-over and did not come back',
            ),
          )
        : same(stage);
    case 'pages':
      return mayRefuse(stage)
        ? refuse(
            stage,
            'CONNECT_FAILED',
            new MicrostunError(
              'CONNECTION_LOST',
              'the page connections were lost and the source cannot be reached for new ones',
            ),
          )
        : same(stage);
    case 'retry':
      return { stage, effects: stage.name === 'ended' ? [] : [{ kind: 'reconnect-pages' }] };
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
      if (!isHandedOver(stage)) return same(stage);
      if (stage.name === 'running' && !stage.isWhole) return end({ kind: 'pages-lost' });
      return end({ kind: 'running', isSourceGone: true });
    default:
      return unreachable(timer);
  }
}

function outOfTurn(stage: Stage, name: MessageName): ReceptionStep {
  const error = new MicrostunError(
    'PROTOCOL',
    `the source sent ${name} while the destination was ${stage.name}`,
  );
  return mayRefuse(stage) ? refuse(stage, 'PROTOCOL', error) : { stage, effects: [{ kind: 'hang-up' }] };
}

/** Final: this migration never resumes here. */
function refuse(stage: Stage, code: RefusalCode, error: MicrostunError): ReceptionStep {
  if (!mayRefuse(stage)) return same(stage);
  const answer: MessageOf<'REFUSAL'> = {
    name: 'REFUSAL',
    version: PROTOCOL_VERSION,
    code,
    reason: error.message,
  };
  const ending: Ending = {
    kind: 'refused',
    error: new MicrostunError(errorCodeOf(code), error.message, { cause: error }),
    answer,
  };
  return {
    stage: { name: 'ended', ending },
    effects: [{ kind: 'send', message: answer }, { kind: 'hang-up' }, { kind: 'end', ending }],
  };
}

function errorCodeOf(code: RefusalCode): ErrorCode {
  switch (code) {
    case 'BUSY':
    case 'UNKNOWN_MIGRATION':
      return 'REFUSED';
    case 'CONNECT_FAILED':
      return 'CONNECTION_LOST';
    default:
      return code;
  }
}

function end(ending: Ending): ReceptionStep {
  return { stage: { name: 'ended', ending }, effects: [{ kind: 'hang-up' }, { kind: 'end', ending }] };
}

function same(stage: Stage): ReceptionStep {
  return { stage, effects: [] };
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

/** Whether the guest is this side's. */
export function isHandedOver(stage: Stage): boolean {
  return (
    stage.name === 'resuming' ||
    stage.name === 'running' ||
    stage.name === 'auditing' ||
    stage.name === 'told'
  );
}
