// How long the source's phases may take that neither the user nor the network bounds, and what is said when they do not
// end. Numbers and sentences only.
import { MicrostunError } from '../../shared/errors.js';
import { PONG_MS_MAX, pushStillMs, NO_ANSWER_MS } from '../../shared/limits.js';

export interface PhaseLimits {
  /** One exchange of the clock's measurement. */
  readonly pongMs: number;
  readonly installMs: number;
  readonly harvestMs: number;
  /** From the command to park to the checkpoint. */
  readonly stopMs: number;
  /** A round that was stopped: what was queued of it, and its acknowledgement. */
  readonly stoppedRoundMs: number;
  /** How long no page may move in the push before that is said, or ends it. */
  readonly pushStillMs: number;
  /** So many times `pushStillMs` a destination may answer and take no page. */
  readonly stillsMax: number;
  /** So many times `doubtMs` a destination may be there and not answer the hand-over. */
  readonly doubtsMax: number;
  /** In doubt, the pause after a destination said what is no answer. */
  readonly noAnswerMs: number;
}

/** Traces and harvests of the largest guest take tens of milliseconds and a grace period, which a slice may hold up. */
const TRACER_MS_MAX = 30_000;
/** Other vCPUs stand still meanwhile: a guest whose slice does not end is not stopped for longer. */
const STOP_MS_MAX = 10_000;
/** Some MiB are queued a connection; a slow link takes minutes for them, and a link that is dead is lost before. */
const STOPPED_ROUND_MS_MAX = 600_000;
const STILLS_MAX = 10;
const DOUBTS_MAX = 20;

/** The limits of a migration whose lost connections may stay lost for `reconnectMs`. */
export function phaseLimits(reconnectMs: number): PhaseLimits {
  return {
    pongMs: PONG_MS_MAX,
    installMs: TRACER_MS_MAX,
    harvestMs: TRACER_MS_MAX,
    stopMs: STOP_MS_MAX,
    stoppedRoundMs: STOPPED_ROUND_MS_MAX,
    pushStillMs: pushStillMs(reconnectMs),
    stillsMax: STILLS_MAX,
    doubtsMax: DOUBTS_MAX,
    noAnswerMs: NO_ANSWER_MS,
  };
}

/** A phase that `PhaseLimits` bounds before the hand-over. */
export type LimitedPhase = 'measuring-clock' | 'installing-traces' | 'copying' | 'harvesting' | 'stopping';

/** What is said when it does not end. */
export function phaseTimeoutError(phase: LimitedPhase, limits: PhaseLimits): MicrostunError {
  const seconds = (ms: number): string => `${ms / 1000} s`;
  switch (phase) {
    case 'measuring-clock':
      return new MicrostunError(
        'TIMEOUT',
        `the destination answered no PING for ${seconds(limits.pongMs)}; see whether it is stopped, then migrate again`,
      );
    case 'installing-traces':
      return new MicrostunError(
        'TIMEOUT',
        `the traces were not installed within ${seconds(limits.installMs)}; ${STUCK}`,
      );
    case 'harvesting':
      return new MicrostunError(
        'TIMEOUT',
        `a harvest did not end within ${seconds(limits.harvestMs)}; ${STUCK}`,
      );
    case 'stopping':
      return new MicrostunError(
        'TIMEOUT',
        `the guest did not stop within ${seconds(limits.stopMs)}; ${STUCK}`,
      );
    case 'copying':
      return new MicrostunError(
        'TIMEOUT',
        `the round that --time-limit stopped was not acknowledged within ${seconds(limits.stoppedRoundMs)}; migrate again`,
      );
  }
}

const STUCK = 'a slice of the guest does not end: mend the guest program';
