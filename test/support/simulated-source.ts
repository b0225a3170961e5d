// A source process of a simulation: does what outgoing.ts does, with a fake clock, a fake network and no workers.
// Decides nothing by itself, except what chance lets go wrong.
import { MicrostunError } from '../../src/shared/errors.js';
import { Timers } from '../../src/shared/timers.js';
import { REGISTERS_PER_VCPU } from '../../src/shared/guest/guest-program.js';
import { encodeBitmap } from '../../src/shared/memory/compacted-bitmap.js';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import type { Message, MessageOf } from '../../src/shared/wire/messages.js';
import type { OutgoingEffect, OutgoingStep } from '../../src/source/states/effects.js';
import type { OutgoingEvent, TimerName } from '../../src/source/states/events.js';
import type { MigrationPlan } from '../../src/source/states/plan.js';
import type { OutgoingState } from '../../src/source/states/states.js';
import { beginOutgoing } from '../../src/source/states/step.js';
import { PageLine, type End, type Network } from './simulated-network.js';
import { firstPages, SIMULATED_MEMORY_BYTES } from './simulated-pages.js';
import { timeOf } from './simulated-time.js';
import { STALL_MS_MAX, type Process } from './simulated-world.js';
import type { Guest, MigrationRecord, Witness } from './simulated-witness.js';

export type StepMigration = (plan: MigrationPlan, state: OutgoingState, event: OutgoingEvent) => OutgoingStep;

export interface SourceOptions {
  readonly id: string;
  readonly plan: MigrationPlan;
  readonly auditAfterMs: number;
  /** How likely each piece of the workers' work fails. */
  readonly failureShare: number;
  readonly step: StepMigration;
  readonly onEnd: () => void;
}

const WORK_MS_MAX = 60;
const LOST = new MicrostunError('CONNECTION_LOST', 'the connection was lost');
const FAILED = new MicrostunError('WORKER_FAILED', 'a worker failed');

export class SimulatedMigration {
  readonly id: string;
  readonly process: Process;
  readonly record: MigrationRecord;
  readonly #witness: Witness;
  readonly #network: Network;
  readonly #options: SourceOptions;
  readonly #timers: Timers<TimerName>;
  readonly #line: PageLine;
  readonly #queue: OutgoingEvent[] = [];
  #isStepping = false;
  #end: End | undefined;
  /** How often pages had moved when the timer `push` was armed. */
  #moves = 0;
  /** Pages of a round that was stopped and did not send them. */
  #keptPages = 0;
  /** Pages that the next copy carries. */
  #dirtyPages = 0;
  #welcomedAt = -Infinity;
  #isToldNoAnswer = false;
  state: OutgoingState;

  constructor(process: Process, guest: Guest, witness: Witness, network: Network, options: SourceOptions) {
    const { id, plan } = options;
    this.id = id;
    this.process = process;
    this.record = witness.record(id, guest, plan.audits);
    this.#witness = witness;
    this.#network = network;
    this.#options = options;
    this.#timers = new Timers(timeOf(process), (timer) => {
      this.on(
        timer === 'push' && this.#line.moves !== this.#moves
          ? { kind: 'pages-moved' }
          : { kind: 'timer', timer },
      );
    });
    this.#line = new PageLine(network, process, {
      connected: () => {
        this.on({ kind: 'pages-connected' });
      },
      lost: () => {
        this.on({ kind: 'pages-lost', error: LOST });
      },
      placed: () => {
        const { chance } = process.world;
        const dirtyPages = this.#dirtyPages - this.#keptPages;
        this.on({
          kind: 'round-placed',
          facts: { dirtyPages, sentBytes: dirtyPages * 4096, durationMs: chance.between(1, 3) },
          keptPages: this.#keptPages,
        });
      },
    });
    network.lines.set(id, this.#line);
    const first = beginOutgoing(plan);
    this.state = first.state;
    for (const effect of first.effects) this.#perform(effect);
  }

  get hasEnded(): boolean {
    return this.state.phase.name === 'ended';
  }

  /** Whether it has said that it cannot learn the answer, or that no page moves, and goes on asking. */
  get goesOnAsking(): boolean {
    const { phase } = this.state;
    return (
      (phase.name === 'handing-over' && phase.isInDoubt) || (phase.name === 'pushing' && phase.stills > 0)
    );
  }

  /** Whether the destination has said what is no refusal: that it has forgotten, or that the guest is no more. */
  get isToldNoAnswer(): boolean {
    return this.#isToldNoAnswer;
  }

  cancel(): void {
    this.record.cancelledIn.add(this.state.phase.name);
    this.on({ kind: 'cancel', reason: 'the user cancels' });
  }

  fail(): void {
    this.on({ kind: 'failed', error: FAILED });
  }

  /** The process is dead: its pages are gone. */
  die(): void {
    this.#line.leaveSource();
  }

  on(event: OutgoingEvent): void {
    this.#queue.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#step(next);
    this.#isStepping = false;
  }

  #step(event: OutgoingEvent): void {
    if (this.hasEnded) return;
    const { world } = this.process;
    const before = this.state;
    if (event.kind === 'received' && ['CANCEL', 'REFUSAL'].includes(event.message.name))
      this.#isToldNoAnswer = before.phase.name === 'handing-over';
    if (event.kind === 'received' && event.message.name === 'WELCOME') this.#welcomedAt = world.clock.now;
    const { state, effects } = this.#options.step(this.#options.plan, before, event);
    this.state = state;
    world.note(
      () =>
        `source ${this.id}: ${labelOf(event)} → ${state.phase.name}, control ${state.control.name}` +
        effects.map((effect) => ` · ${labelOf(effect)}`).join(''),
    );
    if (
      effects.some((effect) => effect.kind === 'end' && effect.outcome.kind === 'failed') &&
      event.kind === 'timer'
    )
      this.#checkGivingUp(before, event.timer);
    for (const effect of effects) {
      this.#perform(effect);
      world.onMilestone(effect.kind);
    }
  }

  // A guest that is handed over is given up only for a reason: time alone is none while the destination is there, and
  // an answer that came long ago cannot be missing.
  #checkGivingUp({ phase, control }: OutgoingState, timer: TimerName): void {
    const { world } = this.process;
    const { now } = world.clock;
    if (timer === 'doubt' && now - this.#welcomedAt < this.#options.plan.doubtMs - 1)
      world.violate(`${this.id}: timer doubt ended the asking of a destination that is there`);
    if (
      phase.name === 'awaiting-audit' &&
      control.name === 'up' &&
      this.record.auditedAt < now - STALL_MS_MAX - 500
    )
      world.violate(`${this.id}: timer ${timer} ended the wait for an audit that is over`);
    if (phase.name === 'handing-over' && timer !== 'doubt')
      world.violate(`${this.id}: timer ${timer} ended a hand-over whose answer could still come`);
    if (timer === 'control-limit' && phase.name === 'pushing')
      world.violate(`${this.id}: a push ended for want of a control connection`);
    if (phase.name === 'pushing' && control.name === 'up')
      world.violate(`${this.id}: timer ${timer} ended the push while the destination was there`);
  }

  #perform(effect: OutgoingEffect): void {
    const { record, process } = this;
    const { chance } = process.world;
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
          ...NO_WINDOWS,
        });
        return;
      case 'send-prepare':
        this.#send(this.#prepare());
        return;
      case 'ping':
        this.#send({ name: 'PING', sentAt: process.world.clock.now * 1000 });
        return;
      case 'send':
        this.#send(effect.message);
        return;
      case 'install-traces':
        this.#work({ kind: 'traces-installed' });
        return;
      case 'copy-round':
        this.#line.copy(effect.round, this.#dirtyPages);
        return;
      case 'harvest':
        this.#dirtyPages = chance.between(0, 3000) + this.#keptPages;
        this.#keptPages = 0;
        this.#work({ kind: 'harvested', dirtyPages: this.#dirtyPages });
        return;
      case 'stop-guest':
        this.#stopGuest(effect.round, effect.pagesFollow);
        return;
      case 'hand-over':
        this.#send(effect.handOver);
        if (effect.copiesRest) this.#line.copy(effect.handOver.finalRound, effect.handOver.finalPages);
        return;
      case 'push':
        this.#line.copy(effect.round, this.#dirtyPages);
        return;
      case 'release-guest':
        this.#witness.releases(record);
        return;
      case 'report-doubt':
        record.isDoubtReported = true;
        return;
      case 'stop-round':
        this.#keptPages = chance.between(0, this.#dirtyPages);
        return;
      case 'arm':
        if (effect.timer === 'push') this.#moves = this.#line.moves;
        this.#timers.arm(effect.timer, effect.ms);
        return;
      case 'disarm':
        this.#timers.disarm(effect.timer);
        return;
      case 'end': {
        const { outcome } = effect;
        this.#timers.disarmAll();
        this.#hangUp();
        this.#line.leaveSource();
        this.#witness.sourceEnds(record, outcome.kind === 'completed' ? 'completed' : outcome.owner);
        this.#options.onEnd();
        return;
      }
      default:
        // What is noted for the report changes nothing here.
        return;
    }
  }

  // As outgoing.ts: what a socket says counts while it is the one in use, and a new one takes its place.
  #dial(): void {
    this.#network.dial(
      this.process,
      (end) => {
        if (this.hasEnded) {
          end.close();
          return;
        }
        end.received = (message) => {
          const receivedAt = this.process.world.clock.now * 1000;
          if (this.#end === end) this.on({ kind: 'received', message, receivedAt });
        };
        end.closed = () => {
          if (this.#end === end) this.on({ kind: 'control-lost', error: LOST });
        };
        this.#hangUp();
        this.#end = end;
        this.on({ kind: 'dialled' });
      },
      () => {
        this.on({ kind: 'dial-failed', error: LOST });
      },
    );
  }

  #hangUp(): void {
    this.#end?.close();
    this.#end = undefined;
  }

  #send(message: Message): void {
    if (message.name === 'HAND_OVER') this.#witness.sendsHandOver(this.record);
    this.#end?.send(message);
  }

  #prepare(): MessageOf<'PREPARE'> {
    const { plan, auditAfterMs } = this.#options;
    return {
      name: 'PREPARE',
      guest: { program: 'simulated', memoryBytes: SIMULATED_MEMORY_BYTES, vcpus: 1, seed: 0, writeRate: 0 },
      mode: plan.mode,
      pagePorts: [1],
      faultPort: 1,
      audits: plan.audits,
      auditAfterMs,
    };
  }

  #stopGuest(round: number, pagesFollow: boolean): void {
    const { process, record } = this;
    process.after(process.world.chance.delay(WORK_MS_MAX), () => {
      if (this.hasEnded) return;
      record.guest.runsAtSource = false;
      const { mode } = this.#options.plan;
      const { chance } = process.world;
      if (mode === 'post-copy') this.#dirtyPages = 100;
      else this.#dirtyPages = chance.isTrue(0.3) ? 0 : chance.between(1, 300);
      this.#work({
        kind: 'taken',
        handOver: {
          name: 'HAND_OVER',
          registers: [new Float64Array(REGISTERS_PER_VCPU)],
          guestClockUs: 0,
          pagesFollow,
          finalRound: round,
          finalPages: pagesFollow ? 0 : this.#dirtyPages,
          bitmap: encodeBitmap(firstPages(this.#dirtyPages), 'compacted'),
        },
      });
    });
  }

  #work(event: OutgoingEvent): void {
    const { chance } = this.process.world;
    this.process.after(chance.delay(WORK_MS_MAX), () => {
      this.on(chance.isTrue(this.#options.failureShare) ? { kind: 'failed', error: FAILED } : event);
    });
  }
}

const NO_WINDOWS = { index: 0, round: 0, windows: 0 };

/** An event or an effect in a few words. */
export function labelOf(happening: { readonly kind: string }): string {
  const { kind, ...rest } = happening as { kind: string; message?: Message; timer?: string; ms?: number };
  if (rest.message !== undefined) return `${kind} ${rest.message.name}`;
  if (rest.timer !== undefined)
    return rest.ms === undefined ? `${kind} ${rest.timer}` : `${kind} ${rest.timer} ${rest.ms} ms`;
  return kind;
}
