// A destination process of a simulation: the front door of destination.ts and the driver of receive.ts, with a fake
// clock, a fake network and no workers. Decides nothing by itself, except what chance lets go wrong.
import { MicrostunError } from '../../src/shared/errors.js';
import type { Message, MessageOf, RefusalCode } from '../../src/shared/wire/messages.js';
import {
  beginReception,
  isHandedOver,
  type Ending,
  type ReceptionEffect,
  type ReceptionEvent,
  type ReceptionLimits,
  type ReceptionStep,
  type ReceptionTimer,
  type Stage,
} from '../../src/destination/reception.js';
import type { End, Network, PageLine } from './simulated-network.js';
import { labelOf } from './simulated-source.js';
import { SimulatedTimers, type Process } from './simulated-world.js';
import type { MigrationRecord, Witness } from './simulated-witness.js';

export type StepReception = (limits: ReceptionLimits, stage: Stage, event: ReceptionEvent) => ReceptionStep;

export interface DestinationOptions {
  readonly limits: ReceptionLimits;
  readonly failureShare: number;
  /** Started anew as another version of the program: it refuses whoever asks, without a welcome. */
  readonly isOfAnotherVersion: boolean;
  readonly step: StepReception;
}

const WORK_MS_MAX = 60;
const SLOW_WORK_MS_MAX = 5000;
/** A peer that says nothing for so long is taken for dead: one that was gone before it was attached, say. */
const SILENCE_MS_MAX = 300;
const LOST = new MicrostunError('CONNECTION_LOST', 'the connection was lost');
const FAILED = new MicrostunError('GUEST_FAILED', 'the guest failed');
const ARRIVED: MessageOf<'ARRIVED'> = {
  name: 'ARRIVED',
  pushedPages: 0,
  fetchedPages: 0,
  remotePageFaults: 0,
  latencyP50Us: 0,
  latencyP99Us: 0,
  latencyMaxUs: 0,
  latencyBuckets: [],
  durationMs: 0,
};
const RESUMED: MessageOf<'RESUMED'> = {
  name: 'RESUMED',
  receivedAt: 0,
  validationMs: 0,
  placementMs: 0,
  resumeMs: 0,
  answeredAt: 0,
  firstSliceAt: [],
};
const AUDITED: MessageOf<'AUDITED'> = {
  name: 'AUDITED',
  passed: true,
  checked: 1,
  failed: 0,
  findings: [],
  samples: new Float64Array(0),
};

/** The front door. */
export class SimulatedDestination {
  readonly instanceId: string;
  readonly process: Process;
  readonly #witness: Witness;
  readonly #network: Network;
  readonly #options: DestinationOptions;
  readonly #refused = new Set<string>();
  current: SimulatedReception | undefined;

  constructor(process: Process, witness: Witness, network: Network, options: DestinationOptions) {
    this.instanceId = process.name;
    this.process = process;
    this.#witness = witness;
    this.#network = network;
    this.#options = options;
    network.listener = this;
  }

  accept(end: End): void {
    end.received = (hello) => {
      if (hello.name !== 'HELLO') return;
      if (this.#options.isOfAnotherVersion) this.#refuse(end, 'VERSION_MISMATCH');
      else this.#greet(end, hello.migrationId);
    };
  }

  cancel(): void {
    this.current?.on({ kind: 'cancel', reason: 'the user cancels' });
  }

  fail(): void {
    this.current?.on({ kind: 'failed', error: FAILED });
  }

  die(): void {
    this.process.isAlive = false;
    this.current?.die();
    this.#witness.destinationDies(this.instanceId);
  }

  #greet(end: End, migrationId: string): void {
    const { current } = this;
    if (!this.#refused.has(migrationId) && current !== undefined && current.id !== migrationId) {
      if (current.isAbandoned) {
        // The caller waits for its welcome; what it says before that breaks the protocol.
        end.received = () => {
          end.close();
        };
        current.on({ kind: 'cancel', reason: 'another migration took its place' });
        current.whenFinished(() => {
          this.#admit(end, migrationId);
        });
        return;
      }
    }
    this.#admit(end, migrationId);
  }

  // A caller is welcomed before it is refused: it must know who refuses, and whether that one was restarted.
  #admit(end: End, migrationId: string): void {
    end.send({ name: 'WELCOME', version: 1, instanceId: this.instanceId, pid: 1 });
    if (this.#refused.has(migrationId)) {
      this.#refuse(end, 'CANCELLED');
      return;
    }
    this.current ??= this.#begin(migrationId);
    if (this.current.id === migrationId) this.current.attach(end);
    else this.#refuse(end, 'BUSY');
  }

  #refuse(end: End, code: RefusalCode): void {
    end.send({ name: 'REFUSAL', version: 1, code, reason: 'refused at the door' });
    end.close();
  }

  #begin(migrationId: string): SimulatedReception {
    const line = this.#network.lines.get(migrationId)!;
    const record = this.#witness.recordOf(migrationId);
    const reception = new SimulatedReception(this, line, record, this.#witness, this.#options);
    reception.whenFinished((ending) => {
      if (ending.kind !== 'refused') return;
      this.#refused.add(migrationId);
      this.current = undefined;
    });
    return reception;
  }
}

/** One migration at the destination. */
export class SimulatedReception {
  readonly id: string;
  readonly #node: SimulatedDestination;
  readonly #process: Process;
  readonly #record: MigrationRecord;
  readonly #witness: Witness;
  readonly #options: DestinationOptions;
  readonly #line: PageLine;
  readonly #timers: SimulatedTimers<ReceptionTimer>;
  readonly #queue: ReceptionEvent[] = [];
  #isStepping = false;
  #finished: ((ending: Ending) => void)[] = [];
  #isFinished = false;
  #ending: Ending | undefined;
  #end: End | undefined;
  #arePagesLost = false;
  #lackingPages = 0;
  stage: Stage = beginReception();

  constructor(
    node: SimulatedDestination,
    line: PageLine,
    record: MigrationRecord,
    witness: Witness,
    options: DestinationOptions,
  ) {
    this.id = record.id;
    this.#node = node;
    this.#process = node.process;
    this.#record = record;
    this.#witness = witness;
    this.#options = options;
    this.#line = line;
    this.#timers = new SimulatedTimers(node.process, (timer) => {
      this.on({ kind: 'timer', timer });
    });
  }

  get isAbandoned(): boolean {
    return this.#end === undefined && !isHandedOver(this.stage);
  }

  get hasEnded(): boolean {
    return this.#ending !== undefined;
  }

  whenFinished(listener: (ending: Ending) => void): void {
    if (this.#isFinished) listener(this.#ending!);
    else this.#finished.push(listener);
  }

  die(): void {
    this.#line.leaveDestination();
  }

  // As receive.ts: what a channel says counts while it is the one in use; the old one is dropped first.
  attach(end: End): void {
    const old = this.#end;
    if (old !== undefined) {
      this.#end = undefined;
      old.close();
      this.on({ kind: 'control-lost', error: LOST });
    }
    end.received = (message) => {
      const receivedAt = this.#process.world.clock.now * 1000;
      if (this.#end === end) this.on({ kind: 'received', message, receivedAt });
    };
    end.closed = () => {
      if (this.#end !== end) return;
      this.#end = undefined;
      this.on({ kind: 'control-lost', error: LOST });
    };
    this.#end = end;
    if (!end.isOpen) this.#process.after(SILENCE_MS_MAX, end.closed);
    this.on({ kind: 'attached' });
  }

  on(event: ReceptionEvent): void {
    // A reception that has ended only says again what it said, to a source that comes back.
    if (this.hasEnded && event.kind !== 'attached') return;
    this.#queue.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#step(next);
    this.#isStepping = false;
  }

  #step(event: ReceptionEvent): void {
    const { world } = this.#process;
    const { stage, effects } = this.#options.step(this.#options.limits, this.stage, event);
    this.stage = stage;
    world.note(
      () =>
        `${this.#node.instanceId} ${this.id}: ${labelOf(event)} → ${stage.name}` +
        effects.map((effect) => ` · ${labelOf(effect)}`).join(''),
    );
    if (stage.name === 'ended' && stage.ending.kind === 'pages-lost' && event.kind === 'timer' && this.#end)
      world.violate(`${this.id}: the destination gave up its source while that was connected`);
    for (const effect of effects) {
      this.#perform(effect);
      world.onMilestone(effect.kind);
    }
    world.onMilestone(event.kind);
  }

  #perform(effect: ReceptionEffect): void {
    const { chance } = this.#process.world;
    switch (effect.kind) {
      case 'send':
        this.#send(effect.message);
        return;
      case 'pong':
        this.#send({ name: 'PONG', sentAt: effect.sentAt, answeredAt: 0 });
        return;
      case 'hang-up':
        this.#end?.close();
        this.#end = undefined;
        return;
      case 'prepare':
        this.#witness.prepares(this.#record, this.#node.instanceId);
        this.#connectPages();
        this.#work({ kind: 'prepared', preparedMs: 1 });
        return;
      case 'validate': {
        const [high, low] = effect.handOver.bitmap;
        this.#lackingPages = (high! << 8) | low!;
        const validated = { validationMs: 0, lackingPages: this.#lackingPages };
        this.#process.after(chance.isTrue(0.5) ? 0 : chance.delay(5), () => {
          this.on(
            chance.isTrue(this.#options.failureShare)
              ? { kind: 'declined', code: 'PROTOCOL', error: FAILED }
              : { kind: 'validated', validated },
          );
        });
        return;
      }
      case 'resume':
        this.#resume(effect.handOver.pagesFollow);
        return;
      case 'reconnect-pages':
        if (this.#arePagesLost) this.#connectPages();
        return;
      case 'settle':
        this.#process.after(this.#workMs(), () => {
          this.on({ kind: 'settled', answer: ARRIVED });
        });
        return;
      case 'audit':
        this.#work({ kind: 'audited', answer: AUDITED });
        return;
      case 'arm':
        this.#timers.arm(effect.timer, effect.ms);
        return;
      case 'disarm':
        this.#timers.disarm(effect.timer);
        return;
      case 'end':
        this.#finish(effect.ending);
        return;
      default:
        // What is noted for the report changes nothing here.
        return;
    }
  }

  #send(message: Message): void {
    if (message.name === 'REFUSAL') this.#witness.refuses(this.#record, this.#node.instanceId);
    this.#end?.send(message);
  }

  #work(event: ReceptionEvent): void {
    const { chance } = this.#process.world;
    this.#process.after(this.#workMs(), () => {
      if (this.#ending !== undefined) return;
      const isFailed = chance.isTrue(this.#options.failureShare);
      if (event.kind === 'audited' && !isFailed) this.#record.auditedAt = this.#process.world.clock.now;
      this.on(isFailed ? { kind: 'declined', code: 'GUEST_FAILED', error: FAILED } : event);
    });
  }

  // Its vCPUs run from here on, whenever that is known; pages may all be here before it is.
  #resume(pagesFollow: boolean): void {
    const { chance } = this.#process.world;
    this.#witness.resumes(this.#record, this.#node.instanceId);
    if (chance.isTrue(this.#options.failureShare)) {
      this.#work({ kind: 'declined', code: 'GUEST_FAILED', error: FAILED });
      return;
    }
    if (!pagesFollow) this.#record.isWhole = true;
    else if (this.#lackingPages === 0) this.#allArrived();
    else if (chance.isTrue(0.4)) {
      // Remote page faults fetch them all.
      this.#process.after(chance.delay(2 * WORK_MS_MAX), () => {
        if (this.#line.isUp) this.#allArrived();
      });
    }
    this.#process.after(this.#workMs(), () => {
      this.on({ kind: 'resumed', answer: RESUMED });
    });
  }

  // Now and then a host is so busy that work takes longer than peers are waited for.
  #workMs(): number {
    const { chance } = this.#process.world;
    return chance.delay(chance.isTrue(0.02) ? SLOW_WORK_MS_MAX : WORK_MS_MAX);
  }

  #allArrived(): void {
    if (this.#record.isWhole || this.#ending !== undefined) return;
    this.#record.isWhole = true;
    this.on({ kind: 'all-arrived' });
  }

  #connectPages(): void {
    this.#line.dial(this.#process, {
      connected: () => {
        this.#arePagesLost = false;
        this.on({ kind: 'pages-connected' });
      },
      lost: () => {
        this.#arePagesLost = true;
        this.on({ kind: 'pages-lost', error: LOST });
      },
      placed: (round, pages) => {
        if (this.#record.resumedBy === this.#node.instanceId) this.#allArrived();
        this.on({ kind: 'round-placed', round, pages });
      },
    });
  }

  #finish(ending: Ending): void {
    const { world } = this.#process;
    if (this.#ending !== undefined) {
      world.violate(`${this.id}: the reception ended twice`);
      return;
    }
    this.#ending = ending;
    this.#timers.disarmAll();
    this.#line.leaveDestination();
    const { isWhole, resumedBy } = this.#record;
    const isOurs = resumedBy === this.#node.instanceId;
    if (ending.kind === 'running' && !isWhole)
      world.violate(`${this.id}: the reception ended as running, and pages are missing`);
    if (ending.kind === 'running' && !isOurs)
      world.violate(`${this.id}: the reception ended as running, and it never resumed`);
    if (ending.kind === 'pages-lost') {
      if (isWhole) world.violate(`${this.id}: pages are reported as lost that are here`);
      this.#witness.stops(this.#record, 'pages-lost');
    }
    if (ending.kind === 'failed' && isOurs) this.#witness.stops(this.#record, 'failed');
    this.#process.after(world.chance.delay(WORK_MS_MAX), () => {
      this.#isFinished = true;
      for (const listener of this.#finished) listener(ending);
      this.#finished = [];
    });
  }
}
