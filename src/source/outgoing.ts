// Moves a running guest to a destination: takes events one at a time, steps, and does what the step wants done.
// Decides nothing by itself; every decision is in states/.
import type { Logger } from 'pino';
import { asMicrostunError, type MicrostunError } from '../shared/errors.js';
import { EventQueue } from '../shared/event-queue.js';
import { SAMPLE_DOUBLES_MAX, type GuestSample } from '../shared/guest/samples.js';
import type { MigrationReport, RoundReport } from '../report/document.js';
import { Timers } from '../shared/timers.js';
import { ControlLine } from './control-line.js';
import { GuestAsking } from './guest-asking.js';
import type { OutgoingHands } from './hands.js';
import { listenFailureOf } from '../shared/wire/listen-failure.js';
import { listenForPages, type Listening, type ListenOptions } from './listening.js';
import { Measurement } from './measurement/measurement.js';
import { reportOf } from './measurement/report.js';
import { Performer } from './performer.js';
import { snapshotOf, type MigrationSnapshot } from './snapshot.js';
import type { OutgoingStep } from './states/effects.js';
import type { OutgoingEvent, TimerName } from './states/events.js';
import { wantsHeartbeat } from './states/heartbeat.js';
import type { Outcome, OutgoingState, Phase } from './states/states.js';
import type { MigrationPlan } from './states/plan.js';
import { beginOutgoing } from './states/step.js';
import type { Pass } from '../shared/wire/pass.js';
import type { Security } from '../shared/wire/security.js';
import { Work, type WorkOptions } from './work.js';
import { HEARTBEAT_MS } from '../shared/limits.js';

export interface MigrateOptions extends ListenOptions, WorkOptions {
  readonly plan: MigrationPlan;
  readonly auditAfterMs: number;
  /** Of all its connections. */
  readonly security: Security;
  /** Hears of each phase as it begins. */
  readonly entered?: (phase: Phase) => void;
  readonly logger: Logger;
}

/** How a migration ended: with its report, or with an error and the guest's owner. */
export type MigrationResult =
  { readonly kind: 'completed'; readonly report: MigrationReport } | Extract<Outcome, { kind: 'failed' }>;

export class OutgoingMigration {
  readonly id: string;
  readonly #pass: Pass;
  readonly #hands: OutgoingHands;
  readonly #options: MigrateOptions;
  readonly #logger: Logger;
  readonly #events = new EventQueue<OutgoingEvent>();
  readonly #timers: Timers<TimerName>;
  readonly #measurement: Measurement;
  readonly #control: ControlLine;
  readonly #work: Work;
  #state: OutgoingState;
  /** When the stop was decided. */
  #stoppingFrom = 0;

  constructor(hands: OutgoingHands, asked: MigrateOptions) {
    // A guest without a say is not asked, and no step of its migration knows that others are.
    const plan = hands.guest.notices.isToBeAsked ? asked.plan : { ...asked.plan, noticeMs: 0 };
    const options = { ...asked, plan };
    this.id = hands.newId();
    this.#pass = { migrationId: this.id, ticket: hands.newTicket(), security: options.security };
    this.#hands = hands;
    this.#options = options;
    this.#logger = options.logger.child({ migration: this.id });
    this.#timers = new Timers(hands.time, (timer) => {
      const isMoving = timer === 'push' && this.#work.haveMoved;
      this.#events.push(isMoving ? { kind: 'pages-moved' } : { kind: 'timer', timer });
    });
    const { guest, time } = hands;
    const atBeginning = { counters: guest.counters(), gaps: guest.gapCounts() };
    this.#measurement = new Measurement(options, plan, guest.spec, atBeginning, () => time.nowUs());
    this.#control = new ControlLine(hands, this.#events);
    this.#work = new Work(hands, options, this.#measurement, this.#events, this.#logger);
    this.#state = beginOutgoing(plan).state;
  }

  get snapshot(): MigrationSnapshot {
    return snapshotOf(this.#state.phase, this.#measurement, this.#work.progress);
  }

  /** The rounds that are over. */
  get rounds(): readonly RoundReport[] {
    return this.#measurement.rounds;
  }

  /** The phases so far, each from its beginning (`monotonicUs`) to that of the next. */
  get phases(): readonly { readonly name: string; readonly fromUs: number }[] {
    return this.#measurement.phases;
  }

  /** Samples of the guest at the destination that came since this was last asked, on this host's clock. */
  takeDestinationSamples(): GuestSample[] {
    return this.#measurement.takeDestinationSamples();
  }

  /** Asks to cancel; honoured until the hand-over is sent, and again once it is known that nobody answers. */
  cancel(reason: string): void {
    this.#events.push({ kind: 'cancel', reason });
  }

  /** Asks the destination now, if it is not connected, instead of after the next pause. */
  askNow(): void {
    this.#events.push({ kind: 'ask-now' });
  }

  /** The guest failed under way. */
  failWith(error: MicrostunError): void {
    this.#events.push({ kind: 'failed', error, who: 'guest' });
  }

  /**
   * Runs the migration to its end. Never rejects for what the world did: that is a failed result, with the owner.
   */
  async run(): Promise<MigrationResult> {
    let listening: Listening;
    try {
      listening = await this.#listen();
    } catch (error) {
      await this.#work.close();
      const why = listenFailureOf(asMicrostunError(error, 'LISTEN_FAILED'));
      return { kind: 'failed', error: why, owner: 'source', phase: 'connecting' };
    }
    const performer = this.#newPerformer(listening);
    const { guest, time } = this.#hands;
    const heartbeat = time.every(HEARTBEAT_MS, () => {
      if (this.#wantsHeartbeat()) performer.ping();
    });
    guest.prepareSampling(SAMPLE_DOUBLES_MAX, (error) => {
      this.#logger.warn(error.message);
    });
    guest.startSampling();
    const outcome = await this.#runToEnd(performer);
    heartbeat.cancel();
    this.#timers.disarmAll();
    this.#control.close();
    await this.#work.close();
    await listening.link?.close();
    return this.#result(outcome, await guest.stopSampling());
  }

  #newPerformer(listening: Listening): Performer {
    const { notices } = this.#hands.guest;
    const { noticeMs } = this.#options.plan;
    const asking = new GuestAsking(notices, this.#measurement.notice, noticeMs, (question, answer) => {
      this.#events.push({ kind: 'guest-answered', question, answer });
    });
    return new Performer({
      pass: this.#pass,
      hands: this.#hands,
      options: this.#options,
      logger: this.#logger,
      timers: this.#timers,
      measurement: this.#measurement,
      control: this.#control,
      work: this.#work,
      asking,
      listening,
    });
  }

  #listen(): Promise<Listening> {
    const { copiers, tracer } = this.#work;
    return listenForPages(this.#pass, this.#options, copiers, tracer, this.#hands, {
      cut: (cut) => {
        this.#measurement.noteScriptedCut(cut);
        this.#logger.info(cut, 'the emulated link is cut');
      },
      unreachable: (reason) => {
        this.#logger.info(reason);
      },
      failed: (error) => {
        this.#events.push({ kind: 'failed', error });
      },
    });
  }

  async #runToEnd(performer: Performer): Promise<Outcome> {
    const { plan } = this.#options;
    this.#measurement.notePhase('connecting');
    await performer.perform(beginOutgoing(plan).effects);
    for (;;) {
      const event = await this.#events.next();
      const step = this.#work.gateKeeper.stepOf(
        event,
        this.#state.phase.name === 'stopping',
        () => this.#hands.step(plan, this.#state, event),
        ({ state }) => state.phase.name === 'stopping',
      );
      if (step === undefined) continue;
      const outcome = await this.#take(step, event, performer);
      if (outcome !== undefined) return outcome;
    }
  }

  async #take(
    { state, effects }: OutgoingStep,
    event: OutgoingEvent,
    performer: Performer,
  ): Promise<Outcome | undefined> {
    this.#note(event);
    const before = this.#state.phase.name;
    this.#state = state;
    const after = state.phase.name;
    if (after !== before) {
      this.#measurement.notePhase(after);
      this.#options.entered?.(state.phase);
      if (after === 'stopping') this.#stoppingFrom = this.#hands.time.nowUs();
      this.#logger.debug({ phase: after, event: event.kind }, 'phase');
    }
    this.#events.putBack(this.#work.gateKeeper.takeWaiting(event));
    return performer.perform(effects);
  }

  #wantsHeartbeat(): boolean {
    const sinceStopMs = (this.#hands.time.nowUs() - this.#stoppingFrom) / 1000;
    return wantsHeartbeat(this.#state, sinceStopMs);
  }

  #note(event: OutgoingEvent): void {
    if (event.kind !== 'received' || event.message.name !== 'WELCOME') return;
    const { pid, host } = event.message;
    this.#measurement.destination = { pid, host };
  }

  #result(outcome: Outcome, samples: Float64Array): MigrationResult {
    if (outcome.kind === 'failed') return outcome;
    const { copiers, tracer } = this.#work;
    const control = this.#control.bytes;
    const pages = copiers.bytes;
    const faults = tracer.bytes;
    try {
      const measured = this.#measurement.measured(samples, {
        control: control.control + pages.control + faults.control,
        faults: faults.faults,
        bitmap: faults.bitmap,
        checkpoint: faults.checkpoint,
        sockets: control.socket + pages.socket + faults.socket,
        wire: control.wire + pages.wire + faults.wire,
        // A push that was never acknowledged lost a connection, whether or not that was noticed.
        cuts: pages.cuts + faults.cuts + control.cuts + (copiers.isCopying ? 1 : 0),
      });
      return { kind: 'completed', report: reportOf(measured) };
    } catch (error) {
      const why = asMicrostunError(error, 'MEASUREMENT');
      return { kind: 'failed', error: why, owner: 'destination', phase: 'ended' };
    }
  }
}
