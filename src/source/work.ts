// The work of an outgoing migration on its guest: traces, rounds, harvests, the stop, the push and the release.
// Each piece ends in an event; which piece comes next is not its business.
import type { Logger } from 'pino';
import { asMicrostunError, type MicrostunError } from '../shared/errors.js';
import type { EventQueue } from '../shared/event-queue.js';
import { GateKeeper } from '../shared/gate-keeper.js';
import { listenFailureOf } from '../shared/wire/listen-failure.js';
import type { MessageOf } from '../shared/wire/messages.js';
import type { OutgoingHands, PageCopiers, Tracer } from './hands.js';
import type { Measurement } from './measurement/measurement.js';
import type { RoundTotal } from './pages/copiers.js';
import { asLost } from './pages/page-loss.js';
import type { RoundKind } from './pages/round-manner.js';
import { RoundPace } from './pages/round-pace.js';
import { releaseGuest } from './release.js';
import type { EffectOf } from './states/effects.js';
import type { Helper, OutgoingEvent } from './states/events.js';
import type { MigrationPlan } from './states/plan.js';
import type { BitmapLogic, TraceMode } from './tracer/tracer.js';
import type { WorkProgress } from './work-progress.js';

export interface WorkOptions {
  readonly plan: MigrationPlan;
  readonly trace: TraceMode;
  readonly bitmapLogic: BitmapLogic;
}

export class Work {
  readonly copiers: PageCopiers;
  readonly tracer: Tracer;
  /** Of the gate that stands before the hand-over. */
  readonly gateKeeper = new GateKeeper<OutgoingEvent>('handed-over');
  readonly #hands: OutgoingHands;
  readonly #options: WorkOptions;
  readonly #measurement: Measurement;
  readonly #events: EventQueue<OutgoingEvent>;
  readonly #logger: Logger;
  /** The round that carries hashes and no pages, once it may begin. */
  #hashRound: number | undefined;
  /** What the last harvest found. */
  #dirtyPages = 0;
  /** What is carried, or was last. */
  #round: {
    /** Whether the guest runs beside it: then it may be stopped. */
    readonly isBesideGuest: boolean;
    readonly pages: number;
    readonly pagesBefore: number;
    readonly fromUs: number;
  } = { isBesideGuest: true, pages: 0, pagesBefore: 0, fromUs: 0 };
  /** Whether all page connections have been up once. */
  #werePagesUp = false;
  readonly #pace = new RoundPace();
  /** What had moved when the push was last looked at. */
  #movedBytes = 0;
  /** The destination needs no more pages, or gets none. */
  #isOver = false;

  constructor(
    hands: OutgoingHands,
    options: WorkOptions,
    measurement: Measurement,
    events: EventQueue<OutgoingEvent>,
    logger: Logger,
  ) {
    this.#hands = hands;
    this.#options = options;
    this.#measurement = measurement;
    this.#events = events;
    this.#logger = logger;
    const failedAs =
      (who: Helper) =>
      (error: MicrostunError): void => {
        events.push({ kind: 'failed', error, who });
      };
    this.tracer = hands.tracer(options.trace, this.gateKeeper.word, {
      takenOver: (receivedAt) => {
        events.push({ kind: 'taken-over', receivedAt });
      },
      lost: (error) => {
        // A destination that needs no more pages hangs up; that is how a good migration ends. Dials are many.
        const isNews = !this.#isOver && error.code !== 'CONNECT_FAILED';
        logger[isNews ? 'warn' : 'debug'](error.message);
        events.push({ kind: 'faults-lost', error });
      },
      failed: failedAs('tracer'),
    });
    this.copiers = hands.copiers({
      connected: () => {
        this.#werePagesUp = true;
        events.push({ kind: 'pages-connected' });
      },
      roundPlaced: (total) => {
        this.#onRoundPlaced(total);
      },
      lost: (error) => {
        events.push({ kind: 'pages-lost', error: this.#werePagesUp ? asLost(error) : error });
      },
      failed: failedAs('copiers'),
    });
  }

  // ---- Before the stop -------------------------------------------------------------------------------------------

  /** What dials the page and fault connections has failed if `dialled` has. */
  dialPages(dialled: Promise<void>): void {
    dialled.catch((error: unknown) => {
      this.#events.push({ kind: 'failed', error: listenFailureOf(asMicrostunError(error, 'WORKER_FAILED')) });
    });
  }

  /** Dials again what was lost of the page and fault connections. */
  reconnect(): void {
    this.copiers.reconnect();
    this.tracer.reconnect();
  }

  /** Dials all of them anew. */
  redial(): void {
    this.copiers.redial();
    this.tracer.redial();
  }

  /** Every page is traced from then on; the gaps that this makes in the guest's running are watched. */
  installTraces(): void {
    this.#hands.guest.watchGaps();
    this.#start(this.#installTraces());
  }

  async #installTraces(): Promise<OutgoingEvent> {
    const { dirtyPages, durationMs } = await this.tracer.installTraces();
    this.#measurement.installMs = durationMs;
    this.#dirtyPages = dirtyPages;
    return { kind: 'traces-installed' };
  }

  copyRound(round: number): void {
    this.#carry(round, 'beside-guest');
  }

  stopRound(round: number): void {
    this.copiers.stopRound(round);
  }

  harvest(keepsRest: boolean): void {
    this.#start(this.#harvest(keepsRest));
  }

  async #harvest(keepsRest: boolean): Promise<OutgoingEvent> {
    const { dirtyPages } = await this.tracer.harvest(keepsRest);
    this.#dirtyPages = dirtyPages;
    return { kind: 'harvested', dirtyPages };
  }

  throttle(share: number): void {
    this.#hands.guest.safepoints.throttle(share);
    this.#measurement.noteThrottle(share);
  }

  // ---- The stun and what follows ---------------------------------------------------------------------------------

  switchOver(how: EffectOf<'switch-over'>): void {
    this.gateKeeper.gate.open();
    this.#start(this.#switchOver(how));
  }

  async #switchOver({ round, why, pagesFollow, pagesMax }: EffectOf<'switch-over'>): Promise<OutgoingEvent> {
    const { guest } = this.#hands;
    const before = guest.counters();
    const { bitmapLogic, plan } = this.#options;
    const everything = plan.mode === 'post-copy';
    const handOver = { vcpus: guest.spec.vcpus, round, pagesFollow };
    try {
      const departed = await this.tracer.switchOver({
        round,
        pagesFollow,
        pagesMax,
        aheadMax: this.#pace.aheadMax,
        logic: bitmapLogic,
        everything,
        aheadUs: this.#measurement.aheadUs,
      });
      this.#dirtyPages = departed.last.dirtyPages;
      const isTooMuch = departed.pagesFollow && !pagesFollow;
      this.#measurement.noteStopped({ ...departed, why: isTooMuch ? 'throttle not enough' : why, before });
      return { kind: 'handed-over', handOver: { ...handOver, pagesFollow: departed.pagesFollow } };
    } catch (error) {
      // The tracer has failed with the hand-over on its way, and cannot tell of it: it is handed over all the same. Whether
      // its pages follow is not known then. Held to follow, they are nobody's to forget: this failure decides.
      if (this.gateKeeper.gate.isPassed)
        return { kind: 'handed-over', handOver: { ...handOver, pagesFollow: true } };
      throw error;
    }
  }

  copyRest(round: number): void {
    this.#carry(round, 'last');
  }

  push(round: number): void {
    this.#carry(round, 'push');
  }

  /** All pages are there: what they are here, where nobody writes them any more, follows as hashes. */
  hashPages(round: number): void {
    this.#hashRound = round;
    // The last pages are there; their acknowledgement may still be on its way to this thread.
    if (!this.copiers.isCopying) this.copiers.copyRound(round, 'hashes');
  }

  /** The guest runs at the destination; what it was here is known now. */
  noteResumed(message: MessageOf<'RESUMED'>, receivedAt: number): void {
    const { guest } = this.#hands;
    const parked = { counters: guest.counters(), gaps: guest.gapCounts() };
    this.#measurement.noteResumed({ message, receivedAt, parked });
  }

  /** The guest stays here, and nothing of it may be asked for any more. */
  async releaseGuest(): Promise<void> {
    this.#isOver = true;
    const release = await releaseGuest(this.#hands.guest, this.tracer);
    this.#logger.info(release, 'the guest stays here');
  }

  // ---- What is carried -------------------------------------------------------------------------------------------

  #carry(round: number, kind: RoundKind): void {
    this.#round = {
      isBesideGuest: kind === 'beside-guest',
      pages: this.#dirtyPages,
      pagesBefore: this.copiers.progress.pages,
      fromUs: this.#hands.time.nowUs(),
    };
    this.copiers.copyRound(round, kind);
  }

  #onRoundPlaced(total: RoundTotal): void {
    if (total.round === this.#hashRound) {
      this.#measurement.noteHashes(total.framingBytes);
      this.#events.push({ kind: 'hashes-placed' });
      return;
    }
    const { isBesideGuest, fromUs } = this.#round;
    const carriedPages = total.sentPages + total.zeroPages;
    // A round that was stopped counts as one of what it carried. A push may carry less: faults took the rest.
    const givenPages = isBesideGuest ? Math.min(this.#dirtyPages, carriedPages) : this.#dirtyPages;
    const durationMs = (this.#hands.time.nowUs() - fromUs) / 1000;
    this.#pace.note(carriedPages, durationMs);
    const facts = this.#measurement.noteRound(total, givenPages, durationMs);
    this.#logger.debug(facts, 'round');
    this.#events.push({ kind: 'round-placed', facts, keptPages: this.#dirtyPages - givenPages });
    if (this.#hashRound !== undefined) this.copiers.copyRound(this.#hashRound, 'hashes');
  }

  /** Begins to watch whether pages move, pushed or asked for. */
  watchMoves(): void {
    this.#movedBytes = this.#allMovedBytes;
  }

  /** Whether any have since. */
  get haveMoved(): boolean {
    return this.#allMovedBytes !== this.#movedBytes;
  }

  get #allMovedBytes(): number {
    return this.copiers.movedBytes + this.tracer.movedBytes;
  }

  get progress(): WorkProgress {
    const { pages, bytes } = this.copiers.progress;
    const { fromUs, pagesBefore, pages: roundPages } = this.#round;
    return {
      roundPages,
      roundPagesSent: pages - pagesBefore,
      sentBytes: bytes,
      dirtyPages: this.#dirtyPages,
      roundElapsedMs: fromUs === 0 ? 0 : (this.#hands.time.nowUs() - fromUs) / 1000,
    };
  }

  // Work that ends in an event; what it throws is an event too.
  #start(work: Promise<OutgoingEvent>): void {
    work.then(
      (event) => {
        this.#events.push(event);
      },
      (error: unknown) => {
        this.#events.push({ kind: 'failed', error: asMicrostunError(error, 'WORKER_FAILED') });
      },
    );
  }

  async close(): Promise<void> {
    this.#isOver = true;
    await Promise.all([this.tracer.close(), this.copiers.close()]);
  }
}
