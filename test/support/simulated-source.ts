// A migration at the source of a simulation: the real driver, with fake hands, and somebody who looks at each step.
// Decides nothing by itself.
import { THIS_HOST_ONLY } from '../../src/shared/wire/security.js';
import type { Logger } from 'pino';
import { MicrostunError } from '../../src/shared/errors.js';
import type { Message } from '../../src/shared/wire/messages.js';
import type { OutgoingMigration, MigrateOptions, MigrationResult } from '../../src/source/outgoing.js';
import type { OutgoingHands } from '../../src/source/hands.js';
import type { OutgoingStep } from '../../src/source/states/effects.js';
import type { BitmapLogic } from '../../src/source/tracer/tracer.js';
import type { OutgoingEvent, TimerName } from '../../src/source/states/events.js';
import type { MigrationPlan } from '../../src/source/states/plan.js';
import type { OutgoingState } from '../../src/source/states/states.js';
import { beginOutgoing } from '../../src/source/states/step.js';
import { SimulatedDeparture } from './simulated-departure.js';
import type { Network } from './simulated-network.js';
import { STALL_MS_MAX, type Process } from './simulated-world.js';
import type { Guest, MigrationRecord, Witness } from './simulated-witness.js';

export type StepMigration = OutgoingHands['step'];
export type BeginOutgoing = (hands: OutgoingHands, options: MigrateOptions) => OutgoingMigration;

export interface SourceOptions {
  readonly id: string;
  readonly plan: MigrationPlan;
  readonly auditAfterMs: number;
  readonly bitmapLogic: BitmapLogic;
  /** How likely each piece of the workers' work fails. */
  readonly failureShare: number;
  readonly step: StepMigration;
  /** Makes the driver. */
  readonly begin: BeginOutgoing;
  readonly onEnd: () => void;
}

const ANYWHERE = { host: 'anywhere', port: 1 };

export class SimulatedMigration {
  readonly id: string;
  readonly process: Process;
  readonly record: MigrationRecord;
  readonly #witness: Witness;
  readonly #options: SourceOptions;
  readonly #departure: SimulatedDeparture;
  readonly #migration: OutgoingMigration;
  #welcomedAt = -Infinity;
  #isToldNoAnswer = false;
  #hasEnded = false;
  state: OutgoingState;

  constructor(process: Process, guest: Guest, witness: Witness, network: Network, options: SourceOptions) {
    const { id, plan, auditAfterMs, failureShare } = options;
    this.id = id;
    this.process = process;
    this.record = witness.record(id, guest, plan.audits);
    this.#witness = witness;
    this.#options = options;
    this.state = beginOutgoing(plan).state;
    this.#departure = new SimulatedDeparture({
      process,
      network,
      record: this.record,
      witness,
      dials: plan.dials,
      failureShare,
    });
    const step: StepMigration = (...from) => this.#step(...from);
    this.#migration = options.begin(this.#departure.hands(step), {
      to: ANYWHERE,
      listen: ANYWHERE,
      connections: 1,
      bytesPerSecond: undefined,
      faultBytesPerSecond: undefined,
      pageChecks: true,
      emulation: undefined,
      plan,
      trace: 'dedicated',
      bitmapLogic: options.bitmapLogic,
      auditAfterMs,
      security: THIS_HOST_ONLY,
      logger: NO_LOGGER,
    });
    this.#migration.run().then(
      (result) => {
        this.#onEnd(result);
      },
      (error: unknown) => {
        process.world.violate(`${id}: the source's driver threw: ${String(error)}`);
      },
    );
  }

  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Whether it has ended, and a connection of it is open still. */
  get isHeardAfterItsEnd(): boolean {
    return this.#hasEnded && this.#departure.isConnected;
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
    this.#migration.cancel('the user cancels');
  }

  /** One of its workers fails. */
  fail(): void {
    this.#departure.fail();
  }

  /** The guest's code throws. */
  throwInGuest(): void {
    this.#migration.failWith(new MicrostunError('GUEST_FAILED', 'the guest failed'));
  }

  /** The process is dead: its pages are gone. */
  die(): void {
    this.#departure.leave();
  }

  #onEnd(result: MigrationResult): void {
    if (!this.process.isAlive) return;
    this.#hasEnded = true;
    // What it measured may contradict itself; the guest has gone all the same.
    if (result.kind === 'failed' && result.owner === 'source' && this.#departure.isUntold)
      this.process.world.violate(`${this.id}: a guest that was asked stays, and is not told`);
    const isGone = result.kind === 'completed' || result.error.code === 'MEASUREMENT';
    this.#witness.sourceEnds(this.record, isGone ? 'completed' : result.owner);
    this.#options.onEnd();
  }

  #step(plan: MigrationPlan, before: OutgoingState, event: OutgoingEvent): OutgoingStep {
    const { world } = this.process;
    if (event.kind === 'received' && ['CANCEL', 'REFUSAL'].includes(event.message.name))
      this.#isToldNoAnswer = before.phase.name === 'handing-over';
    if (event.kind === 'received' && event.message.name === 'WELCOME') this.#welcomedAt = world.clock.now;
    const step = this.#options.step(plan, before, event);
    const { state, effects } = step;
    this.state = state;
    world.note(
      () =>
        `source ${this.id}: ${labelOf(event)} → ${state.phase.name}, control ${state.control.name}` +
        effects.map((effect) => ` · ${labelOf(effect)}`).join(''),
    );
    for (const effect of effects) {
      if (effect.kind === 'report-doubt') this.record.isDoubtReported = true;
      if (effect.kind === 'end' && effect.outcome.kind === 'failed' && event.kind === 'timer')
        this.#checkGivingUp(before, event.timer);
      world.onMilestone(effect.kind);
    }
    return step;
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
}

const NO_LOGGER = {
  child: () => NO_LOGGER,
  debug: () => undefined,
  info: () => undefined,
  warn: () => undefined,
  error: () => undefined,
} as unknown as Logger;

/** An event or an effect in a few words. */
export function labelOf(happening: { readonly kind: string }): string {
  const { kind, ...rest } = happening as { kind: string; message?: Message; timer?: string; ms?: number };
  if (rest.message !== undefined) return `${kind} ${rest.message.name}`;
  if (rest.timer !== undefined)
    return rest.ms === undefined ? `${kind} ${rest.timer}` : `${kind} ${rest.timer} ${rest.ms} ms`;
  return kind;
}
