// One migration at the destination of a simulation: does what incoming.ts does, with a fake clock, a fake network and no
// workers. Decides nothing by itself, except what chance lets go wrong.
import { MicrostunError } from '../../src/shared/errors.js';
import { Timers } from '../../src/shared/timers.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import type { Message, MessageOf } from '../../src/shared/wire/messages.js';
import type {
  IncomingEffect,
  FaultSummary,
  IncomingEvent,
  IncomingStep,
  TimerName,
} from '../../src/destination/states/events.js';
import { isMissed } from '../../src/destination/states/lacking.js';
import type { IncomingLimits } from '../../src/destination/states/limits.js';
import { isRefusable, type Outcome, type IncomingState } from '../../src/destination/states/states.js';
import { beginIncoming } from '../../src/destination/states/step.js';
import type { End, PageLine } from './simulated-network.js';
import { labelOf } from './simulated-source.js';
import { timeOf } from './simulated-time.js';
import type { Process } from './simulated-world.js';
import type { MigrationRecord, Witness } from './simulated-witness.js';

export type StepIncoming = (
  limits: IncomingLimits,
  state: IncomingState,
  event: IncomingEvent,
) => IncomingStep;

export interface ReceptionOptions {
  /** The process that it is in. */
  readonly instanceId: string;
  readonly limits: IncomingLimits;
  /** How likely each piece of work fails. */
  readonly failureShare: number;
  readonly step: StepIncoming;
}

const WORK_MS_MAX = 60;
const SLOW_WORK_MS_MAX = 5000;
/** A peer that says nothing for so long is taken for dead: one that was gone before it was attached, say. */
const SILENCE_MS_MAX = 300;
/** How soon the user of a destination that waits for its source looks at that. */
const USER_MS_MAX = 1000;
const LOST = new MicrostunError('CONNECTION_LOST', 'the connection was lost');
const FAILED = new MicrostunError('GUEST_FAILED', 'the guest failed');
const NO_PAGES = new PageBitmap(1);
const FAULTS: FaultSummary = {
  remotePageFaults: 0,
  latencyP50Us: 0,
  latencyP99Us: 0,
  latencyMaxUs: 0,
  latencyBuckets: [],
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
/** Between two times that the guest's samples are told. */
const SAMPLES_MS = 200;

const AUDITED: MessageOf<'AUDITED'> = {
  name: 'AUDITED',
  passed: true,
  checked: 1,
  failed: 0,
  findings: [],
  samples: new Float64Array(0),
  gaps: new Float64Array(0),
  longestStallUs: 0,
};

/** One migration at the destination. */
export class SimulatedReception {
  readonly id: string;
  readonly #process: Process;
  readonly #record: MigrationRecord;
  readonly #witness: Witness;
  readonly #options: ReceptionOptions;
  readonly #line: PageLine;
  readonly #timers: Timers<TimerName>;
  readonly #queue: IncomingEvent[] = [];
  #isStepping = false;
  #finished: ((outcome: Outcome) => void)[] = [];
  #isFinished = false;
  #outcome: Outcome | undefined;
  #end: End | undefined;
  #arePagesLost = false;
  #lackingPages = 0;
  /** Its user ends it, with or without its pages. */
  #isCancelled = false;
  state: IncomingState = beginIncoming();

  constructor(
    process: Process,
    line: PageLine,
    record: MigrationRecord,
    witness: Witness,
    options: ReceptionOptions,
  ) {
    this.id = record.id;
    this.#process = process;
    this.#record = record;
    this.#witness = witness;
    this.#options = options;
    this.#line = line;
    this.#timers = new Timers(timeOf(process), (timer) => {
      this.on({ kind: 'timer', timer });
    });
  }

  get isAbandoned(): boolean {
    return this.#end === undefined && isRefusable(this.state);
  }

  get hasEnded(): boolean {
    return this.#outcome !== undefined;
  }

  get isFinished(): boolean {
    return this.#isFinished;
  }

  whenFinished(listener: (outcome: Outcome) => void): void {
    if (this.#isFinished) listener(this.#outcome!);
    else this.#finished.push(listener);
  }

  cancel(reason: string): void {
    this.#isCancelled = true;
    this.on({ kind: 'cancel', reason });
  }

  fail(): void {
    this.on({ kind: 'failed', error: FAILED });
  }

  /** The guest that came threw, after its migration: the process that runs it says so. */
  stopGuest(): void {
    if (this.#record.resumedBy === this.#options.instanceId) this.#witness.stops(this.#record, 'failed');
  }

  die(): void {
    this.#line.leaveDestination();
  }

  // As incoming.ts: what a channel says counts while it is the one in use; the old one is dropped first.
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

  on(event: IncomingEvent): void {
    // A reception that has ended only says again what it said, to a source that comes back.
    if (this.hasEnded && event.kind !== 'attached') return;
    this.#queue.push(event);
    if (this.#isStepping) return;
    this.#isStepping = true;
    for (let next = this.#queue.shift(); next !== undefined; next = this.#queue.shift()) this.#step(next);
    this.#isStepping = false;
  }

  #step(event: IncomingEvent): void {
    const { world } = this.#process;
    const { state, effects } = this.#options.step(this.#options.limits, this.state, event);
    this.state = state;
    world.note(
      () =>
        `${this.#options.instanceId} ${this.id}: ${labelOf(event)} → ${state.name}` +
        effects.map((effect) => ` · ${labelOf(effect)}`).join(''),
    );
    if (state.name === 'ended' && state.outcome.kind === 'pages-lost' && event.kind === 'timer' && this.#end)
      world.violate(`${this.id}: the destination gave up its source while that was connected`);
    for (const effect of effects) {
      this.#perform(effect);
      world.onMilestone(effect.kind);
    }
    world.onMilestone(event.kind);
  }

  #perform(effect: IncomingEffect): void {
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
        this.#witness.prepares(this.#record, this.#options.instanceId);
        this.#connectPages();
        this.#work({ kind: 'prepared', preparedMs: 1 });
        return;
      case 'validate': {
        const [high, low] = effect.handOver.bitmap;
        this.#lackingPages = (high! << 8) | low!;
        const validated = {
          lacking: NO_PAGES,
          lackingPages: this.#lackingPages,
          receivedAt: 0,
          validatedAt: 0,
        };
        this.#process.after(chance.isTrue(0.5) ? 0 : chance.delay(5), () => {
          this.on(
            chance.isTrue(this.#options.failureShare)
              ? { kind: 'declined', code: 'PROTOCOL', error: FAILED }
              : { kind: 'validated', validated },
          );
        });
        return;
      }
      case 'confirm':
        this.on({ kind: 'confirmed' });
        return;
      case 'resume':
        this.#resume(effect.handOver.pagesFollow);
        return;
      case 'reconnect-pages':
        if (this.#arePagesLost) this.#connectPages();
        return;
      case 'settle':
        this.#process.after(this.#workMs(), () => {
          this.on({ kind: 'settled', settledAt: 0, fetchedPages: this.#lackingPages, faults: FAULTS });
        });
        return;
      case 'report-source':
        if (effect.isAway) this.#awaitSource();
        return;
      case 'audit':
        this.#work({ kind: 'audited', answer: AUDITED });
        return;
      case 'stop-audit':
        this.#record.auditedAt = Math.min(this.#record.auditedAt, this.#process.world.clock.now);
        return;
      case 'arm':
        this.#timers.arm(effect.timer, effect.ms);
        return;
      case 'disarm':
        this.#timers.disarm(effect.timer);
        return;
      case 'end':
        this.#finish(effect.outcome);
        return;
      default:
        // What is noted for the report changes nothing here.
        return;
    }
  }

  #send(message: Message): void {
    if (message.name === 'REFUSAL') this.#witness.refuses(this.#record, this.#options.instanceId);
    this.#end?.send(message);
  }

  #work(event: IncomingEvent): void {
    const { chance } = this.#process.world;
    this.#process.after(this.#workMs(), () => {
      if (this.#outcome !== undefined) return;
      const isFailed = chance.isTrue(this.#options.failureShare);
      if (event.kind === 'audited' && !isFailed) this.#record.auditedAt = this.#process.world.clock.now;
      this.on(isFailed ? { kind: 'declined', code: 'GUEST_FAILED', error: FAILED } : event);
    });
  }

  // Its vCPUs run from here on, whenever that is known; pages may all be here before it is.
  #resume(pagesFollow: boolean): void {
    const { chance } = this.#process.world;
    this.#witness.resumes(this.#record, this.#options.instanceId);
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
      this.on({ kind: 'resumed', resumedAt: 0, answer: RESUMED });
      this.#tellSamples();
    });
  }

  // A few samples, now and then, as long as the reception lasts.
  #tellSamples(): void {
    this.#process.after(SAMPLES_MS, () => {
      if (this.#outcome !== undefined) return;
      this.on({ kind: 'sampled', samples: new Float64Array(0) });
      this.#tellSamples();
    });
  }

  // Now and then a host is so busy that work takes longer than peers are waited for.
  #workMs(): number {
    const { chance } = this.#process.world;
    return chance.delay(chance.isTrue(0.02) ? SLOW_WORK_MS_MAX : WORK_MS_MAX);
  }

  // The user looks at the source, and ends what waits for one that is gone for good.
  #awaitSource(): void {
    this.#process.after(USER_MS_MAX, () => {
      if (!isMissed(this.state)) return;
      if (this.#isSourceGone) this.cancel('the user sees that the source is gone');
      else this.#awaitSource();
    });
  }

  get #isSourceGone(): boolean {
    return this.#record.guest.isSourceKilled || this.#record.sourceEnd !== undefined;
  }

  #allArrived(): void {
    if (this.#record.isWhole || this.#outcome !== undefined) return;
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
        if (this.#record.resumedBy === this.#options.instanceId) this.#allArrived();
        this.on({ kind: 'round-placed', round, pages });
      },
    });
  }

  #finish(outcome: Outcome): void {
    const { world } = this.#process;
    if (this.#outcome !== undefined) {
      world.violate(`${this.id}: the reception ended twice`);
      return;
    }
    this.#outcome = outcome;
    this.#timers.disarmAll();
    this.#line.leaveDestination();
    const { isWhole, resumedBy } = this.#record;
    const isOurs = resumedBy === this.#options.instanceId;
    if (outcome.kind === 'running' && !isWhole)
      world.violate(`${this.id}: the reception ended as running, and pages are missing`);
    if (outcome.kind === 'running' && !isOurs)
      world.violate(`${this.id}: the reception ended as running, and it never resumed`);
    if (outcome.kind === 'pages-lost') {
      if (isWhole) world.violate(`${this.id}: pages are reported as lost that are here`);
      const isTold = this.#options.limits.endsWithoutPages || this.#isCancelled || this.#isSourceGone;
      if (!isTold) world.violate(`${this.id}: pages are given up that the source keeps`);
      this.#witness.stops(this.#record, 'pages-lost');
    }
    if (outcome.kind === 'failed' && isOurs) this.#witness.stops(this.#record, 'failed');
    this.#process.after(world.chance.delay(WORK_MS_MAX), () => {
      this.#isFinished = true;
      for (const listener of this.#finished) listener(outcome);
      this.#finished = [];
    });
  }
}
