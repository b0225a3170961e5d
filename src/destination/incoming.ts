// One incoming migration: drives its state machine with its control connection, receivers and machine.
// Decides nothing by itself; every decision is in states/.
import type { Logger } from 'pino';
import { Belongings } from '../shared/belongings.js';
import {
  assert,
  asMicrostunError,
  messageOf,
  MicrostunError,
  ProtocolError,
  unreachable,
} from '../shared/errors.js';
import { EventQueue } from '../shared/event-queue.js';
import { pairsOf } from '../shared/guest/gap-buckets.js';
import type { AuditResult } from '../shared/guest/guest-program.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import { quantileOf } from '../shared/guest/fault-latency.js';
import { viewMemory } from '../shared/memory/layout.js';
import { PageBitmap } from '../shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState } from '../shared/memory/pages.js';
import { markAbsent } from '../shared/memory/placement.js';
import type { Cancellable, Time } from '../shared/time.js';
import { hostTime, Timers } from '../shared/timers.js';
import { SILENCE_MS_MAX } from '../shared/wire/message-connection.js';
import type { ControlConnection, UnclaimedConnection } from '../shared/wire/control.js';
import type { Message, MessageOf, RefusalCode } from '../shared/wire/messages.js';
import { checkHandOver, checkLastRound } from './states/hand-over-check.js';
import { Preparation, type PreparationParts } from './preparation.js';
import { HandOverRehearsal } from './rehearsal.js';
import { checkRoom, type Room } from './room.js';
import { STALL_MS_MAX, StallWatch } from './pages/stall-watch.js';
import type { IncomingEffect, IncomingEvent, TimerName } from './states/events.js';
import { isMissed } from './states/lacking.js';
import type { IncomingLimits } from './states/limits.js';
import { lastMessages } from './states/outcome.js';
import { isHandedOver, isRefusable, type Outcome, type IncomingState } from './states/states.js';
import { beginIncoming, stepIncoming } from './states/step.js';

export interface IncomingOptions {
  readonly limits: IncomingLimits;
  /** What there is room for; asked when a guest comes, and not before. */
  readonly room: () => Room;
  readonly logger: Logger;
  /** What a place for a guest is made of; the real workers, but in a test. */
  readonly parts?: PreparationParts;
}

/** How a migration ended here; a guest that runs here comes with its machine. */
export type IncomingResult =
  | { readonly kind: 'running'; readonly machine: GuestMachine; readonly isSourceGone: boolean }
  | Extract<Outcome, { kind: 'refused' }>
  /** The guest is parked with `lost` pages missing, as runs [first, pastLast). */
  | { readonly kind: 'pages-lost'; readonly machine: GuestMachine; readonly error: MicrostunError }
  | (Extract<Outcome, { kind: 'failed' }> & { readonly machine: GuestMachine });

/** So many runs of lost pages are named in the error; a guest that is kept parked can be asked for the rest. */
const LOST_RUNS_NAMED = 20;

/** A timer that is so much late was held up: the process, or its host, stood still. */
const SLEPT_MS = 1000;

/** Samples are not queued behind more than this: three of the largest. */
const SAMPLES_QUEUED_BYTES_MAX = 64 * 1024;

export class IncomingMigration {
  readonly id: string;
  readonly #options: IncomingOptions;
  readonly #time: Time;
  readonly #logger: Logger;
  readonly #events = new EventQueue<IncomingEvent>();
  readonly #timers: Timers<TimerName>;
  #state: IncomingState = beginIncoming();
  #control: ControlConnection | undefined;
  #sourceHost = '';
  readonly #preparation: Preparation;
  readonly #auditing = new Belongings();
  #isFetcherLost = false;
  /** Whether the source was ever reached for pages, and for faults. */
  #wereReceiversUp = false;
  #wasFetcherUp = false;
  #rehearsal: HandOverRehearsal | undefined;
  #lacking: PageBitmap | undefined;
  #resumedAt = 0;
  /** When the timer `farewell` is due, and how many pages were lacking when it was armed. */
  #farewellDueAt = 0;
  #lackedAtFarewell = 0;
  #stallWatch: Cancellable | undefined;
  #outcome: Outcome | undefined;
  #guestFailure: MicrostunError | undefined;
  #onGuestFailure: ((error: MicrostunError) => void) | undefined;
  /** Instants of the hand-over, in order. */
  #receivedAt = 0;
  #validatedAt = 0;

  constructor(id: string, options: IncomingOptions, time = hostTime) {
    this.id = id;
    this.#time = time;
    this.#options = options;
    this.#logger = options.logger.child({ migration: id });
    this.#preparation = this.#newPreparation();
    this.#timers = new Timers(this.#time, (timer) => {
      const isHeard = timer === 'farewell' && this.#isSourceHeard();
      this.#events.push(isHeard ? { kind: 'source-heard' } : { kind: 'timer', timer });
    });
  }

  /** Whether the guest is this side's, and its migration is not over. */
  get isHandedOver(): boolean {
    return isHandedOver(this.#state);
  }

  /** Whether its guest waits for pages that a source has which is away. */
  get isSourceMissed(): boolean {
    return isMissed(this.#state);
  }

  get state(): IncomingState['name'] {
    return this.#state.name;
  }

  /** What a source that comes back after the end is told. */
  get lastMessages(): Message[] {
    return lastMessages(this.#state);
  }

  /** Whether its source went away before the hand-over: it may come back, but another migration may take the place. */
  get isAbandoned(): boolean {
    return this.#control === undefined && isRefusable(this.#state);
  }

  /** Takes a greeted and welcomed control connection, the first one or a new one; the old one is dropped. */
  attach(offered: UnclaimedConnection): void {
    this.#control?.destroy();
    const control = offered.claim({
      received: ({ message, receivedAt }) => {
        if (this.#control === control) this.#events.push({ kind: 'received', message, receivedAt });
      },
      backlog: () => this.#events.length,
      closed: (error) => {
        if (this.#control !== control) return;
        this.#control = undefined;
        this.#events.push({
          kind: 'control-lost',
          error: error ?? new MicrostunError('CONNECTION_LOST', 'hung up'),
        });
      },
    });
    control.expectLife(SILENCE_MS_MAX);
    this.#control = control;
    this.#sourceHost = offered.peerHost;
    this.#events.push({ kind: 'attached' });
  }

  /** Asks to cancel: honoured until the hand-over has come, and while the guest lacks pages and its source is away. */
  cancel(reason: string): void {
    this.#events.push({ kind: 'cancel', reason });
  }

  /** Runs the migration to its end. Never rejects for what the world did. */
  async run(): Promise<IncomingResult> {
    while (this.#outcome === undefined) {
      const event = await this.#events.next();
      const before = this.#state.name;
      const step = stepIncoming(this.#options.limits, this.#state, event);
      this.#state = step.state;
      if (step.state.name !== before)
        this.#logger.debug({ state: step.state.name, event: event.kind }, 'state');
      for (const effect of step.effects) this.#perform(effect);
    }
    return this.#finish(this.#outcome);
  }

  async #finish(outcome: Outcome): Promise<IncomingResult> {
    this.#timers.disarmAll();
    this.#stallWatch?.cancel();
    // The set-up may be under way still: it ends, and all that it made ends with it.
    await Promise.all([this.#preparation.close(outcome.kind !== 'refused'), this.#auditing.close()]);
    switch (outcome.kind) {
      case 'refused':
        return outcome;
      case 'running': {
        const machine = this.#machineOf();
        // Its source may have gone while it was parked for its audit.
        if (machine.isStopped) await machine.resume();
        return { ...outcome, machine };
      }
      case 'pages-lost': {
        const machine = this.#machineOf();
        return { kind: 'pages-lost', machine, error: this.#parkIncomplete(machine) };
      }
      case 'failed':
        return { ...outcome, machine: this.#machineOf() };
      default:
        return unreachable(outcome);
    }
  }

  /** From the end of `run` on, failures of the guest are told here; one that came before is told at once. */
  onGuestFailure(listener: (error: MicrostunError) => void): void {
    this.#onGuestFailure = listener;
    if (this.#guestFailure !== undefined) listener(this.#guestFailure);
  }

  #perform(effect: IncomingEffect): void {
    switch (effect.kind) {
      case 'send':
        this.#control?.send(effect.message);
        return;
      case 'pong':
        this.#control?.send({ name: 'PONG', sentAt: effect.sentAt, answeredAt: this.#time.nowUs() });
        return;
      case 'hang-up':
        this.#hangUp();
        return;
      case 'prepare':
        this.#start(this.#prepare(effect.prepare), 'GUEST_FAILED');
        return;
      case 'validate':
        this.#receivedAt = effect.receivedAt;
        this.#events.push(this.#validate(effect.prepare, effect.handOver));
        return;
      case 'confirm':
        this.#events.push(this.#confirm(effect.handOver));
        return;
      case 'resume':
        this.#start(this.#resume(effect.handOver), 'GUEST_FAILED');
        return;
      case 'reconnect-pages':
        this.#preparation.receivers?.reconnect();
        this.#preparation.fetcher?.reconnect();
        return;
      case 'settle':
        this.#preparation.fetcher?.settle();
        return;
      case 'report-source':
        this.#reportSource(effect.isAway);
        return;
      case 'audit':
        this.#start(this.#audit(), 'GUEST_FAILED');
        return;
      case 'stop-audit':
        this.#start(this.#auditing.close().then(nothing), 'GUEST_FAILED');
        return;
      case 'arm':
        if (effect.timer === 'farewell') {
          this.#farewellDueAt = this.#time.nowUs() + effect.ms * 1000;
          this.#lackedAtFarewell = this.#preparation.machine?.safepoints.lackingPages ?? 0;
        }
        this.#timers.arm(effect.timer, effect.ms);
        return;
      case 'disarm':
        this.#timers.disarm(effect.timer);
        return;
      case 'end':
        this.#outcome = effect.outcome;
        return;
      default:
        unreachable(effect);
    }
  }

  #reportSource(isAway: boolean): void {
    if (!isAway) {
      this.#logger.warn(`the source ${this.#sourceHost} is back, and brings the pages that the guest lacks`);
      return;
    }
    const machine = this.#machineOf();
    const seconds = this.#options.limits.farewellMs / 1000;
    this.#logger.warn(
      `the source ${this.#sourceHost} has been away for ${seconds} s, and the guest lacks ` +
        `${machine.safepoints.lackingPages} of its ${viewMemory(machine.shared.memory).pageCount} pages. It is waited ` +
        'for and dialled again; the guest runs on, and a vCPU that needs one of those pages waits. Bring the source ' +
        'back, or interrupt this process to give them up',
    );
  }

  // Pages come over connections of their own. And whoever was stopped could hear nothing: what is queued comes now.
  #isSourceHeard(): boolean {
    const lacks = this.#preparation.machine?.safepoints.lackingPages ?? 0;
    return lacks !== this.#lackedAtFarewell || this.#time.nowUs() - this.#farewellDueAt > SLEPT_MS * 1000;
  }

  #start(work: Promise<IncomingEvent | undefined>, code: RefusalCode): void {
    work.then(
      (event) => {
        if (event !== undefined) this.#events.push(event);
      },
      (error: unknown) => {
        this.#events.push({
          kind: 'declined',
          code: refusalCodeOf(error, code),
          error: asMicrostunError(error, 'GUEST_FAILED'),
        });
      },
    );
  }

  #hangUp(): void {
    const control = this.#control;
    this.#control = undefined;
    control?.end();
  }

  async #prepare(prepare: MessageOf<'PREPARE'>): Promise<IncomingEvent | undefined> {
    const { guest, pagePorts } = prepare;
    checkRoom(prepare, this.#options.room());
    if (guest.memoryBytes % PAGE_BYTES !== 0)
      throw new ProtocolError(`guest memory of ${guest.memoryBytes} bytes is no whole number of pages`);
    if (pagePorts.length === 0) throw new ProtocolError('a migration needs a page connection');
    this.#rehearsal = new HandOverRehearsal(guest);
    this.#rehearsal.rehearse();
    return {
      kind: 'prepared',
      preparedMs: await this.#preparation.run(prepare, this.#sourceHost, this.id),
    };
  }

  #newPreparation(): Preparation {
    const helperFailed = (error: MicrostunError): void => {
      this.#logger.warn(error.message);
      this.#events.push({ kind: 'helper-failed', error });
    };
    const allArrived = (): void => {
      this.#events.push({ kind: 'all-arrived' });
    };
    return new Preparation(
      {
        failed: (error) => {
          this.#guestFailure ??= error;
          this.#onGuestFailure?.(error);
          this.#events.push({ kind: 'failed', error });
        },
        samplingFailed: (error) => {
          this.#logger.warn(error.message);
        },
        sampled: (samples) => {
          // A source that does not read gets none: they are not kept for it.
          if ((this.#control?.queuedBytes ?? Infinity) < SAMPLES_QUEUED_BYTES_MAX)
            this.#events.push({ kind: 'sampled', samples });
        },
        receivers: {
          roundPlaced: (round, pages) => {
            this.#events.push({ kind: 'round-placed', round, pages });
            // The hand-over may come next; until then there is nothing to do here.
            if (this.#state.name === 'receiving') this.#rehearsal?.refresh();
          },
          allArrived,
          connected: (isWhole) => {
            this.#wereReceiversUp ||= isWhole;
            if (isWhole && !this.#isFetcherLost) this.#events.push({ kind: 'pages-connected' });
          },
          moved: () => {
            this.#events.push({ kind: 'pages-moved' });
          },
          lost: (error) => {
            this.#events.push(pagesLost(error, this.#wereReceiversUp));
          },
          failed: helperFailed,
          outOfTurn: (error) => {
            this.#events.push({ kind: 'out-of-turn', error });
          },
        },
        fetcher: {
          allArrived,
          settled: (fetchedPages) => {
            this.#events.push({ kind: 'settled', answer: this.#arrived(this.#machineOf(), fetchedPages) });
          },
          connected: () => {
            this.#isFetcherLost = false;
            this.#wasFetcherUp = true;
            this.#events.push({ kind: 'pages-connected' });
          },
          lost: (error) => {
            this.#isFetcherLost = true;
            this.#events.push(pagesLost(error, this.#wasFetcherUp));
          },
          failed: helperFailed,
        },
      },
      this.#options.parts,
    );
  }

  #machineOf(): GuestMachine {
    const { machine } = this.#preparation;
    assert(machine !== undefined, `a machine is made before the guest is ${this.#state.name}`);
    return machine;
  }

  #arrived(machine: GuestMachine, fetchedPages: number): MessageOf<'ARRIVED'> {
    const { remoteFaults, faultBuckets, longestFaultUs } = machine.counters();
    return {
      name: 'ARRIVED',
      pushedPages: (this.#lacking?.count() ?? 0) - fetchedPages,
      fetchedPages,
      remotePageFaults: remoteFaults,
      latencyP50Us: Math.min(longestFaultUs, quantileOf(faultBuckets, 0.5)),
      latencyP99Us: Math.min(longestFaultUs, quantileOf(faultBuckets, 0.99)),
      latencyMaxUs: longestFaultUs,
      latencyBuckets: [...faultBuckets],
      durationMs: (this.#time.nowUs() - this.#resumedAt) / 1000,
    };
  }

  // The guest runs no further on memory that it does not have; what is lost is named.
  #parkIncomplete(machine: GuestMachine): MicrostunError {
    machine.stop();
    const { pageTable, pageCount } = viewMemory(machine.shared.memory);
    const lost = new PageBitmap(pageCount);
    for (let page = 0; page < pageCount; page++) {
      const state = Atomics.load(pageTable, page);
      if (state === PageState.ABSENT || state === PageState.PLACING) lost.add(page);
    }
    const runs: string[] = [];
    for (
      let run = lost.nextRun(0);
      run !== undefined && runs.length < LOST_RUNS_NAMED;
      run = lost.nextRun(run[1])
    ) {
      runs.push(run[1] - run[0] === 1 ? `${run[0]}` : `${run[0]}-${run[1] - 1}`);
    }
    return new MicrostunError(
      'PAGES_LOST',
      `the source is gone with ${lost.count()} of the guest's ${pageCount} pages; the guest is parked. Lost pages: ${runs.join(', ')}` +
        (lost.nextRun(0) !== undefined && runs.length === LOST_RUNS_NAMED ? ', …' : ''),
    );
  }

  // All of the message is checked here, before anything of it is used.
  #validate({ guest }: MessageOf<'PREPARE'>, handOver: MessageOf<'HAND_OVER'>): IncomingEvent {
    try {
      const { lacking, lackingPages } = checkHandOver(guest, handOver);
      this.#machineOf().assertParked();
      this.#lacking = lacking;
      this.#validatedAt = this.#time.nowUs();
      return {
        kind: 'validated',
        validated: { validationMs: (this.#validatedAt - this.#receivedAt) / 1000, lackingPages },
      };
    } catch (error) {
      const ours = asMicrostunError(error, 'PROTOCOL');
      return { kind: 'declined', code: ours.code === 'GUEST_FAILED' ? ours.code : 'PROTOCOL', error: ours };
    }
  }

  // From here on nobody overwrites a page, so what came stays as it is compared.
  #confirm({ pagesFollow }: MessageOf<'HAND_OVER'>): IncomingEvent {
    const { receivers } = this.#preparation;
    const lacking = this.#lacking;
    if (receivers === undefined || lacking === undefined)
      throw new Error('a hand-over is confirmed after its validation, with the receivers');
    try {
      if (!receivers.shut())
        throw new ProtocolError('a window of pages was on its way when the guest was handed over');
      if (!pagesFollow) checkLastRound(lacking, receivers.checkedPages);
      return { kind: 'confirmed' };
    } catch (error) {
      return { kind: 'declined', code: 'PROTOCOL', error: asMicrostunError(error, 'PROTOCOL') };
    }
  }

  async #resume(handOver: MessageOf<'HAND_OVER'>): Promise<IncomingEvent> {
    const machine = this.#machineOf();
    const lacking = this.#lacking;
    assert(lacking !== undefined, 'a guest is resumed after its validation');
    const lackingPages = handOver.pagesFollow ? lacking.count() : 0;
    if (lackingPages > 0) markAbsent(viewMemory(machine.shared.memory), lacking);
    machine.safepoints.handOver(lackingPages);
    const placedAt = this.#time.nowUs();
    this.#resumedAt = placedAt;
    machine.restore(handOver);
    await machine.resume();
    const answeredAt = this.#time.nowUs();
    // All that can wait does so until the answer is on its way.
    setImmediate(() => {
      if (this.#outcome !== undefined) return;
      machine.startSampling();
      if (lackingPages > 0) this.#watchForStall(machine);
      if (handOver.pagesFollow && lackingPages === 0) this.#events.push({ kind: 'all-arrived' });
    });
    return {
      kind: 'resumed',
      answer: {
        name: 'RESUMED',
        receivedAt: this.#receivedAt,
        validationMs: (this.#validatedAt - this.#receivedAt) / 1000,
        placementMs: (placedAt - this.#validatedAt) / 1000,
        resumeMs: (answeredAt - placedAt) / 1000,
        answeredAt,
        firstSliceAt: [...machine.counters().firstSliceAt],
      },
    };
  }

  // A push on which nothing moves, while the source is there, has lost its connections even if they seem up.
  #watchForStall(machine: GuestMachine): void {
    const stall = new StallWatch();
    this.#stallWatch = this.#time.every(STALL_MS_MAX / 8, () => {
      const lacking = machine.safepoints.lackingPages;
      // Bytes of the push, and pages that faults brought: a window of the push may take minutes on a slow link.
      const progress = (this.#preparation.receivers?.receivedBytes ?? 0) - lacking;
      const isExpecting = lacking > 0 && this.#control !== undefined;
      if (!stall.isStalled(this.#time.nowUs() / 1000, progress, isExpecting)) return;
      this.#logger.warn('nothing has come for long; dialling the page and fault connections again');
      this.#preparation.receivers?.redial();
      this.#preparation.fetcher?.redial();
    });
  }

  async #audit(): Promise<IncomingEvent | undefined> {
    const machine = this.#machineOf();
    const samples = await machine.stopSampling();
    const { longestGapUs, longestFaultUs } = machine.counters();
    const gaps = pairsOf(machine.gapCounts());
    const longestStallUs = Math.max(longestGapUs, longestFaultUs);
    const audited = await this.#auditParked(machine);
    if (audited === undefined) return undefined;
    const { passed, checked, failed, findings } = audited;
    return {
      kind: 'audited',
      answer: {
        name: 'AUDITED',
        passed,
        checked,
        failed,
        findings: [...findings],
        samples,
        gaps,
        longestStallUs,
      },
    };
  }

  // Nothing when it was stopped: the guest runs on without waiting for a vCPU that never came to its safepoint.
  async #auditParked(machine: GuestMachine): Promise<AuditResult | undefined> {
    const audit = this.#auditing;
    try {
      await audit.wait(machine.park());
      const stop = new AbortController();
      audit.own(stop, () => {
        stop.abort();
      });
      // An audit that cannot be done is a failed one; the guest runs on all the same.
      const result = await audit.wait(machine.audit(stop.signal)).catch((error: unknown) => ({
        passed: false,
        checked: 0,
        failed: 1,
        findings: [`the audit could not be done: ${messageOf(error).slice(0, 300)}`],
      }));
      if (!audit.hasEnded) await audit.wait(machine.resume());
      return audit.hasEnded ? undefined : result;
    } catch (error) {
      if (!audit.hasEnded) throw error;
      return undefined;
    } finally {
      // A vCPU that cannot go on tells so by itself.
      if (audit.hasEnded && this.#outcome === undefined) machine.resume().catch(() => undefined);
    }
  }
}

function nothing(): undefined {
  return undefined;
}

function refusalCodeOf(error: unknown, otherwise: RefusalCode): RefusalCode {
  if (!(error instanceof MicrostunError)) return otherwise;
  return error.code === 'INSUFFICIENT_MEMORY' || error.code === 'PROTOCOL' ? error.code : otherwise;
}

// A dial that fails again is a connection that was lost; only one that never was made says that nobody can be reached.
function pagesLost(error: MicrostunError, wasUp: boolean): IncomingEvent {
  const isLost = wasUp && error.code === 'CONNECT_FAILED';
  return {
    kind: 'pages-lost',
    error: isLost ? new MicrostunError('CONNECTION_LOST', error.message, { cause: error }) : error,
  };
}
