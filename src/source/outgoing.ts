// Moves a running machine to a destination: drives the state machine with sockets, workers and timers.
// Decides nothing by itself; every decision is in states/step.ts.
import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { asMicrostunError, MicrostunError, unreachable } from '../shared/errors.js';
import { EventQueue } from '../shared/event-queue.js';
import { SAMPLE_DOUBLES_MAX } from '../shared/guest/samples.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import type { BitmapFormat } from '../shared/memory/compacted-bitmap.js';
import { PAGE_BYTES } from '../shared/memory/pages.js';
import type { GuestSample } from '../shared/guest/samples.js';
import type { MigrationReport, RoundReport } from '../report/document.js';
import type { Cancellable, Time } from '../shared/time.js';
import { hostTime, Timers } from '../shared/timers.js';
import { dialConnection } from '../shared/wire/connection.js';
import { HEARTBEAT_MS, SILENCE_MS_MAX, unclaimed } from '../shared/wire/message-connection.js';
import type { ControlConnection, UnclaimedConnection } from '../shared/wire/control.js';
import { PROTOCOL_VERSION } from '../shared/wire/frames.js';
import type { Message, MessageOf } from '../shared/wire/messages.js';
import { CHECKED, PUSHED } from '../shared/wire/page-frames.js';
import { EmulatedLink, type Emulation } from '../lab/emulated-link.js';
import type { Address } from '../shared/wire/sockets.js';
import { Measurement } from './measurement/measurement.js';
import type { OutgoingEffect } from './states/effects.js';
import type { OutgoingEvent, Helper, TimerName } from './states/events.js';
import { wantsHeartbeat } from './states/heartbeat.js';
import type { MigrationPlan } from './states/plan.js';
import type { OutgoingState, Outcome, Phase } from './states/states.js';
import { beginOutgoing, stepOutgoing } from './states/step.js';
import { PageServer } from './faults/page-server.js';
import { releaseGuest } from './release.js';
import { SwitchOverRehearsal } from './rehearsal.js';
import type { TraceMode } from './tracer/tracer.js';
import { listenFailureOf } from './listen-failure.js';
import { Copiers, type RoundTotal } from './pages/copiers.js';
import { TracerThread } from './tracer/tracer-thread.js';

export interface MigrateOptions {
  readonly to: Address;
  /** Where the page connections listen; port 0 is any free one, another is the first of a row. */
  readonly listen: Address;
  readonly connections: number;
  /** Caps what the page connections send together. */
  readonly bytesPerSecond: number | undefined;
  /** The same for the pages that faults ask for. */
  readonly faultBytesPerSecond: number | undefined;
  /** An emulated network instead of the real one. */
  readonly emulation: Emulation | undefined;
  readonly bitmapFormat: BitmapFormat;
  readonly trace: TraceMode;
  readonly auditAfterMs: number;
  readonly plan: MigrationPlan;
  readonly logger: Logger;
}

/** Where a migration stands, for whoever shows progress. */
export interface MigrationSnapshot {
  readonly phase: Phase['name'];
  /** The round that is being copied, or was last. */
  readonly round: number;
  readonly roundPages: number;
  readonly roundPagesSent: number;
  /** Bytes of all rounds so far. */
  readonly sentBytes: number;
  /** What the last harvest found. */
  readonly dirtyPages: number;
  /** As of the last round; null before there is one. */
  readonly forecastStunMs: number | null;
  /** Pages that the round before had to bring; 0 in round 0. */
  readonly previousRoundPages: number;
  readonly roundElapsedMs: number;
  /** From the beginning of this round until the guest runs at the destination; null without a forecast. */
  readonly expectedMs: number | null;
}

/** How a migration ended: with its report, or with an error and the guest's owner. */
export type MigrationResult =
  | { readonly kind: 'completed'; readonly report: MigrationReport }
  | (Extract<Outcome, { kind: 'failed' }> & { readonly kind: 'failed' });

const DIAL_MS = 5000;

/** Where the workers listen, and the control connection is dialled, when a link is emulated in this process. */
const BEHIND_THE_LINK: Address = { host: '127.0.0.1', port: 0 };

/** What a migration has of the outside, besides its guest and its workers. */
export interface OutgoingHands {
  readonly time: Time;
  dial(to: Address, timeoutMs: number): Promise<UnclaimedConnection>;
}

const HOST: OutgoingHands = {
  time: hostTime,
  dial: async (to, timeoutMs) => unclaimed(await dialConnection(to, timeoutMs)),
};

export class OutgoingMigration {
  readonly id = randomUUID();
  readonly #machine: GuestMachine;
  readonly #options: MigrateOptions;
  readonly #hands: OutgoingHands;
  readonly #time: Time;
  readonly #logger: Logger;
  readonly #events = new EventQueue<OutgoingEvent>();
  readonly #timers: Timers<TimerName>;
  readonly #measurement: Measurement;
  readonly #tracer: TracerThread;
  readonly #copiers: Copiers;
  readonly #pageServer: PageServer;
  readonly #rehearsal: SwitchOverRehearsal;
  #state: OutgoingState;
  #controlAddress: Address;
  #pagePorts: readonly number[] = [];
  #faultPort = 1;
  #link: EmulatedLink | undefined;
  #control: ControlConnection | undefined;
  /** Bytes of control connections: of frames, and as the sockets counted; of those that are closed already. */
  #controlBytes = 0;
  #controlSocketBytes = 0;
  #controlSentBytes = 0;
  #heartbeat: Cancellable | undefined;
  #outcome: Outcome | undefined;
  /** When the stop was decided. */
  #stoppingFrom = 0;
  /** Control connections so far, and how many of them were cut. */
  #connections = 0;
  #cuts = 0;
  #dirtyPages = 0;
  #roundPages = 0;
  #roundStartPages = 0;
  #roundFrom = 0;
  #expectedMs: number | null = null;
  /** What had moved when the timer `push` was armed. */
  #movedBytes = 0;

  constructor(machine: GuestMachine, options: MigrateOptions, hands = HOST) {
    this.#machine = machine;
    this.#hands = hands;
    this.#time = hands.time;
    this.#options = options;
    this.#controlAddress = options.to;
    this.#logger = options.logger.child({ migration: this.id });
    this.#timers = new Timers(this.#time, (timer) => {
      this.#events.push(
        timer === 'push' && this.#moved !== this.#movedBytes
          ? { kind: 'pages-moved' }
          : { kind: 'timer', timer },
      );
    });
    const { trace, plan } = options;
    this.#measurement = new Measurement(options, plan, machine.spec.vcpus);
    const failedAs =
      (who: Helper) =>
      (error: MicrostunError): void => {
        this.#events.push({ kind: 'failed', error, who });
      };
    this.#tracer = new TracerThread(machine.shared, trace, failedAs('tracer'));
    this.#copiers = new Copiers(machine.shared, {
      connected: () => {
        this.#events.push({ kind: 'pages-connected' });
      },
      roundPlaced: (total) => {
        this.#onRoundPlaced(total);
      },
      lost: (error) => {
        this.#events.push({ kind: 'pages-lost', error });
      },
      failed: failedAs('copiers'),
    });
    this.#pageServer = new PageServer(machine.shared, {
      lost: (error) => {
        // A destination that needs no more pages hangs up; that is how a good migration ends.
        this.#logger[this.#state.phase.name === 'ended' ? 'debug' : 'warn'](error.message);
      },
      failed: failedAs('page server'),
    });
    this.#rehearsal = new SwitchOverRehearsal(plan, machine.spec);
    this.#state = beginOutgoing(options.plan).state;
  }

  get snapshot(): MigrationSnapshot {
    const { pages, bytes } = this.#copiers.progress;
    const { phase } = this.#state;
    return {
      phase: phase.name,
      round: phase.name === 'copying' ? phase.soFar.rounds.length : this.#measurement.rounds.length,
      roundPages: this.#roundPages,
      roundPagesSent: pages - this.#roundStartPages,
      sentBytes: bytes,
      dirtyPages: this.#dirtyPages,
      forecastStunMs: this.#measurement.forecastStunMs,
      previousRoundPages: this.#measurement.rounds.at(-1)?.dirtyPages ?? 0,
      roundElapsedMs: this.#roundFrom === 0 ? 0 : (this.#time.nowUs() - this.#roundFrom) / 1000,
      expectedMs: this.#expectedMs,
    };
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
    try {
      this.#rehearsal.rehearse();
      await this.#listen();
    } catch (error) {
      await this.#close();
      return {
        kind: 'failed',
        error: listenFailureOf(asMicrostunError(error, 'LISTEN_FAILED')),
        owner: 'source',
        phase: 'connecting',
      };
    }
    this.#heartbeat = this.#time.every(HEARTBEAT_MS, () => {
      // Asks for a sign of life, and compares the clocks.
      const sinceStopMs = (this.#time.nowUs() - this.#stoppingFrom) / 1000;
      if (wantsHeartbeat(this.#state, sinceStopMs)) this.#send({ name: 'PING', sentAt: this.#time.nowUs() });
    });
    this.#machine.prepareSampling(SAMPLE_DOUBLES_MAX, (error) => {
      this.#logger.warn(error.message);
    });
    this.#machine.startSampling();
    this.#measurement.noteBefore(this.#machine.counters(), this.#machine.gapCounts());
    this.#measurement.notePhase('connecting');
    await this.#performAll(beginOutgoing(this.#options.plan).effects);
    while (this.#outcome === undefined) {
      const event = await this.#events.next();
      const before = this.#state.phase.name;
      const step = stepOutgoing(this.#options.plan, this.#state, event);
      this.#state = step.state;
      const after = step.state.phase.name;
      if (after !== before) {
        this.#measurement.notePhase(after);
        if (after === 'stopping') this.#stoppingFrom = this.#time.nowUs();
        this.#logger.debug({ phase: after, event: event.kind }, 'phase');
      }
      await this.#performAll(step.effects);
    }
    await this.#close();
    this.#measurement.noteSamples(await this.#machine.stopSampling());
    return this.#result(this.#outcome);
  }

  // Through an emulated link, the workers listen behind it and the destination dials its ports instead of theirs.
  async #listen(): Promise<void> {
    const { connections, listen, emulation, bytesPerSecond, faultBytesPerSecond, to } = this.#options;
    const own = emulation === undefined ? listen : BEHIND_THE_LINK;
    const portAt = (first: number, index: number): number => (first === 0 ? 0 : first + index);
    this.#pagePorts = await this.#copiers.start({
      connections,
      listen: own,
      migrationId: this.id,
      bytesPerSecond,
    });
    this.#faultPort = await this.#pageServer.start({
      listen: { host: own.host, port: portAt(own.port, connections) },
      migrationId: this.id,
      bytesPerSecond: faultBytesPerSecond,
    });
    if (emulation === undefined) return;
    const routes = [...this.#pagePorts, this.#faultPort].map((port, index) => ({
      listen: { host: listen.host, port: portAt(listen.port, index) },
      to: { ...BEHIND_THE_LINK, port },
    }));
    this.#link = new EmulatedLink(emulation, {
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
    const [controlPort, ...ports] = await this.#link.start([{ listen: BEHIND_THE_LINK, to }, ...routes]);
    this.#controlAddress = { ...BEHIND_THE_LINK, port: controlPort! };
    this.#pagePorts = ports.slice(0, connections);
    this.#faultPort = ports[connections]!;
  }

  #result(outcome: Outcome): MigrationResult {
    if (outcome.kind === 'failed') return outcome;
    const pages = this.#copiers.bytes;
    const faults = this.#pageServer.bytes;
    try {
      const report = this.#measurement.report(this.#machine.spec, {
        control: this.#controlBytes + pages.control + faults.control,
        faults: faults.faults,
        sockets: this.#controlSocketBytes + pages.socket + faults.socket,
        // A push that was never acknowledged lost a connection, whether or not that was noticed.
        cuts: pages.cuts + faults.cuts + this.#cuts + (this.#copiers.isCopying ? 1 : 0),
      });
      return { kind: 'completed', report };
    } catch (error) {
      return {
        kind: 'failed',
        error: asMicrostunError(error, 'MEASUREMENT'),
        owner: 'destination',
        phase: 'ended',
      };
    }
  }

  async #close(): Promise<void> {
    this.#heartbeat?.cancel();
    this.#timers.disarmAll();
    this.#hangUp();
    await Promise.all([this.#tracer.close(), this.#copiers.close(), this.#pageServer.close()]);
    await this.#link?.close();
  }

  async #performAll(effects: readonly OutgoingEffect[]): Promise<void> {
    for (const effect of effects) await this.#perform(effect);
  }

  // Long work is started here and reports back as an event; only what must come before the next effect is awaited.
  async #perform(effect: OutgoingEffect): Promise<void> {
    switch (effect.kind) {
      case 'dial':
        this.#dial();
        return;
      case 'hang-up':
        this.#hangUp();
        return;
      case 'greet':
        this.#send({
          name: 'HELLO',
          version: PROTOCOL_VERSION,
          role: 'control',
          migrationId: this.id,
          welcomedBy: effect.welcomedBy,
          index: 0,
          round: 0,
          windows: 0,
        });
        return;
      case 'send-prepare':
        this.#sendPrepare();
        return;
      case 'ping':
        this.#send({ name: 'PING', sentAt: this.#time.nowUs() });
        return;
      case 'send':
        this.#send(effect.message);
        return;
      case 'note-clock':
        this.#measurement.noteClock(effect.sample);
        return;
      case 'install-traces':
        this.#machine.watchGaps();
        this.#start(this.#installTraces());
        return;
      case 'copy-round':
        this.#copyRound(effect.round, 0);
        return;
      case 'push':
        this.#copyRound(effect.round, PUSHED | CHECKED);
        return;
      case 'stop-round':
        this.#copiers.stopRound(effect.round);
        return;
      case 'harvest':
        this.#start(this.#harvest(effect.keepsRest));
        return;
      case 'note-forecast':
        this.#measurement.noteForecast(effect.forecast, effect.course);
        this.#expectedMs = effect.course?.remainingMs ?? null;
        return;
      case 'stop-guest':
        this.#start(this.#stopGuest(effect));
        return;
      case 'throttle':
        this.#machine.safepoints.throttle(effect.share);
        this.#measurement.noteThrottle(effect.share);
        return;
      case 'hand-over':
        this.#handOver(effect.handOver, effect.copiesRest);
        return;
      case 'note-resumed':
        this.#measurement.noteResumed(effect.message, effect.receivedAt);
        this.#measurement.noteParkedGuest(this.#machine.counters(), this.#machine.gapCounts());
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
      case 'release-guest':
        await this.#releaseGuest();
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
      case 'arm':
        if (effect.timer === 'push') this.#movedBytes = this.#moved;
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

  // ---- The control connection ----------------------------------------------------------------------------------

  #dial(): void {
    this.#hands.dial(this.#controlAddress, DIAL_MS).then(
      (unowned) => {
        if (this.#outcome !== undefined) {
          unowned.drop();
          return;
        }
        const control = unowned.claim({
          received: ({ message, receivedAt }) => {
            if (this.#control !== control) return;
            if (message.name === 'WELCOME')
              this.#measurement.destination = { pid: message.pid, host: message.host };
            this.#events.push({ kind: 'received', message, receivedAt });
          },
          backlog: () => this.#events.length,
          closed: (error) => {
            if (this.#control !== control) return;
            this.#events.push({
              kind: 'control-lost',
              error: error ?? new MicrostunError('CONNECTION_LOST', 'hung up'),
            });
          },
        });
        this.#hangUp();
        // Whoever ended the last one: what was under way on it may not have left.
        if (this.#connections++ > 0) this.#cuts++;
        this.#control = control;
        control.expectLife(SILENCE_MS_MAX);
        this.#events.push({ kind: 'dialled' });
      },
      (error: unknown) => {
        this.#events.push({ kind: 'dial-failed', error: asMicrostunError(error, 'CONNECT_FAILED') });
      },
    );
  }

  #send(message: Message): ReturnType<ControlConnection['send']> {
    const sent = this.#control?.send(message) ?? { bytes: 0, sentAt: this.#time.nowUs() };
    this.#controlSentBytes += sent.bytes;
    // However often, and whenever there is a connection to send it on.
    if (message.name === 'HAND_OVER')
      this.#measurement.noteHandedOver(sent.sentAt, sent.bytes, message.bitmap);
    return sent;
  }

  #hangUp(): void {
    const control = this.#control;
    if (control === undefined) return;
    this.#control = undefined;
    control.end();
    // Cut by what it was given last, which never left.
    if (control.isDestroyed) this.#cuts++;
    this.#controlBytes += this.#controlSentBytes + control.receivedBytes;
    this.#controlSocketBytes += control.carriedBytes;
    this.#controlSentBytes = 0;
  }

  #sendPrepare(): void {
    const { plan, auditAfterMs } = this.#options;
    const message: MessageOf<'PREPARE'> = {
      name: 'PREPARE',
      guest: this.#machine.spec,
      mode: plan.mode,
      pagePorts: [...this.#pagePorts],
      faultPort: this.#faultPort,
      audits: plan.audits,
      auditAfterMs,
    };
    this.#send(message);
  }

  // ---- Work ----------------------------------------------------------------------------------------------------

  async #installTraces(): Promise<OutgoingEvent> {
    this.#measurement.installMs = await this.#tracer.installTraces();
    this.#dirtyPages = this.#machine.spec.memoryBytes / PAGE_BYTES;
    return { kind: 'traces-installed' };
  }

  #copyRound(round: number, flags: number): void {
    this.#roundPages = this.#dirtyPages;
    this.#roundStartPages = this.#copiers.progress.pages;
    this.#roundFrom = this.#time.nowUs();
    this.#copiers.copyRound(round, flags);
  }

  /** Bytes of pages that moved so far, pushed or asked for. */
  get #moved(): number {
    return this.#copiers.movedBytes + this.#pageServer.movedBytes;
  }

  #onRoundPlaced(total: RoundTotal): void {
    const isCopying = this.#state.phase.name === 'copying';
    const carriedPages = total.sentPages + total.zeroPages;
    // A round that was stopped counts as one of what it carried. A push may carry less: faults took the rest.
    const givenPages = isCopying ? Math.min(this.#dirtyPages, carriedPages) : this.#dirtyPages;
    const report = this.#measurement.noteRound(
      total,
      givenPages,
      (this.#time.nowUs() - this.#roundFrom) / 1000,
    );
    this.#logger.debug(report, 'round');
    this.#events.push({ kind: 'round-placed', facts: report, keptPages: this.#dirtyPages - givenPages });
  }

  // Here and at the destination the way that a switch-over takes is walked while the tracer works: it may come next.
  async #harvest(keepsRest: boolean): Promise<OutgoingEvent> {
    const harvested = this.#tracer.harvest(keepsRest);
    this.#send({ name: 'PING', sentAt: this.#time.nowUs() });
    this.#rehearsal.refresh();
    const { dirtyPages } = await harvested;
    this.#dirtyPages = dirtyPages;
    return { kind: 'harvested', dirtyPages };
  }

  async #stopGuest(effect: Extract<OutgoingEffect, { kind: 'stop-guest' }>): Promise<OutgoingEvent> {
    const before = this.#machine.counters();
    const { bitmapFormat, plan } = this.#options;
    const stopAt = this.#time.nowUs();
    // The vCPUs are told before the tracer is asked, so that both wake at the same time.
    this.#machine.stop();
    const last = await this.#tracer.takeLast(bitmapFormat, plan.mode === 'post-copy');
    const { registers, guestClockUs } = this.#machine.checkpoint();
    this.#dirtyPages = last.dirtyPages;
    const isTooMuch = last.dirtyPages > effect.pagesMax;
    const pagesFollow = effect.pagesFollow || isTooMuch;
    this.#measurement.noteStop(stopAt, isTooMuch ? 'throttle not enough' : effect.why, pagesFollow, before);
    this.#measurement.noteTaken(last, this.#machine.lastSliceEndAt());
    const handOver: MessageOf<'HAND_OVER'> = {
      name: 'HAND_OVER',
      registers: [...registers],
      guestClockUs,
      pagesFollow,
      finalRound: effect.round,
      finalPages: pagesFollow ? 0 : last.dirtyPages,
      bitmap: last.bitmap,
    };
    return { kind: 'taken', handOver };
  }

  #handOver(message: MessageOf<'HAND_OVER'>, copiesRest: boolean): void {
    // Before it is sent: the destination may ask for pages as soon as it has it.
    this.#pageServer.noteHandedOver(message.pagesFollow);
    this.#send(message);
    // The guest is parked, so its pages can be checked on their way.
    if (copiesRest) this.#copyRound(message.finalRound, CHECKED);
  }

  async #releaseGuest(): Promise<void> {
    this.#pageServer.noteHandedOver(false);
    const release = await releaseGuest(this.#machine, this.#tracer);
    this.#logger.info(release, 'the guest stays here');
  }
}
