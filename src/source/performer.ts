// Does what the state machine wants done, by the hands that a migration has.
// Decides nothing, and knows of no state: an effect is all that it is told.
import type { Logger } from 'pino';
import { unreachable } from '../shared/errors.js';
import type { Timers } from '../shared/timers.js';
import { helloOf } from '../shared/wire/greeting.js';
import type { Pass } from '../shared/wire/pass.js';
import type { Message } from '../shared/wire/messages.js';
import type { ControlLine } from './control-line.js';
import type { GuestAsking } from './guest-asking.js';
import type { OutgoingHands } from './hands.js';
import type { Listening } from './listening.js';
import type { Measurement } from './measurement/measurement.js';
import type { EffectOf, OutgoingEffect } from './states/effects.js';
import type { TimerName } from './states/events.js';
import type { MigrationPlan } from './states/plan.js';
import type { Outcome } from './states/states.js';
import type { Work } from './work.js';

/** What a migration is made of, besides its state. */
export interface PerformerParts {
  readonly pass: Pass;
  readonly hands: Pick<OutgoingHands, 'time' | 'guest'>;
  readonly options: {
    readonly plan: MigrationPlan;
    readonly connections: number;
    readonly auditAfterMs: number;
    readonly pageChecks: boolean;
  };
  readonly logger: Logger;
  readonly timers: Timers<TimerName>;
  readonly measurement: Measurement;
  readonly control: ControlLine;
  readonly work: Work;
  readonly asking: GuestAsking;
  readonly listening: Listening;
}

export class Performer {
  readonly #pass: Pass;
  readonly #hands: PerformerParts['hands'];
  readonly #options: PerformerParts['options'];
  readonly #logger: Logger;
  readonly #timers: Timers<TimerName>;
  readonly #measurement: Measurement;
  readonly #control: ControlLine;
  readonly #work: Work;
  readonly #asking: GuestAsking;
  readonly #listening: Listening;

  constructor(parts: PerformerParts) {
    this.#pass = parts.pass;
    this.#hands = parts.hands;
    this.#options = parts.options;
    this.#logger = parts.logger;
    this.#timers = parts.timers;
    this.#measurement = parts.measurement;
    this.#control = parts.control;
    this.#work = parts.work;
    this.#asking = parts.asking;
    this.#listening = parts.listening;
  }

  /** Does all of it, in order; answers the outcome if that was the end. */
  async perform(effects: readonly OutgoingEffect[]): Promise<Outcome | undefined> {
    let outcome: Outcome | undefined;
    for (const effect of effects) {
      await this.#performOne(effect);
      if (effect.kind === 'end') outcome = effect.outcome;
    }
    return outcome;
  }

  // Long work is started here and reports back as an event; only what must come before the next effect is awaited.
  async #performOne(effect: OutgoingEffect): Promise<void> {
    switch (effect.kind) {
      case 'dial':
        this.#control.dial(this.#listening.controlAddress);
        return;
      case 'hang-up':
        this.#control.hangUp();
        return;
      case 'greet':
        this.#greet(effect.welcomedBy);
        return;
      case 'send-prepare':
        this.#sendPrepare();
        return;
      case 'dial-pages':
        this.#work.dialPages(
          this.#listening.dial(this.#control.peerHost, [...effect.pagePorts, effect.faultPort]),
        );
        return;
      case 'reconnect-pages':
        this.#work.reconnect();
        return;
      case 'redial-pages':
        this.#work.redial();
        return;
      case 'redial-faults':
        this.#work.tracer.redial();
        return;
      case 'ping':
        this.ping();
        return;
      case 'send':
        this.#send(effect.message);
        return;
      case 'install-traces':
        this.#work.installTraces();
        return;
      case 'copy-round':
        this.#work.copyRound(effect.round);
        return;
      case 'stop-round':
        this.#work.stopRound(effect.round);
        return;
      case 'harvest':
        this.#work.harvest(effect.keepsRest);
        return;
      case 'throttle':
        this.#work.throttle(effect.share);
        return;
      case 'ask-guest':
        this.#asking.ask(effect.question);
        return;
      case 'withdraw-question':
        this.#asking.withdraw();
        return;
      case 'switch-over':
        this.#work.switchOver(effect);
        return;
      case 'copy-rest':
        this.#work.copyRest(effect.round);
        return;
      case 'push':
        this.#work.push(effect.round);
        return;
      case 'hash-pages':
        this.#work.hashPages(effect.round);
        return;
      case 'release-guest':
        await this.#work.releaseGuest();
        return;
      case 'arm':
        if (effect.timer === 'push') this.#work.watchMoves();
        this.#timers.arm(effect.timer, effect.ms);
        return;
      case 'disarm':
        this.#timers.disarm(effect.timer);
        return;
      case 'end':
        return;
      case 'note-clock':
      case 'note-forecast':
      case 'note-notice':
      case 'note-taken-over':
      case 'note-resumed':
      case 'note-arrived':
      case 'note-samples':
      case 'note-audit':
      case 'note-verified':
        this.#measure(effect);
        return;
      case 'report-doubt':
        this.#logger.error({ code: effect.error.code }, effect.error.message);
        return;
      case 'warn':
        this.#logger.warn(effect.text);
        return;
      case 'decline-cancel':
        this.#logger.warn(`this migration can no longer be cancelled: ${effect.reason}`);
        return;
      default:
        unreachable(effect);
    }
  }

  #measure(effect: NotedEffect): void {
    switch (effect.kind) {
      case 'note-clock':
        this.#measurement.noteClock(effect.sample);
        return;
      case 'note-forecast':
        this.#measurement.noteForecast(effect.forecast, effect.course);
        return;
      case 'note-notice':
        this.#measurement.notice.settled(effect.outcome);
        return;
      case 'note-taken-over':
        this.#measurement.noteTakenOver(effect.receivedAt);
        return;
      case 'note-resumed':
        // The tracer may not have heard that it was taken over.
        this.#hands.guest.letDevicesGo();
        this.#work.noteResumed(effect.message, effect.receivedAt);
        return;
      case 'note-arrived':
        this.#measurement.noteArrived(effect.message);
        this.#logger.info('every page has arrived; the source needs the guest no more');
        return;
      case 'note-samples':
        if (!this.#measurement.noteDestinationSamples(effect.samples))
          this.#logger.warn(
            'the destination sent samples of the guest that make no sense; they are left out',
          );
        return;
      case 'note-audit':
        this.#measurement.noteAudit(effect.message);
        return;
      case 'note-verified':
        this.#measurement.noteVerified(effect.message);
        return;
      default:
        unreachable(effect);
    }
  }

  // ---- What is said ----------------------------------------------------------------------------------------------

  #send(message: Message): void {
    this.#control.send(message);
  }

  /** Asks for a sign of life, and compares the clocks. */
  ping(): void {
    this.#send({ name: 'PING', sentAt: this.#hands.time.nowUs() });
  }

  #greet(welcomedBy: string): void {
    const { migrationId, ticket } = this.#pass;
    this.#send(helloOf({ role: 'control', migrationId, ticket, welcomedBy }));
  }

  #sendPrepare(): void {
    const { pagePorts, faultPort } = this.#listening;
    const { plan, auditAfterMs, pageChecks } = this.#options;
    this.#send({
      name: 'PREPARE',
      guest: this.#hands.guest.spec,
      codeHash: this.#hands.guest.codeHash,
      touchedBytes: this.#hands.guest.touchedBytes,
      connections: this.#options.connections,
      dials: plan.dials,
      pagePorts: [...pagePorts],
      faultPort,
      pageChecks,
      verifies: plan.verifies,
      audits: plan.audits,
      auditAfterMs,
    });
  }
}

/** What is only measured. */
type NotedEffect = EffectOf<
  | 'note-clock'
  | 'note-forecast'
  | 'note-notice'
  | 'note-taken-over'
  | 'note-resumed'
  | 'note-arrived'
  | 'note-samples'
  | 'note-audit'
  | 'note-verified'
>;
