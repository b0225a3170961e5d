// Every time and bound that both hosts' conduct hangs on: how long a peer is waited for, how much it may make us hold, and
// who gives up first. What belongs to one algorithm (a ring, a batch, how often somebody looks) stands beside it.
import { assert } from './errors.js';
import { BODY_BYTES_MAX } from './frame-limits.js';

/** A relation between two times or sizes, which holds or the program does not start. */
function below(lesser: number, greater: number, claim: string): void {
  assert(lesser < greater, claim);
}

// ---- Signs of life on a control connection ----------------------------------------------------------------------

/** Pause between signs of life. */
export const HEARTBEAT_MS = 1000;

/** A peer that says nothing for so long is taken for dead. */
export const SILENCE_MS_MAX = 5000;

/** So long after the stop the source sends nothing but the hand-over: what else it says costs the guest stun. */
export const STUN_QUIET_MS = 2000;
below(
  STUN_QUIET_MS + 2 * HEARTBEAT_MS,
  SILENCE_MS_MAX,
  'a source that is quiet in a stun, and whose next sign of life is late, is not taken for dead',
);

/** A peer that vanished without a word is noticed after this long by the operating system's keep-alive. */
export const KEEP_ALIVE_MS = SILENCE_MS_MAX;

/** One exchange of the clock's measurement: longer than any emulated round trip, and than a dead peer is unnoticed. */
export const PONG_MS_MAX = 2 * SILENCE_MS_MAX;

// ---- Dialling and greeting --------------------------------------------------------------------------------------

/** A control connection's dial. */
export const CONTROL_DIAL_MS_MAX = 5000;

/** Pauses before a control connection is dialled again: the first, doubled each time up to the longest. */
export const CONTROL_RETRY_MS = 50;
export const CONTROL_RETRY_MS_MAX = 1000;

/** A page or fault connection's dial. One lost packet is made good in it; one that cannot be made is told so soon. */
export const PAGES_DIAL_MS_MAX = 2500;

/** Pause before page and fault connections that were lost are dialled again. */
export const PAGES_RETRY_MS = 100;

/**
 * From the first dial to the source that failed until the source is told that it cannot be reached, if none has
 * succeeded by then.
 */
export const UNREACHABLE_MS = 1500;
below(
  UNREACHABLE_MS + PAGES_DIAL_MS_MAX,
  SILENCE_MS_MAX,
  'a source hears that it cannot be reached before anything else seems wrong',
);

/** A source that takes a page or fault connection and does not welcome us for so long is dialled again. */
export const WELCOME_MS_MAX = 5000;

/** A TLS handshake, on the accepting end: a few round trips, on a busy host too. */
export const HANDSHAKE_MS_MAX = 5000;

/** A caller whose greeting is not whole after this is dropped, however it comes. */
export const GREETING_MS_MAX = 6000;
below(
  WELCOME_MS_MAX,
  GREETING_MS_MAX,
  'whoever dialled gives up a greeting that got lost before whoever accepted',
);

/** A source says what it brings as soon as it is welcome; meanwhile it holds the destination's only place. */
export const GREETED_MS_MAX = 15_000;
below(
  SILENCE_MS_MAX + CONTROL_DIAL_MS_MAX,
  GREETED_MS_MAX,
  'a source whose welcome was lost has dialled anew before its place is given away',
);

/** Connections that one turn of the event loop accepts: as many as the kernel keeps for a socket that listens. */
const BACKLOG = 511;

/**
 * Connections that may be open at a door without being welcome: not greeted yet, refused, or told how their migration
 * ended; a few KiB each. One more takes the place of another (strangers.ts), so that a crowd of them keeps nobody out who
 * greets at once.
 */
export const STRANGERS_MAX = 1024;
below(
  BACKLOG,
  STRANGERS_MAX,
  'what a caller said is read before as many others have come as would take its place',
);

/**
 * Of these, so many may be in a TLS handshake, which takes 60 to 70 KiB each and, of who has the key, a few round trips. One
 * more takes the place of another.
 */
export const HANDSHAKES_MAX = 128;
below(HANDSHAKES_MAX, STRANGERS_MAX, 'those who shake hands are fewer than those who stand at the door');

// ---- Page connections that stand still --------------------------------------------------------------------------

/** The source gives up a page connection on which the peer's host acknowledged nothing of what is under way. */
export const STILL_MS_MAX = 8000;

/**
 * The same where the kernel does not say what was acknowledged. It takes more only once about a third of a full send
 * buffer (4 MiB unless the host says otherwise) has left: a minute at 200 kbit/s. A destination that is there sees what
 * comes, byte by byte, and dials anew long before.
 */
export const UNSEEN_STILL_MS_MAX = 60_000;

/** The destination dials anew page connections on which no byte comes for so long while something has to. */
export const STALL_MS_MAX = 8000;
below(SILENCE_MS_MAX, STALL_MS_MAX, 'a dead peer is found out by its silence, and not by its pages');
below(STALL_MS_MAX, UNSEEN_STILL_MS_MAX, 'a destination that is there dials anew before its source gives up');

// ---- Ends ---------------------------------------------------------------------------------------------------------

/** A connection that was ended, and that its peer does not close, is destroyed after this: a goodbye waits for nobody. */
export const ENDED_MS_MAX = 5000;

/** A caller that is told how its migration ended, and does not hang up, is sent away after this. */
export const TOLD_MS_MAX = 10_000;
below(
  SILENCE_MS_MAX,
  TOLD_MS_MAX,
  'who is told and dies is found out by its silence, who lives has time to read',
);

/** A worker with a connection that was asked to end is ended after this: its peer may keep the connection half open. */
export const WORKER_END_MS_MAX = 2000;

// ---- Who gives up first -------------------------------------------------------------------------------------------

/** So much longer than the source tries to come back the destination waits for it: the source gives up first, and decides. */
const WAITS_LONGER = 1.5;

/** How long a destination waits for a source that may try for `reconnectMs` to come back. */
export function sourceAwaitedMs(reconnectMs: number): number {
  return WAITS_LONGER * reconnectMs;
}

/** How long a push may move no page, over connections that may stay lost for `reconnectMs` each. */
export function pushStillMs(reconnectMs: number): number {
  return STILLS_PER_RECONNECT * reconnectMs;
}
/** Connections that are lost are given up several times over within it. */
const STILLS_PER_RECONNECT = 3;
below(
  WAITS_LONGER,
  STILLS_PER_RECONNECT,
  'a side that stays away is given up before a push that moves nothing',
);

/** The destination prepares for so long; and its source, which is to hear why that failed, waits longer. */
export const PREPARING_MS_MAX = 55_000;
export const PREPARED_MS_MAX = 60_000;
below(
  PREPARING_MS_MAX + SILENCE_MS_MAX,
  PREPARED_MS_MAX + 1,
  'a source hears why its destination is not ready',
);

/** The destination audits for so long; and its source, which is to hear of it, waits longer. */
export const AUDITING_MS_MAX = 540_000;
export const AUDITED_MS_MAX = 600_000;
below(AUDITING_MS_MAX + SILENCE_MS_MAX, AUDITED_MS_MAX + 1, 'a source hears that an audit did not end');

/** A verification may take so long, and so much longer for each so many bytes of the guest: reading them takes no more. */
const VERIFIED_MS_MAX = 600_000;
const HASHED_BYTES_PER_MS_MIN = 50_000;

/** How long the hashes of so many bytes may be waited for. */
export function verifiedMsMax(bytes: number): number {
  return VERIFIED_MS_MAX + bytes / HASHED_BYTES_PER_MS_MIN;
}

/**
 * So long after the hand-over each side's main thread may be left asleep: what it would do takes a core from the vCPUs that
 * begin to run.
 */
export const HANDED_OVER_QUIET_MS = 2;

/** A source asks again for the answer to a hand-over that did not come for so long; then it is in doubt. */
export const ANSWER_MS_MAX = SILENCE_MS_MAX;

/** A hand-over that waits behind a raw bitmap has longer: so much of it a second comes over the slowest link that is thought of. */
const BITMAP_BYTES_PER_SECOND_MIN = 4e6;

/** How long the answer to a hand-over may take behind so many bytes of a bitmap, before it is asked for again. */
export function answerMsMax(bitmapBytes: number): number {
  return ANSWER_MS_MAX + (bitmapBytes / BITMAP_BYTES_PER_SECOND_MIN) * 1000;
}

/** In doubt, the pause after an answer that is none: it will hardly be another the next time, and costs a hand-over. */
export const NO_ANSWER_MS = 10_000;

/** The last pages of a hand-over are placed within this. */
export const PLACEMENT_MS_MAX = 60_000;

/** A guest may be asked before its stop for so long: what waits for it is a place at the destination. */
export const NOTICE_MS_MAX = 60_000;

/** What a run of several migrations may take beyond its own limits: a busy machine, slow memory, connections made again. */
const RUN_SLACK_MS = 10 * 60_000;

/** When a run counts as stuck: `once` comes once in it; `twice` at either end, or before a cut and after. */
export function stuckRunMs(once: readonly number[], twice: readonly number[]): number {
  const sum = (times: readonly number[]): number => times.reduce((total, ms) => total + ms, 0);
  return RUN_SLACK_MS + sum(once) + 2 * sum(twice);
}

// ---- Sizes ----------------------------------------------------------------------------------------------------------

/** Page connections of a migration. */
export const CONNECTIONS_MAX = 16;

/** Pages that were found to differ, and are named. */
export const MISMATCHES_TOLD_MAX = 64;

/** Rounds have numbers of their own, pushes after a cut among them. */
export const ROUNDS_MAX = 1_000_000;

/**
 * PAGE_WANTED that may be unanswered on the fault connection: each of at most 64 vCPUs waits for one page, and
 * so does a device thread.
 */
export const REQUESTS_MAX = 65;

/** PAGE_SENT that a source may send unasked, right behind a hand-over: a megabyte, a few for each of some hundred clients. */
export const PAGES_AHEAD_MAX = 256;

/** Bytes that may be queued: at more than `highBytes` the writer waits until there are no more than `lowBytes`. */
export interface WaterMarks {
  readonly highBytes: number;
  readonly lowBytes: number;
}

/** Answers that a peer was sent and has not taken: while there are more nothing of it is read, lest it only ask. */
export const ANSWERS_QUEUED: WaterMarks = { highBytes: 1 << 20, lowBytes: 1 << 18 };

/**
 * Pages written and not yet taken by the kernel: bounds memory, and how stale a page can be. The next frames are made
 * while the last ones leave.
 */
export const PAGES_QUEUED: WaterMarks = { highBytes: 8 << 20, lowBytes: 4 << 20 };
below(
  BODY_BYTES_MAX.PAGES,
  PAGES_QUEUED.highBytes - PAGES_QUEUED.lowBytes,
  'a frame of pages is ready before the last ones have left',
);

/** The same of pages that are copied first, so that a check fits them: the copies take this much memory and little more. */
export const STAGED_QUEUED: WaterMarks = { highBytes: 4 << 20, lowBytes: 1 << 20 };
below(
  BODY_BYTES_MAX.PAGES,
  STAGED_QUEUED.highBytes - STAGED_QUEUED.lowBytes + 1,
  'a frame of pages is copied before the last ones have left',
);

/** The same of a push: pages that a vCPU waits for leave before what is not even written yet. */
export const PUSH_QUEUED: WaterMarks = { highBytes: 2 << 20, lowBytes: 1 << 20 };

/** Pages of a push's frames: what lies between a fault and the next look at whether there is one. */
export const PUSHED_PAGES_MAX = 128;
below(
  PUSHED_PAGES_MAX * 4096,
  PUSH_QUEUED.highBytes - PUSH_QUEUED.lowBytes,
  'a frame of the push is ready before the last ones have left',
);
