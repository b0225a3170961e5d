// One incoming migration: drives its state machine with its control connection and the place that is made for its guest.
// Decides nothing by itself; every decision is in states/. What it has its hands on is passed in (hands.ts).
import type { Logger } from 'pino';
import { assert, asMicrostunError, type MicrostunError, unreachable } from '../shared/errors.js';
import { EventQueue } from '../shared/event-queue.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import { GateKeeper } from '../shared/gate-keeper.js';
import type { Cancellable } from '../shared/time.js';
import { Timers } from '../shared/timers.js';
import type { UnclaimedConnection } from '../shared/wire/control.js';
import type { Message, MessageOf } from '../shared/wire/messages.js';
import { FarewellWatch } from './farewell-watch.js';
import { GuestAudit } from './guest-audit.js';
import type { IncomingHands, IncomingMachine } from './hands.js';
import { describeAbsence } from './missing-pages.js';
import { placeEvents } from './place-events.js';
import { Preparation, type Place } from './preparation.js';
import { watchPush } from './push-watch.js';
import { letIn, type Admittance } from './prepare-check.js';
import { resultOf, type IncomingResult } from './result.js';
import { SourceConnection } from './source-connection.js';
import type { IncomingEffect, IncomingEvent, IncomingStep, TimerName } from './states/events.js';
import type { IncomingLimits } from './states/limits.js';
import { lastMessages, refusalCodeOf } from './states/outcome.js';
import { isMissed } from './states/lacking.js';
import { isAtGate, isHandedOver, isRefusable, mayRefuse } from './states/states.js';
import type { IncomingState, Outcome } from './states/states.js';
import { beginIncoming } from './states/step.js';
import { resumed, unknownTakeOver } from './resumed.js';

export interface IncomingOptions extends Admittance {
  readonly limits: IncomingLimits;
  readonly logger: Logger;
}

export class IncomingMigration<Machine extends IncomingMachine = GuestMachine> {
  readonly id: string;
  /** Whoever speaks for its source has it. */
  readonly ticket: string;
  readonly #options: IncomingOptions;
  readonly #hands: IncomingHands<Machine>;
  readonly #logger: Logger;
  readonly #events = new EventQueue<IncomingEvent>();
  readonly #timers: Timers<TimerName>;
  #state: IncomingState = beginIncoming();
  readonly #source = new SourceConnection({
    received: ({ message, receivedAt }) => {
      this.#events.push({ kind: 'received', message, receivedAt });
    },
    backlog: () => this.#events.length,
    lost: (error) => {
      this.#events.push({ kind: 'control-lost', error });
    },
  });
  /** Of the gate that stands before the take-over. */
  readonly #gateKeeper = new GateKeeper<IncomingEvent>('taken-over');
  readonly #preparation: Preparation<Machine>;
  #decide: () => void = () => undefined;
  /** The guest has come, or will not. */
  readonly #decided = new Promise<void>((resolve) => {
    this.#decide = resolve;
  });
  readonly #audit = new GuestAudit();
  #place: Place<Machine> | undefined;
  #farewell: FarewellWatch | undefined;
  #stallWatch: Cancellable | undefined;
  #outcome: Outcome | undefined;
  #guestFailure: MicrostunError | undefined;
  #onGuestFailure: ((error: MicrostunError) => void) | undefined;

  constructor(id: string, ticket: string, options: IncomingOptions, hands: IncomingHands<Machine>) {
    this.id = id;
    this.ticket = ticket;
    this.#options = options;
    this.#hands = hands;
    this.#logger = options.logger.child({ migration: id });
    this.#preparation = this.#newPreparation(hands);
    this.#timers = new Timers(hands.time, (timer) => {
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

  get phase(): IncomingState['name'] {
    return this.#state.name;
  }

  /** What a source that comes back after the end is told. */
  get lastMessages(): Message[] {
    return lastMessages(this.#state);
  }

  /** Whether its source went away before the hand-over: it may come back, but another migration may take the place. */
  get isAbandoned(): boolean {
    return !this.#source.isUp && isRefusable(this.#state);
  }

  /** Takes a greeted and welcomed control connection, the first one or a new one; the old one is dropped. */
  attach(offered: UnclaimedConnection): void {
    this.#source.take(offered);
    this.#events.push({ kind: 'attached' });
  }

  /**
   * Another migration asks for the place: this one is refused unless its guest has come meanwhile. Resolves once it is
   * known which.
   */
  async makeWay(): Promise<void> {
    this.#events.push({ kind: 'make-way' });
    await this.#decided;
  }

  /** Asks to cancel: honoured until the hand-over has come, and while the guest lacks pages and its source is away. */
  cancel(reason: string): void {
    this.#events.push({ kind: 'cancel', reason });
  }

  /** From the end of `run` on, failures of the guest are told here; one that came before is told at once. */
  onGuestFailure(listener: (error: MicrostunError) => void): void {
    this.#onGuestFailure = listener;
    if (this.#guestFailure !== undefined) listener(this.#guestFailure);
  }

  /** Runs the migration to its end. Never rejects for what the world did. */
  async run(): Promise<IncomingResult<Machine>> {
    while (this.#outcome === undefined) {
      const event = await this.#events.next();
      const step = this.#gateKeeper.stepOf(
        event,
        isAtGate(this.#state),
        () => this.#hands.step(this.#options.limits, this.#state, event),
        ({ state }) => isAtGate(state),
      );
      if (step !== undefined) this.#take(step, event);
    }
    return this.#finish(this.#outcome);
  }

  #take({ state, effects }: IncomingStep, event: IncomingEvent): void {
    const before = this.#state.name;
    this.#state = state;
    if (isAtGate(state)) this.#gateKeeper.gate.open();
    if (state.name !== before) this.#logger.debug({ phase: state.name, event: event.kind }, 'phase');
    for (const effect of effects) this.#perform(effect);
    if (!mayRefuse(state)) this.#decide();
    this.#events.putBack(this.#gateKeeper.takeWaiting(event));
  }

  async #finish(outcome: Outcome): Promise<IncomingResult<Machine>> {
    this.#timers.disarmAll();
    this.#stallWatch?.cancel();
    // The set-up may be under way still: it ends, and all that it made ends with it.
    await Promise.all([this.#preparation.close(outcome.kind !== 'refused'), this.#audit.close()]);
    return outcome.kind === 'refused' ? outcome : resultOf(outcome, this.#placeOfGuest());
  }

  #perform(effect: IncomingEffect): void {
    const { time } = this.#hands;
    switch (effect.kind) {
      case 'send':
        this.#source.send(effect.message);
        return;
      case 'pong':
        this.#source.send({ name: 'PONG', sentAt: effect.sentAt, answeredAt: time.nowUs() });
        return;
      case 'hang-up':
        this.#source.end();
        return;
      case 'prepare':
        this.#start(this.#prepare(effect.prepare));
        return;
      case 'await-slices':
        this.#start(resumed(this.#placeOfGuest(), effect.facts));
        return;
      case 'redial-faults':
        this.#placeOfGuest().fetcher.renew();
        return;
      case 'watch':
        this.#watch(effect.arePagesLacking);
        return;
      case 'reconnect-pages':
        this.#preparation.reconnect();
        return;
      case 'settle':
        this.#placeOfGuest().fetcher.settle();
        return;
      case 'report-source':
        this.#reportSource(effect.isAway);
        return;
      case 'audit':
        this.#start(this.#audit.run(this.#placeOfGuest().machine));
        return;
      case 'stop-audit':
        this.#start(this.#audit.stop());
        return;
      case 'arm':
        if (effect.timer === 'farewell')
          this.#farewell = new FarewellWatch(this.#placeOfGuest().pages, time.nowUs(), effect.ms);
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

  // Work that takes its time; what comes of it, if anything, is an event.
  #start(work: Promise<IncomingEvent | undefined>): void {
    work.then(
      (event) => {
        if (event !== undefined) this.#events.push(event);
      },
      (error: unknown) => {
        const ours = asMicrostunError(error, 'GUEST_FAILED');
        this.#events.push({ kind: 'declined', code: refusalCodeOf(ours), error: ours });
      },
    );
  }

  #placeOfGuest(): Place<Machine> {
    assert(this.#place !== undefined, `a place is made before the guest is ${this.#state.name}`);
    return this.#place;
  }

  async #prepare(prepare: MessageOf<'PREPARE'>): Promise<IncomingEvent> {
    const admitted = letIn(prepare, this.id, this.#options);
    const pass = this.#source.passFor(this, this.#hands.security);
    this.#place = await this.#preparation.run(prepare, this.#source, pass, admitted);
    return { kind: 'prepared' };
  }

  #newPreparation(hands: IncomingHands<Machine>): Preparation<Machine> {
    const events = placeEvents({
      time: hands.time,
      place: () => this.#place,
      queuedBytes: () => this.#source.queuedBytes,
      happened: (event) => {
        this.#events.push(event);
      },
      guestFailed: (error) => {
        this.#guestFailure ??= error;
        this.#onGuestFailure?.(error);
      },
      fetcherFailed: this.#noteTakenOver,
      warn: (text) => {
        this.#logger.warn(text);
      },
    });
    return new Preparation(events, hands, this.#gateKeeper.word);
  }

  // A fetcher that fails with the guest taken over cannot tell of it any more: it may run, or nobody tells it to.
  readonly #noteTakenOver = (error: MicrostunError): void => {
    if (!this.#gateKeeper.gate.isPassed || !isAtGate(this.#state)) return;
    this.#events.push({ kind: 'taken-over', facts: unknownTakeOver(this.#placeOfGuest(), this.#hands.time) });
    if (this.#placeOfGuest().machine.isStopped) this.#events.push({ kind: 'failed', error });
  };

  #watch(arePagesLacking: boolean): void {
    const place = this.#placeOfGuest();
    place.machine.startSampling();
    if (!arePagesLacking) return;
    this.#stallWatch = watchPush(place, this.#hands.time, this.#source, () => {
      this.#logger.warn('nothing has come for long; giving up the page and fault connections for new ones');
    });
  }

  #isSourceHeard(): boolean {
    return this.#farewell?.isSourceHeard(this.#hands.time.nowUs()) === true;
  }

  #reportSource(isAway: boolean): void {
    const { host } = this.#source;
    this.#logger.warn(
      isAway
        ? describeAbsence(host, this.#options.limits.farewellMs, this.#placeOfGuest().pages)
        : `the source ${host} is back, and brings the pages that the guest lacks`,
    );
  }
}
