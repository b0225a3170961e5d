// The source's state machine: data, one exhaustive step, no I/O. docs/protocol.md shows it as a table.
// Clock, sockets, workers and the guest are the driver's (outgoing.ts); the simulation drives it without any of them.
import { MicrostunError, unreachable, type ErrorCode } from '../../shared/errors.js';
import { cancelOf, type Message, type MessageName, type MessageOf } from '../../shared/wire/messages.js';
import { PROTOCOL_VERSION } from '../../shared/wire/frames.js';
import { isAnswerToHandOver, refusalError, versionComplaint } from '../../shared/wire/refusal.js';
import {
  judge,
  pagesWithin,
  type Course,
  type Forecast,
  type RoundFacts,
  type SwitchOverReason,
  type Verdict,
} from './convergence.js';
import type { ClockSample } from '../measurement/clock-offset.js';
import { throttleShare, THROTTLE_SHARE_MAX } from './throttle.js';
import {
  lostLink,
  pausedLink,
  stepLink,
  type Link,
  type LinkEffect,
  type LinkEvent,
  type LinkLimits,
} from './link.js';
import { phaseTimeoutError, type PhaseLimits } from './phase-limits.js';

/** When the rounds take too long: give up, move on to post-copy, or slow the guest down until they converge. */
export type TimeoutStrategy = 'abort' | 'post-copy' | 'throttle';

export type MigrationMode = 'pre-copy' | 'hybrid' | 'post-copy';

/** What the user asked for, as far as the state machine decides by it. */
export interface MigrationPlan {
  readonly mode: MigrationMode;
  readonly roundsMax: number;
  /** How long rounds may go on, and what happens then. */
  readonly copyMs: number;
  readonly onTimeout: TimeoutStrategy;
  readonly stunBudgetMs: number;
  readonly audits: boolean;
  readonly link: LinkLimits;
  /** How long the destination may take to prepare. */
  readonly prepareMs: number;
  /** How long an answer to HAND_OVER may take before it is asked for again. */
  readonly answerMs: number;
  /** How long asking again may go on before the migration is reported as in doubt. */
  readonly doubtMs: number;
  /** Whether a doubt that lasts as long again ends the migration; otherwise it goes on asking until it knows. */
  readonly endsInDoubt: boolean;
  /** Whether a push on which nothing moves for long ends; otherwise the pages are kept, and the destination is asked on. */
  readonly endsStillPush: boolean;
  /** How long the phases may take that wait for neither a user's limit nor the network's. */
  readonly phases: PhaseLimits;
  /** How long lost page connections may stay lost before the hand-over. */
  readonly pagesLostMs: number;
  /** How long the audit may take, its delay included. */
  readonly auditMs: number;
}

/** A pre-copy that makes no progress switches over all the same if its stun stays below what vMotion promises. */
const TOLERABLE_STUN_MS = 1000;

/** Clock exchanges before the migration; the shortest round trip of them goes into the forecasts. */
export const CLOCK_SAMPLES = 12;

/** PINGs at once when the guest has been resumed: the clocks are compared on both sides of the stun. */
export const CLOCK_SAMPLES_AFTER = 3;

export type Owner = 'source' | 'destination' | 'in doubt' | 'lost';

export type Outcome =
  | { readonly kind: 'completed' }
  | {
      readonly kind: 'failed';
      readonly error: MicrostunError;
      readonly owner: Owner;
      readonly phase: Phase['name'];
    };

/** Where the migration stands; each phase carries what is valid in it. */
export type Phase =
  /** Nothing asked yet: the control link is not up. */
  | { readonly name: 'connecting' }
  /** PREPARE is sent; waits for PREPARED and for all page connections. */
  | { readonly name: 'preparing'; readonly isPrepared: boolean; readonly arePagesUp: boolean }
  | { readonly name: 'measuring-clock'; readonly samples: readonly ClockSample[] }
  | { readonly name: 'installing-traces'; readonly roundTripMs: number }
  | {
      readonly name: 'copying';
      readonly round: number;
      readonly rounds: readonly RoundFacts[];
      readonly roundTripMs: number;
    }
  | {
      readonly name: 'harvesting';
      readonly rounds: readonly RoundFacts[];
      readonly roundTripMs: number;
      /** Pages of the round before that were not sent, because it was stopped. */
      readonly keptPages: number;
    }
  /** The vCPUs are told to park; waits for the last harvest. */
  | { readonly name: 'stopping'; readonly nextRound: number; readonly pagesFollow: boolean }
  /** HAND_OVER is on its way: the source runs no slice until it knows that the destination refused. */
  | {
      readonly name: 'handing-over';
      readonly handOver: MessageOf<'HAND_OVER'>;
      readonly isInDoubt: boolean;
      /** Times that the doubt has lasted `doubtMs`. */
      readonly doubts: number;
      /** What failed here meanwhile; it matters once the destination has answered. */
      readonly failure: MicrostunError | undefined;
    }
  /** The destination runs the guest and fetches what it lacks; the source keeps memory until it has all. */
  | {
      readonly name: 'pushing';
      readonly isPushed: boolean;
      readonly arrived: MessageOf<'ARRIVED'> | undefined;
      /** The audit may be over before the push is acknowledged here. */
      readonly audited: MessageOf<'AUDITED'> | undefined;
      /** Times in a row that nothing has moved for `pushStillMs`. */
      readonly stills: number;
    }
  | { readonly name: 'awaiting-audit' }
  | { readonly name: 'ended'; readonly outcome: Outcome };

export interface MigrationState {
  readonly link: Link;
  readonly phase: Phase;
  /** The rounds have taken longer than they may. */
  readonly isOvertime: boolean;
  /** The share of its time that each vCPU is made to sleep, to let the rounds converge. */
  readonly throttledShare: number;
}

export type MigrationEvent =
  | LinkEvent
  | { readonly kind: 'received'; readonly message: Message; readonly receivedAt: number }
  | { readonly kind: 'pages-connected' }
  | { readonly kind: 'pages-lost'; readonly error: MicrostunError }
  | { readonly kind: 'traces-installed'; readonly pageCount: number }
  /** `keptPages`: those of the round that were not sent, because it was stopped. */
  | { readonly kind: 'round-placed'; readonly facts: RoundFacts; readonly keptPages?: number }
  | { readonly kind: 'harvested'; readonly dirtyPages: number }
  /** Pages were pushed, or sent for faults, since the timer `push` was armed. */
  | { readonly kind: 'pages-moved' }
  | { readonly kind: 'taken'; readonly handOver: MessageOf<'HAND_OVER'> }
  | { readonly kind: 'timer'; readonly timer: TimerName }
  | { readonly kind: 'cancel'; readonly reason: string }
  /** The user wants the destination asked now, whatever pause there is. */
  | { readonly kind: 'ask-now' }
  | { readonly kind: 'failed'; readonly error: MicrostunError; readonly who?: Helper };

/** Who does the work that may fail; each is needed for some phases only. */
export type Helper = 'tracer' | 'copiers' | 'page server' | 'guest';

/** `link`: dial again, or give the link up. `phase`: the phase took too long. `pages`: page connections stayed lost. `push`: look whether pages move. */
export type TimerName = 'link-retry' | 'link-limit' | 'phase' | 'doubt' | 'pages' | 'copying' | 'push';

export type MigrationEffect =
  | { readonly kind: 'dial' }
  | { readonly kind: 'hang-up' }
  | Extract<LinkEffect, { kind: 'greet' }>
  | { readonly kind: 'send-prepare' }
  | { readonly kind: 'ping' }
  | { readonly kind: 'send'; readonly message: Message }
  | { readonly kind: 'note-clock'; readonly sample: ClockSample }
  | { readonly kind: 'install-traces' }
  | { readonly kind: 'copy-round'; readonly round: number }
  /** The round under way ends at its next window; what it has not sent stays dirty. */
  | { readonly kind: 'stop-round' }
  /** `keepsRest`: the last round was stopped, and what it did not send is dirty still. */
  | { readonly kind: 'harvest'; readonly keepsRest: boolean }
  /** `course`: of the rounds to come, if there are any. */
  | { readonly kind: 'note-forecast'; readonly forecast: Forecast; readonly course: Course | undefined }
  /** Parks the vCPUs, takes the last dirty pages and the checkpoint; `round` carries the rest. */
  | {
      readonly kind: 'stop-guest';
      readonly round: number;
      readonly pagesFollow: boolean;
      /** With more last pages than this they follow, all the same: copying them would stun the guest for too long. */
      readonly pagesMax: number;
      readonly why: SwitchOverReason | 'post-copy' | 'time limit' | 'throttle not enough';
    }
  /** Stun During Page Send: each vCPU sleeps this share of its time. */
  | { readonly kind: 'throttle'; readonly share: number }
  /** Sends HAND_OVER; `copiesRest`: the remaining pages go with it. */
  | { readonly kind: 'hand-over'; readonly handOver: MessageOf<'HAND_OVER'>; readonly copiesRest: boolean }
  | { readonly kind: 'note-resumed'; readonly message: MessageOf<'RESUMED'>; readonly receivedAt: number }
  | { readonly kind: 'push'; readonly round: number }
  | { readonly kind: 'note-arrived'; readonly message: MessageOf<'ARRIVED'> }
  /** A few samples of the guest at the destination. */
  | { readonly kind: 'note-samples'; readonly samples: Float64Array }
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

export interface Step {
  readonly state: MigrationState;
  readonly effects: readonly MigrationEffect[];
}

/** How a migration begins. */
export function beginMigration(plan: MigrationPlan): Step {
  return {
    state: {
      link: { name: 'dialling', attempts: 1 },
      phase: { name: 'connecting' },
      isOvertime: false,
      throttledShare: 0,
    },
    effects: [{ kind: 'arm', timer: 'link-limit', ms: plan.link.connectMs }, { kind: 'dial' }],
  };
}

/** The next state and what to do; an event that means nothing in a state changes nothing. */
export function stepMigration(plan: MigrationPlan, state: MigrationState, event: MigrationEvent): Step {
  if (state.phase.name === 'ended') return { state, effects: [] };
  switch (event.kind) {
    case 'dialled':
    case 'dial-failed':
    case 'link-lost':
      return onLink(plan, state, event);
    case 'timer':
      return onTimer(plan, state, event.timer);
    case 'received':
      return onMessage(plan, state, event.message, event.receivedAt);
    case 'cancel':
      return onCancel(plan, state, event.reason);
    case 'ask-now':
      return onAskNow(plan, state);
    case 'failed':
      return onFailed(plan, state, event.error, event.who);
    case 'pages-moved':
      return state.phase.name === 'pushing'
        ? enter(state, { ...state.phase, stills: 0 }, [watchPush(plan)])
        : { state, effects: [] };
    case 'pages-lost':
      return isBeforeHandOver(state.phase)
        ? { state: withPagesDown(state), effects: [{ kind: 'arm', timer: 'pages', ms: plan.pagesLostMs }] }
        : { state, effects: [] };
    case 'pages-connected':
    case 'traces-installed':
    case 'round-placed':
    case 'harvested':
    case 'taken':
      return onWork(plan, state, event);
    default:
      return unreachable(event);
  }
}

// ---- The link ----------------------------------------------------------------------------------------------------

function onLink(plan: MigrationPlan, state: MigrationState, event: LinkEvent): Step {
  const { link, effects } = stepLink(plan.link, state.link, event);
  return { state: { ...state, link }, effects };
}

// The link is up: says again whatever the phase waits for an answer to. The destination remembers what it answered.
function onLinkUp(plan: MigrationPlan, state: MigrationState): Step {
  const { phase } = state;
  const up: readonly MigrationEffect[] = [{ kind: 'disarm', timer: 'link-limit' }];
  switch (phase.name) {
    case 'connecting':
      return enter(state, { name: 'preparing', isPrepared: false, arePagesUp: false }, [
        ...up,
        { kind: 'send-prepare' },
        { kind: 'arm', timer: 'phase', ms: plan.prepareMs },
      ]);
    case 'preparing':
      return { state, effects: phase.isPrepared ? up : [...up, { kind: 'send-prepare' }] };
    case 'measuring-clock':
      return { state, effects: [...up, { kind: 'ping' }, limitPhase(plan.phases.pongMs)] };
    case 'handing-over':
      return {
        state,
        effects: [
          ...up,
          { kind: 'send', message: phase.handOver },
          { kind: 'arm', timer: 'phase', ms: plan.answerMs },
          // It is there, and asked: the doubt may last, but only its silence ends the asking.
          ...(phase.isInDoubt ? [{ kind: 'arm', timer: 'doubt', ms: plan.doubtMs } as const] : []),
        ],
      };
    case 'installing-traces':
    case 'copying':
    case 'harvesting':
    case 'stopping':
    case 'pushing':
    case 'awaiting-audit':
    case 'ended':
      return { state, effects: up };
    default:
      return unreachable(phase);
  }
}

// ---- Messages ----------------------------------------------------------------------------------------------------

function onMessage(plan: MigrationPlan, state: MigrationState, message: Message, receivedAt: number): Step {
  switch (message.name) {
    case 'WELCOME': {
      if (state.link.name !== 'greeting') return outOfTurn(plan, state, message.name);
      if (message.version !== PROTOCOL_VERSION) {
        return fail(plan, state, new MicrostunError('VERSION_MISMATCH', versionComplaint(message.version)));
      }
      const known = state.link.instanceId;
      const up = { ...state, link: { name: 'up', instanceId: message.instanceId } } satisfies MigrationState;
      if (known !== undefined && known !== message.instanceId) return onRestart(plan, up, state);
      return onLinkUp(plan, up);
    }
    case 'REFUSAL':
      return onRefusal(plan, state, message);
    case 'CANCEL':
      return onCancelled(plan, state, message);
    case 'PREPARED':
      if (state.phase.name !== 'preparing') return { state, effects: [] };
      return onPrepared(plan, state, { ...state.phase, isPrepared: true });
    case 'PONG':
      return onPong(plan, state, { sentAt: message.sentAt, answeredAt: message.answeredAt, receivedAt });
    case 'RESUMED':
      return onResumed(plan, state, message, receivedAt);
    case 'ARRIVED':
      if (state.phase.name !== 'pushing') return { state, effects: [] };
      return onPushed(plan, state, { ...state.phase, arrived: message });
    case 'AUDITED':
      if (state.phase.name === 'pushing') return onPushed(plan, state, { ...state.phase, audited: message });
      if (state.phase.name !== 'awaiting-audit') return { state, effects: [] };
      return complete(state, [{ kind: 'note-audit', message }]);
    case 'SAMPLES':
      // It may come before a RESUMED that was lost and is said again.
      if (isBeforeHandOver(state.phase)) return outOfTurn(plan, state, message.name);
      return { state, effects: [{ kind: 'note-samples', samples: message.samples }] };
    case 'HELLO':
    case 'PREPARE':
    case 'PING':
    case 'HAND_OVER':
    case 'FAREWELL':
      return outOfTurn(plan, state, message.name);
    default:
      return unreachable(message);
  }
}

function onPrepared(
  plan: MigrationPlan,
  state: MigrationState,
  phase: Extract<Phase, { name: 'preparing' }>,
): Step {
  if (!phase.isPrepared || !phase.arePagesUp) return { state: { ...state, phase }, effects: [] };
  return enter(state, { name: 'measuring-clock', samples: [] }, [
    limitPhase(plan.phases.pongMs),
    { kind: 'ping' },
  ]);
}

function onPong(plan: MigrationPlan, state: MigrationState, sample: ClockSample): Step {
  // An answer to what was not asked yet measures nothing.
  if (sample.sentAt > sample.receivedAt)
    return state.phase.name === 'measuring-clock' ? outOfTurn(plan, state, 'PONG') : { state, effects: [] };
  // Clocks run apart: every exchange counts, at whatever time, and those next to the stun count most.
  const noted: MigrationEffect = { kind: 'note-clock', sample };
  if (state.phase.name !== 'measuring-clock') return { state, effects: [noted] };
  const samples = [...state.phase.samples, sample];
  if (samples.length < CLOCK_SAMPLES) {
    return enter(state, { name: 'measuring-clock', samples }, [
      noted,
      { kind: 'ping' },
      limitPhase(plan.phases.pongMs),
    ]);
  }
  const roundTripMs = Math.min(...samples.map((one) => one.receivedAt - one.sentAt)) / 1000;
  if (plan.mode === 'post-copy') {
    return stop(plan, state, 0, 'post-copy', { pagesFollow: true }, [noted]);
  }
  return enter(state, { name: 'installing-traces', roundTripMs }, [
    noted,
    { kind: 'install-traces' },
    limitPhase(plan.phases.installMs),
  ]);
}

function onResumed(
  plan: MigrationPlan,
  state: MigrationState,
  message: MessageOf<'RESUMED'>,
  receivedAt: number,
): Step {
  if (state.phase.name !== 'handing-over') return { state, effects: [] };
  const { handOver, failure } = state.phase;
  // Who speaks of other vCPUs than it was given says nothing about these: what became of them is in doubt.
  if (message.firstSliceAt.length !== handOver.registers.length) return outOfTurn(plan, state, message.name);
  const noted: MigrationEffect[] = [
    { kind: 'disarm', timer: 'phase' },
    { kind: 'disarm', timer: 'doubt' },
    { kind: 'note-resumed', message, receivedAt },
  ];
  // Before the push fills the link; a migration that is over has nothing more to ask.
  if (handOver.pagesFollow || plan.audits)
    noted.push(...Array.from({ length: CLOCK_SAMPLES_AFTER }, () => ({ kind: 'ping' }) as const));
  if (!handOver.pagesFollow) return awaitAudit(plan, state, noted);
  const round = handOver.finalRound;
  const pushing: Phase = {
    name: 'pushing',
    isPushed: false,
    arrived: undefined,
    audited: undefined,
    stills: 0,
  };
  if (failure !== undefined)
    return withEffects(noted, end({ ...state, phase: pushing }, failure, 'destination'));
  return enter(state, pushing, [...noted, { kind: 'push', round }, watchPush(plan)]);
}

// The push has ended here, and every page has arrived there, in either order. The acknowledgement of the push is only
// for the report: it may be lost for good once the destination needs the source no more.
function onPushed(
  plan: MigrationPlan,
  state: MigrationState,
  phase: Extract<Phase, { name: 'pushing' }>,
): Step {
  const { isPushed, arrived, audited } = phase;
  if (arrived === undefined) return { state: { ...state, phase }, effects: [] };
  if (!isPushed) return enter(state, phase, [{ kind: 'arm', timer: 'phase', ms: plan.answerMs }]);
  const noted: MigrationEffect[] = [
    { kind: 'disarm', timer: 'phase' },
    { kind: 'disarm', timer: 'push' },
    { kind: 'note-arrived', message: arrived },
  ];
  if (audited !== undefined) return complete(state, [...noted, { kind: 'note-audit', message: audited }]);
  return awaitAudit(plan, state, noted);
}

// A refusal gives back what was handed over only if it comes from the process that it was handed to. Without a welcome
// before it, it may be another's, started since, whose word says nothing about what the first one did.
function onRefusal(plan: MigrationPlan, state: MigrationState, message: MessageOf<'REFUSAL'>): Step {
  const error = refusalError(message);
  if (!isBeforeHandOver(state.phase) && state.link.name !== 'up') return askAnew(plan, state, error);
  // Whoever does not remember a migration cannot refuse it: it may have taken the guest and forgotten that.
  if (state.phase.name === 'handing-over' && !isAnswerToHandOver(message.code)) {
    const why = 'the destination does not remember this migration and cannot tell its outcome';
    return doubt(plan, state, doubtError(why));
  }
  return fail(plan, state, error, { isRefused: true });
}

// The destination cannot go on with a guest that it took over. That is no refusal: the guest has run there.
function onCancelled(
  plan: MigrationPlan,
  state: MigrationState,
  { code, reason }: MessageOf<'CANCEL'>,
): Step {
  const error = new MicrostunError(code, `the destination cancelled: ${reason}`);
  return state.phase.name === 'pushing' || state.phase.name === 'awaiting-audit'
    ? end(state, error, 'lost')
    : fail(plan, state, error);
}

// ---- Work done by the workers ---------------------------------------------------------------------------------------

function onWork(
  plan: MigrationPlan,
  state: MigrationState,
  event: Extract<
    MigrationEvent,
    { kind: 'pages-connected' | 'traces-installed' | 'round-placed' | 'harvested' | 'taken' }
  >,
): Step {
  const { phase } = state;
  switch (event.kind) {
    case 'pages-connected': {
      const up = { state, effects: [{ kind: 'disarm', timer: 'pages' }] } satisfies Step;
      if (phase.name !== 'preparing') return up;
      const next = onPrepared(plan, state, { ...phase, arePagesUp: true });
      return { state: next.state, effects: [...up.effects, ...next.effects] };
    }
    case 'traces-installed':
      if (phase.name !== 'installing-traces') return { state, effects: [] };
      return withEffects(
        [
          { kind: 'disarm', timer: 'phase' },
          { kind: 'arm', timer: 'copying', ms: plan.copyMs },
        ],
        copyRound(state, 0, [], phase.roundTripMs),
      );
    case 'round-placed':
      if (phase.name === 'copying') {
        const rounds = [...phase.rounds, event.facts];
        const keptPages = event.keptPages ?? 0;
        return enter(state, { name: 'harvesting', rounds, roundTripMs: phase.roundTripMs, keptPages }, [
          { kind: 'harvest', keepsRest: keptPages > 0 },
          limitPhase(plan.phases.harvestMs),
        ]);
      }
      if (phase.name === 'pushing') return onPushed(plan, state, { ...phase, isPushed: true });
      return { state, effects: [] };
    case 'harvested':
      return phase.name === 'harvesting'
        ? onHarvested(plan, state, phase, event.dirtyPages)
        : { state, effects: [] };
    case 'taken':
      return phase.name === 'stopping' ? handOver(plan, state, event.handOver) : { state, effects: [] };
    default:
      return unreachable(event);
  }
}

function copyRound(
  state: MigrationState,
  round: number,
  rounds: readonly RoundFacts[],
  roundTripMs: number,
): Step {
  return enter(state, { name: 'copying', round, rounds, roundTripMs }, [{ kind: 'copy-round', round }]);
}

function onHarvested(
  plan: MigrationPlan,
  state: MigrationState,
  { rounds, roundTripMs, keptPages }: Extract<Phase, { name: 'harvesting' }>,
  dirtyPages: number,
): Step {
  const follows = plan.mode !== 'pre-copy';
  const verdict = judge(rounds, dirtyPages, roundTripMs, { ...plan, pagesFollow: follows });
  const { forecast } = verdict;
  const course = verdict.kind === 'go-on' ? verdict.course : undefined;
  const noted: MigrationEffect[] = [
    { kind: 'disarm', timer: 'phase' },
    { kind: 'note-forecast', forecast, course },
  ];
  const nextRound = rounds.length;
  const switchOver = (why: SwitchOverReason): Step => {
    // A throttled guest is spared a long stun, whichever rule ends the rounds: its last pages follow instead.
    const isTooLong =
      plan.onTimeout === 'throttle' && !follows && !isAsPlanned(why) && forecast.stunMs > TOLERABLE_STUN_MS;
    if (isTooLong) return stop(plan, state, nextRound, 'throttle not enough', { pagesFollow: true }, noted);
    return stop(plan, state, nextRound, why, { pagesFollow: follows, forecast, roundTripMs }, noted);
  };
  if (verdict.kind === 'switch-over' && isAsPlanned(verdict.why)) return switchOver(verdict.why);
  const isStuck = state.isOvertime || (!follows && isWithoutProgress(plan, verdict));
  if (isStuck && plan.onTimeout === 'post-copy') {
    const why = state.isOvertime ? 'time limit' : 'no progress';
    return stop(plan, state, nextRound, why, { pagesFollow: true }, noted);
  }
  if (verdict.kind === 'switch-over' && verdict.why === 'round limit') return switchOver(verdict.why);
  if (plan.onTimeout === 'throttle' && (isStuck || state.throttledShare > 0)) {
    const share = throttleShare(
      state.throttledShare,
      rounds.at(-1)?.dirtyPages ?? dirtyPages,
      // What a stopped round did not send was not dirtied by the guest since.
      Math.max(0, dirtyPages - keptPages),
      Math.max(dirtyPages, (rounds[0]?.dirtyPages ?? 0) + (rounds.length === 1 ? keptPages : 0)),
      dirtyPages,
    );
    // At its limit and still without progress it does not help: the rules below decide.
    if (!isStuck || share < THROTTLE_SHARE_MAX || state.throttledShare < THROTTLE_SHARE_MAX) {
      noted.push({ kind: 'throttle', share });
      return withEffects(
        noted,
        copyRound({ ...state, throttledShare: share }, nextRound, rounds, roundTripMs),
      );
    }
  }
  // Without progress a long stun would be all that is left: the rounds go on until the time limit aborts them.
  const isHopeless = isStuck && !state.isOvertime && plan.onTimeout === 'abort';
  if (verdict.kind === 'switch-over' && !isHopeless) return switchOver(verdict.why);
  return withEffects(noted, copyRound(state, nextRound, rounds, roundTripMs));
}

function isAsPlanned(why: SwitchOverReason): boolean {
  return why === 'stun within budget' || why === 'network beyond budget';
}

// The guest dirties memory as fast as it is copied, and copying the rest would stun it for longer than can be borne.
function isWithoutProgress(plan: MigrationPlan, verdict: Verdict): boolean {
  if (verdict.kind !== 'switch-over' || verdict.why !== 'no progress') return false;
  return plan.onTimeout === 'throttle' || verdict.forecast.stunMs > TOLERABLE_STUN_MS;
}

// What the last harvest took belongs to the last pages: it was taken and is not copied yet.
function stop(
  plan: MigrationPlan,
  state: MigrationState,
  nextRound: number,
  why: Extract<MigrationEffect, { kind: 'stop-guest' }>['why'],
  last:
    | { readonly pagesFollow: true }
    | { readonly pagesFollow: boolean; readonly forecast: Forecast; readonly roundTripMs: number },
  before: readonly MigrationEffect[],
): Step {
  const { pagesFollow } = last;
  // What the guest dirties after the forecast counts too: only now is it known how much that is.
  const pagesMax =
    plan.onTimeout === 'throttle' && 'forecast' in last
      ? pagesWithin(last.forecast, last.roundTripMs, Math.max(TOLERABLE_STUN_MS, plan.stunBudgetMs))
      : Infinity;
  return enter(state, { name: 'stopping', nextRound, pagesFollow }, [
    ...before,
    { kind: 'disarm', timer: 'copying' },
    { kind: 'stop-guest', round: nextRound, pagesFollow, pagesMax, why },
    limitPhase(plan.phases.stopMs),
  ]);
}

// The rounds take too long. One under way is stopped where it is: what it has not sent stays dirty.
function onOvertime(plan: MigrationPlan, state: MigrationState): Step {
  if (!isBeforeHandOver(state.phase)) return { state, effects: [] };
  if (plan.onTimeout === 'abort') {
    return fail(
      plan,
      state,
      new MicrostunError(
        'TIMEOUT',
        `the rounds did not converge within ${plan.copyMs / 1000} s (--time-limit)`,
      ),
    );
  }
  const stopped: readonly MigrationEffect[] =
    state.phase.name === 'copying' ? [{ kind: 'stop-round' }, limitPhase(plan.phases.stoppedRoundMs)] : [];
  return { state: { ...state, isOvertime: true }, effects: stopped };
}

function handOver(plan: MigrationPlan, state: MigrationState, message: MessageOf<'HAND_OVER'>): Step {
  const phase: Phase = {
    name: 'handing-over',
    handOver: message,
    isInDoubt: false,
    doubts: 0,
    failure: undefined,
  };
  // Without a link the message waits for it; the guest stays parked and may still be released until then, but one
  // rule for all of it is simpler: from here on only a refusal releases it.
  const effects: MigrationEffect[] = [
    { kind: 'hand-over', handOver: message, copiesRest: !message.pagesFollow },
    { kind: 'arm', timer: 'phase', ms: plan.answerMs },
    { kind: 'arm', timer: 'doubt', ms: plan.doubtMs },
  ];
  return enter(state, phase, effects);
}

// ---- Time, cancel and failure --------------------------------------------------------------------------------------

function onTimer(plan: MigrationPlan, state: MigrationState, timer: TimerName): Step {
  switch (timer) {
    case 'link-retry': {
      const { link, effects } = stepLink(plan.link, state.link, { kind: 'retry' });
      return { state: { ...state, link }, effects };
    }
    case 'link-limit':
      // Only the answer ends a hand-over, and only pages that do not move a push.
      if (state.phase.name === 'handing-over' || state.phase.name === 'pushing')
        return { state, effects: [] };
      return fail(plan, state, linkLimitError(state, plan));
    case 'pages':
      // Armed before the hand-over; after it only the destination can say that pages are lost.
      if (!isBeforeHandOver(state.phase)) return { state, effects: [] };
      return fail(
        plan,
        state,
        new MicrostunError('CONNECTION_LOST', 'the page connections were lost and did not come back'),
      );
    case 'copying':
      return onOvertime(plan, state);
    case 'phase':
      return onPhaseTimeout(plan, state);
    case 'doubt':
      return onDoubt(plan, state);
    case 'push':
      return onStillPush(plan, state);
    default:
      return unreachable(timer);
  }
}

function linkLimitError(state: MigrationState, plan: MigrationPlan): MicrostunError {
  const why = state.link.name === 'waiting' ? state.link.error : undefined;
  if (state.phase.name === 'connecting') {
    const reason = why?.message ?? 'the destination did not answer';
    return new MicrostunError(
      'CONNECT_FAILED',
      `${reason} (tried for ${plan.link.connectMs / 1000} s); start "microstun destination" there first, or check --to`,
      { cause: why },
    );
  }
  return new MicrostunError(
    'CONNECTION_LOST',
    `the control connection was lost and did not come back: ${why?.message ?? 'no answer'}`,
    {
      cause: why,
    },
  );
}

function onPhaseTimeout(plan: MigrationPlan, state: MigrationState): Step {
  switch (state.phase.name) {
    case 'preparing':
      return fail(
        plan,
        state,
        new MicrostunError('TIMEOUT', `the destination was not ready within ${plan.prepareMs / 1000} s`),
      );
    case 'handing-over': {
      const again: MigrationEffect = { kind: 'arm', timer: 'phase', ms: plan.answerMs };
      // A dial under way ends by itself; of two, the later one would take the earlier one's place.
      if (state.link.name === 'dialling' || state.link.name === 'waiting') return { state, effects: [again] };
      // No answer on a link that seems up: ask again on a new one.
      const error = new MicrostunError('TIMEOUT', 'no answer to the hand-over');
      return withEffects([again], askAnew(plan, state, error));
    }
    case 'pushing':
      return onPushed(plan, state, { ...state.phase, isPushed: true });
    case 'awaiting-audit':
      return fail(
        plan,
        state,
        new MicrostunError('TIMEOUT', `the destination sent no audit within ${plan.auditMs / 1000} s`),
      );
    case 'measuring-clock':
    case 'installing-traces':
    case 'copying':
    case 'harvesting':
    case 'stopping':
      return fail(plan, state, phaseTimeoutError(state.phase.name, plan.phases));
    default:
      return { state, effects: [] };
  }
}

function askAnew(plan: MigrationPlan, state: MigrationState, why: MicrostunError): Step {
  const { link, effects } = lostLink(plan.link, state.link, why);
  return { state: { ...state, link }, effects: [{ kind: 'hang-up' }, ...effects] };
}

function onDoubt(plan: MigrationPlan, state: MigrationState): Step {
  if (state.phase.name !== 'handing-over') return { state, effects: [] };
  const error = doubtError('the answer to the hand-over cannot be learned');
  const again: MigrationEffect = { kind: 'arm', timer: 'doubt', ms: plan.doubtMs };
  const { isInDoubt } = state.phase;
  const doubts = state.phase.doubts + 1;
  const phase: Phase = { ...state.phase, isInDoubt: true, doubts };
  if (!isInDoubt) return enter(state, phase, [{ kind: 'report-doubt', error }, again]);
  // A destination that is there may be placing the last pages: it is asked for much longer.
  const isPatient = state.link.name === 'up' && doubts < plan.phases.doubtsMax;
  if (plan.endsInDoubt && !isPatient) return end({ ...state, phase }, error, 'in doubt');
  return enter(state, phase, [again]);
}

// What the destination says is no answer, and asking at once would hardly get another: asks on after a pause, unless told
// to end in doubt.
function doubt(plan: MigrationPlan, state: MigrationState, error: MicrostunError): Step {
  if (state.phase.name !== 'handing-over') return { state, effects: [] };
  if (plan.endsInDoubt) return end(state, error, 'in doubt');
  const report: MigrationEffect[] = state.phase.isInDoubt ? [] : [{ kind: 'report-doubt', error }];
  const { link, effects } = pausedLink(state.link, error, plan.phases.noAnswerMs);
  return {
    state: { ...state, link, phase: { ...state.phase, isInDoubt: true } },
    effects: [...report, { kind: 'hang-up' }, ...effects],
  };
}

// No page has moved for long. A source that has its pages still is needed still, whoever is silent.
function onStillPush(plan: MigrationPlan, state: MigrationState): Step {
  if (state.phase.name !== 'pushing' || state.phase.arrived !== undefined) return { state, effects: [] };
  const stills = state.phase.stills + 1;
  const phase: Phase = { ...state.phase, stills };
  const seconds = (stills * plan.phases.pushStillMs) / 1000;
  const what =
    `no page has left for ${seconds} s, and the destination, which owns the guest, ` +
    (state.link.name === 'up' ? 'takes none' : 'does not answer');
  const isPatient = state.link.name === 'up' && stills < plan.phases.stillsMax;
  if (plan.endsStillPush && !isPatient)
    return end({ ...state, phase }, new MicrostunError('TIMEOUT', what), 'destination');
  const says: MigrationEffect[] =
    stills === 1
      ? [{ kind: 'warn', text: `${what}; its pages are kept here, and it is asked on: end neither side` }]
      : [];
  return enter(state, phase, [...says, watchPush(plan)]);
}

function watchPush(plan: MigrationPlan): MigrationEffect {
  return { kind: 'arm', timer: 'push', ms: plan.phases.pushStillMs };
}

function limitPhase(ms: number): MigrationEffect {
  return { kind: 'arm', timer: 'phase', ms };
}

// A destination that was restarted does not know what became of the guest, and never will: no word of it counts, and the
// link goes on looking for the one that the guest was handed to.
function onRestart(plan: MigrationPlan, state: MigrationState, before: MigrationState): Step {
  switch (state.phase.name) {
    case 'handing-over': {
      const why =
        'another destination process answers than the one that the guest was handed to, and does not know what became of it';
      return doubt(plan, before, doubtError(why));
    }
    case 'pushing':
    case 'awaiting-audit':
      return end(
        state,
        new MicrostunError(
          'CONNECTION_LOST',
          'the destination was restarted after it had taken the guest over',
        ),
        'lost',
      );
    default:
      return fail(
        plan,
        state,
        new MicrostunError('CONNECTION_LOST', 'the destination was restarted; start the migration again'),
      );
  }
}

function onAskNow(plan: MigrationPlan, state: MigrationState): Step {
  const { link, effects } = stepLink(plan.link, state.link, { kind: 'retry' });
  return { state: { ...state, link }, effects };
}

// What failed may not be needed any more: then it is no failure.
function onFailed(plan: MigrationPlan, state: MigrationState, error: MicrostunError, who?: Helper): Step {
  const { phase } = state;
  if (isBeforeHandOver(phase)) return fail(plan, state, error);
  const warned: MigrationEffect[] = [{ kind: 'warn', text: `${error.message}; it is not needed any more` }];
  // The guest is stopped for good here, or is released without the tracer.
  if (who === 'tracer' || who === 'guest' || phase.name === 'awaiting-audit')
    return { state, effects: warned };
  if (phase.name === 'handing-over') {
    // It cannot take the message back: the answer decides whether it matters.
    return enter(state, { ...phase, failure: error }, [{ kind: 'warn', text: error.message }]);
  }
  if (phase.name === 'pushing' && phase.arrived !== undefined)
    return withEffects(warned, onPushed(plan, state, { ...phase, isPushed: true }));
  return end(state, error, 'destination');
}

function onCancel(plan: MigrationPlan, state: MigrationState, reason: string): Step {
  const { phase } = state;
  if (isBeforeHandOver(phase))
    return fail(plan, state, new MicrostunError('CANCELLED', `cancelled: ${reason}`));
  // Whoever has heard of the doubt, or that nothing moves, and ends it nevertheless has decided.
  if (phase.name === 'handing-over' && phase.isInDoubt)
    return end(
      state,
      doubtError(`ended by ${reason} before the answer to the hand-over was learned`),
      'in doubt',
    );
  if (phase.name === 'pushing' && phase.stills > 0)
    return end(
      state,
      new MicrostunError('CANCELLED', `ended by ${reason} before all pages had left`),
      'destination',
    );
  const why =
    phase.name === 'handing-over'
      ? 'the hand-over is on its way: only the destination can still refuse it'
      : 'the destination owns the guest already';
  return { state, effects: [{ kind: 'decline-cancel', reason: why }] };
}

/** Before the hand-over every failure leaves the guest running here; after it, only a refusal brings it back. */
function fail(
  plan: MigrationPlan,
  state: MigrationState,
  error: MicrostunError,
  { isRefused = false } = {},
): Step {
  const { phase } = state;
  if (isBeforeHandOver(phase) || (phase.name === 'handing-over' && isRefused)) {
    const farewell: MigrationEffect[] =
      isRefused || state.link.name !== 'up' ? [] : [{ kind: 'send', message: cancelOf(error) }];
    const ended = end(state, error, 'source');
    return { state: ended.state, effects: [...farewell, { kind: 'release-guest' }, ...ended.effects] };
  }
  // What the destination says wrongly, or that it cannot go on, is no refusal.
  if (phase.name === 'handing-over') return doubt(plan, state, doubtError(error.message));
  return end(state, error, 'destination');
}

// A destination waits for the pages that its guest lacks, unless it hears that nobody brings them.
function takesPages({ phase, link }: MigrationState, error: MicrostunError, owner: Owner): MigrationEffect[] {
  const isAwaited = phase.name === 'pushing' && phase.arrived === undefined && owner === 'destination';
  return isAwaited && link.name === 'up' ? [{ kind: 'send', message: cancelOf(error) }] : [];
}

function end(state: MigrationState, error: MicrostunError, owner: Owner): Step {
  const outcome: Outcome = { kind: 'failed', error, owner, phase: state.phase.name };
  return enter(state, { name: 'ended', outcome }, [
    ...takesPages(state, error, owner),
    { kind: 'hang-up' },
    { kind: 'end', outcome },
  ]);
}

function awaitAudit(plan: MigrationPlan, state: MigrationState, before: readonly MigrationEffect[]): Step {
  if (!plan.audits) return complete(state, before);
  return enter(state, { name: 'awaiting-audit' }, [
    ...before,
    { kind: 'arm', timer: 'phase', ms: plan.auditMs },
  ]);
}

function complete(state: MigrationState, before: readonly MigrationEffect[] = []): Step {
  const outcome: Outcome = { kind: 'completed' };
  return enter(state, { name: 'ended', outcome }, [
    ...before,
    { kind: 'send', message: { name: 'FAREWELL' } },
    { kind: 'hang-up' },
    { kind: 'end', outcome },
  ]);
}

function outOfTurn(plan: MigrationPlan, state: MigrationState, name: MessageName): Step {
  return fail(
    plan,
    state,
    new MicrostunError(
      'PROTOCOL',
      `the destination sent ${name} while the migration was ${state.phase.name}`,
    ),
  );
}

function doubtError(why: string): MicrostunError {
  const code: ErrorCode = 'IN_DOUBT';
  return new MicrostunError(
    code,
    `${why}. The guest stands still here, with all of its memory. Look at the destination: if it runs the guest, end this source; the guest must not run at both`,
  );
}

function withEffects(before: readonly MigrationEffect[], step: Step): Step {
  return { state: step.state, effects: [...before, ...step.effects] };
}

function enter(state: MigrationState, phase: Phase, effects: readonly MigrationEffect[]): Step {
  return { state: { ...state, phase }, effects };
}

function withPagesDown(state: MigrationState): MigrationState {
  return state.phase.name === 'preparing'
    ? { ...state, phase: { ...state.phase, arePagesUp: false } }
    : state;
}

/** So long after the stop nothing but the hand-over is sent; less than a peer may go without a sign of life. */
export const STUN_QUIET_MS = 2000;

/** Whether a sign of life is asked for now: never within a stun, but for one that lasts so long that it has to be. */
export function wantsHeartbeat({ link, phase }: MigrationState, sinceStopMs: number): boolean {
  if (link.name !== 'up') return false;
  switch (phase.name) {
    // It sends PINGs of its own.
    case 'measuring-clock':
      return false;
    case 'stopping':
    case 'handing-over':
      return sinceStopMs > STUN_QUIET_MS;
    default:
      return true;
  }
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
    case 'stopping':
      return true;
    case 'handing-over':
    case 'pushing':
    case 'awaiting-audit':
    case 'ended':
      return false;
    default:
      return unreachable(phase);
  }
}
