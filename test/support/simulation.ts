// Whole migrations under seeded misfortune: the real drivers of both sides with fake hands, and everything that can go wrong
// between them. One seed is one story; the same seed is the same story.
import { admit } from '../../src/destination/door.js';
import { stepIncoming } from '../../src/destination/states/step.js';
import type { Dials } from '../../src/shared/wire/connection-end.js';
import { helloOf } from '../../src/shared/wire/greeting.js';
import type { MigrationMode, MigrationPlan, TimeoutStrategy } from '../../src/source/states/plan.js';
import { OutgoingMigration } from '../../src/source/outgoing.js';
import { bitmapLogics } from '../../src/source/tracer/tracer.js';
import { stepOutgoing } from '../../src/source/states/step.js';
import { PHASE_LIMITS } from '../../src/destination/states/limits.js';
import { IncomingMigration } from '../../src/destination/incoming.js';
import { TakeOver } from '../../src/destination/take-over.js';
import type { MakeTakeOver } from './simulated-fetcher.js';
import { SimulatedDestination, type BeginIncoming } from './simulated-destination.js';
import { planMisfortunes, type Misfortune } from './simulated-misfortunes.js';
import { Network, PageLine, type PageEvents } from './simulated-network.js';
import type { StepIncoming } from './simulated-place.js';
import { SimulatedMigration, type BeginOutgoing, type StepMigration } from './simulated-source.js';
import { Process, STALL_MS_MAX, World } from './simulated-world.js';
import { Witness, type Guest, type MigrationRecord } from './simulated-witness.js';

/** The state machines and drivers that are tried; a test plants a bug by giving another. */
export interface Machines {
  readonly stepOutgoing: StepMigration;
  /** The source's driver. */
  readonly beginOutgoing: BeginOutgoing;
  readonly stepIncoming: StepIncoming;
  readonly admit: typeof admit;
  /** The destination's driver. */
  readonly beginIncoming: BeginIncoming;
  /** What its fetcher's thread takes a guest over with. */
  readonly takeOver: MakeTakeOver;
}

export const REAL: Machines = {
  stepOutgoing,
  beginOutgoing: (...all) => new OutgoingMigration(...all),
  stepIncoming,
  admit,
  beginIncoming: (...all) => new IncomingMigration(...all),
  takeOver: (parts) => new TakeOver(parts),
};

export interface Story {
  readonly seed: number;
  readonly violation: string | undefined;
  /** What happened, line by line; empty unless asked for. */
  readonly trace: readonly string[];
  readonly records: readonly MigrationRecord[];
  readonly steps: number;
  /** In which phases and phases the guest threw. */
  readonly thrown: ReadonlySet<string>;
}

/** After this instant nothing new goes wrong, and no new migration begins. */
const CHAOS_MS = 3000;
/** Everything must have ended by then: several times the sum of all limits. */
const HORIZON_MS = 60_000;
/** Longer than each limit of either side, and over before the user decides. */
const PARTITION_MS_MIN = 9000;
const PARTITION_MS_MAX = 25_000;
/** The user of a source that goes on asking a destination that is gone ends it then: several times all other limits. */
const DECISION_MS = 40_000;
const STEPS_MAX = 40_000;
const ATTEMPTS_MAX = 2;

/** A source process with a guest, and its attempts to move it. */
interface Source {
  readonly guest: Guest;
  readonly process: Process;
  migration: SimulatedMigration | undefined;
  attempts: number;
}

/**
 * Lets every promise settle that can: what an appointment began is done, as far as it goes without another one, before
 * the clock moves on. The platform takes its next tick only once the queue of promises is empty.
 */
function settled(): Promise<void> {
  return new Promise((resolve) => {
    process.nextTick(resolve);
  });
}

/** Tells the story of `seed`. */
export async function simulate(seed: number, { isTraced = false, machines = REAL } = {}): Promise<Story> {
  const scenario = new Scenario(seed, isTraced, machines);
  await scenario.run();
  const { world, witness, steps, thrown } = scenario;
  return {
    seed,
    violation: world.violation,
    trace: world.trace ?? [],
    records: witness.records,
    steps,
    thrown,
  };
}

const strangersPages: PageEvents = {
  connected: () => undefined,
  lost: () => undefined,
  placed: () => undefined,
  said: () => undefined,
};

class Scenario {
  readonly world: World;
  readonly witness: Witness;
  steps = 0;
  readonly #network: Network;
  readonly #machines: Machines;
  readonly #sources: Source[] = [];
  readonly #plan: MigrationPlan;
  readonly #failureShare: number;
  readonly #places: number;
  readonly #newDestination: () => SimulatedDestination;
  #destination: SimulatedDestination | undefined;
  #restarts = 0;
  #strangers = 0;
  readonly #thrown = new Set<string>();

  constructor(seed: number, isTraced: boolean, machines: Machines) {
    this.world = new World(seed, isTraced);
    this.witness = new Witness(this.world);
    this.#network = new Network(this.world);
    this.#machines = machines;
    const { chance } = this.world;
    this.#plan = this.#makePlan();
    this.#failureShare = chance.isTrue(0.2) ? 0.03 : 0;
    this.#places = chance.isTrue(0.2) ? 2 : 1;
    const limits = {
      controlLostMs: chance.between(300, 3000),
      pagesLostMs: chance.between(200, 2000),
      retryMs: chance.between(5, 30),
      placementMs: chance.between(300, 2000),
      farewellMs: chance.between(300, 3000),
      endsWithoutPages: chance.isTrue(0.5),
      phases: {
        prepareMs: chance.between(300, 3000),
        idleMs: chance.between(1000, 5000),
        resumeMs: chance.between(300, 6000),
        auditMs: chance.between(500, 6000),
        leaveMs: chance.between(300, 3000),
        comebacksMax: PHASE_LIMITS.comebacksMax,
      },
    };
    this.#newDestination = () =>
      new SimulatedDestination(
        new Process(`destination ${++this.#restarts}`, this.world),
        this.witness,
        this.#network,
        {
          limits,
          places: this.#places,
          failureShare: this.#failureShare,
          isForgetful: chance.isTrue(0.2),
          isOfAnotherVersion: this.#restarts > 1 && chance.isTrue(0.1),
          step: this.#machines.stepIncoming,
          admit: this.#machines.admit,
          begin: this.#machines.beginIncoming,
          takeOver: this.#machines.takeOver,
          threw: (phase) => this.#thrown.add(`destination: ${phase}`),
        },
      );
  }

  get thrown(): ReadonlySet<string> {
    return this.#thrown;
  }

  async run(): Promise<void> {
    const { world } = this;
    const { chance, clock } = world;
    world.note(() => `${this.#plan.mode}${this.#plan.audits ? ', audited' : ''}`);
    clock.at(chance.isTrue(0.1) ? chance.between(0, CHAOS_MS) : 0, () => {
      this.#destination = this.#newDestination();
    });
    this.#addSource('A', 0);
    if (chance.isTrue(this.#places > 1 ? 0.7 : 0.1)) this.#addSource('B', chance.between(0, CHAOS_MS));
    clock.at(DECISION_MS, () => {
      this.#decide();
    });
    planMisfortunes(world, (misfortune) => {
      if (clock.now < CHAOS_MS) this.#befall(misfortune);
    });
    try {
      while (world.violation === undefined && !(this.steps % 16 === 0 && this.#isOver())) {
        if (!clock.step(HORIZON_MS)) break;
        await settled();
        this.witness.check();
        if (++this.steps > STEPS_MAX) {
          world.violate('it goes round and round');
          break;
        }
      }
    } catch (error) {
      world.violate(`a step threw: ${String(error)}`);
    }
    if (world.violation === undefined) this.#checkEnd();
  }

  #makePlan(): MigrationPlan {
    const { chance } = this.world;
    return {
      mode: chance.pick<MigrationMode>(['hybrid', 'pre-copy', 'post-copy']),
      dials: chance.pick<Dials>(['destination', 'source']),
      roundsMax: chance.between(1, 4),
      timeLimitMs: chance.between(50, 2000),
      onTimeout: chance.pick<TimeoutStrategy>(['abort', 'post-copy', 'throttle']),
      stunBudgetMs: chance.between(1, 10),
      noticeMs: chance.between(20, 1000),
      bitmapBytes: 0,
      audits: chance.isTrue(0.5),
      verifies: false,
      verifyMs: 1000,
      control: {
        connectMs: chance.between(2000, 4000),
        reconnectMs: chance.between(300, 3000),
        retryMs: chance.between(5, 20),
        retryMsMax: chance.between(50, 200),
      },
      prepareMs: chance.between(500, 3000),
      answerMs: chance.between(50, 500),
      doubtMs: chance.between(200, 2000),
      endsInDoubt: chance.isTrue(0.5),
      endsStillPush: chance.isTrue(0.5),
      phases: {
        pongMs: chance.between(500, 2000),
        installMs: chance.between(200, 2000),
        harvestMs: chance.between(200, 2000),
        stopMs: chance.between(200, 2000),
        stoppedRoundMs: chance.between(500, 3000),
        pushStillMs: chance.between(1000, 3000),
        // A destination that is there is given up only after everything else has ended.
        stillsMax: 1000,
        doubtsMax: 1000,
        noAnswerMs: chance.between(100, 1000),
      },
      pagesLostMs: chance.between(200, 2000),
      auditMs: chance.between(1000, 8000),
    };
  }

  #addSource(name: string, atMs: number): void {
    const guest = this.witness.guest(name);
    const source: Source = {
      guest,
      process: new Process(`source ${name}`, this.world),
      migration: undefined,
      attempts: 0,
    };
    this.#sources.push(source);
    source.process.after(atMs, () => {
      this.#migrate(source);
    });
  }

  // A migration that left the guest at its source may be tried again, under another id.
  #migrate(source: Source): void {
    const { chance, clock } = this.world;
    const id = `${source.guest.name}${++source.attempts}`;
    source.migration = new SimulatedMigration(source.process, source.guest, this.witness, this.#network, {
      id,
      plan: this.#plan,
      auditAfterMs: chance.between(1, 100),
      bitmapLogic: chance.pick(bitmapLogics),
      failureShare: this.#failureShare,
      step: this.#machines.stepOutgoing,
      begin: this.#machines.beginOutgoing,
      onEnd: () => {
        if (!source.guest.runsAtSource || source.attempts === ATTEMPTS_MAX || clock.now > CHAOS_MS) return;
        source.process.after(chance.delay(500), () => {
          this.#migrate(source);
        });
      },
    });
  }

  // Somebody who is no source: says HELLO, with or without a claim to have been here, perhaps waits, and hangs up.
  #admitStranger(): void {
    const { chance } = this.world;
    const id = `stranger ${++this.#strangers}`;
    const process = new Process(id, this.world);
    this.#network.lines.set(id, new PageLine(this.#network, process, strangersPages));
    this.witness.record(id, this.witness.guest(id), false);
    this.#network.dial(
      process,
      (end) => {
        const welcomedBy = chance.pick(['', 'nobody', this.#destination?.instanceId ?? '']);
        end.send(helloOf({ role: 'control', migrationId: id, ticket: `ticket of ${id}`, welcomedBy }));
        process.after(chance.isTrue(0.5) ? 0 : chance.delay(1000), () => {
          end.close();
        });
      },
      () => undefined,
    );
  }

  #befall(misfortune: Misfortune): void {
    const { world } = this;
    const { chance, clock } = world;
    const destination = this.#destination;
    const source = chance.pick(this.#sources);
    world.note(() => `*** ${misfortune}`);
    switch (misfortune) {
      case 'cut control':
        this.#network.cutControl();
        return;
      case 'cut pages':
        this.#network.cutPages();
        return;
      case 'cut all':
        this.#network.cutControl();
        this.#network.cutPages();
        return;
      case 'network down':
        this.#network.takeDown(chance.delay(4000));
        return;
      case 'long partition':
        this.#network.takeDown(chance.between(PARTITION_MS_MIN, PARTITION_MS_MAX));
        return;
      case 'stall source':
        source.process.stall(chance.delay(STALL_MS_MAX));
        return;
      case 'stall destination':
        destination?.process.stall(chance.delay(STALL_MS_MAX));
        return;
      case 'cancel at source':
        if (source.process.isAlive) source.migration?.cancel();
        return;
      case 'cancel at destination':
        if (destination?.process.isAlive === true) destination.cancel();
        return;
      case 'kill source':
        source.process.isAlive = false;
        source.guest.isSourceKilled = true;
        source.migration?.die();
        this.#network.bury(source.process);
        return;
      case 'kill destination': {
        if (destination?.process.isAlive !== true) return;
        destination.die();
        this.#network.bury(destination.process);
        if (chance.isTrue(0.2)) return;
        clock.at(clock.now + chance.delay(1000), () => {
          world.note(() => '*** the destination is started again');
          this.#destination = this.#newDestination();
        });
        return;
      }
      case 'worker fails at source':
        if (source.process.isAlive) source.migration?.fail();
        return;
      case 'worker fails at destination':
        if (destination?.process.isAlive === true) this.#failOne(destination);
        return;
      case 'guest throws at source':
        if (!source.process.isAlive || !source.guest.runsAtSource) return;
        // Nobody tries to move what cannot run.
        source.attempts = ATTEMPTS_MAX;
        if (source.migration !== undefined) this.#thrown.add(`source: ${source.migration.state.phase.name}`);
        source.migration?.throwInGuest();
        return;
      case 'guest throws at destination': {
        if (destination?.process.isAlive !== true) return;
        const phase = this.#failOne(destination);
        if (phase !== undefined) this.#thrown.add(`destination: ${phase}`);
        return;
      }
      case 'a stranger comes':
        this.#admitStranger();
        return;
    }
  }

  // One of its guests; answers where its migration stood.
  #failOne(destination: SimulatedDestination): string | undefined {
    const { migrations } = destination;
    if (migrations.length === 0) return undefined;
    const migration = this.world.chance.pick(migrations);
    const { phase } = migration;
    destination.fail(migration);
    return phase;
  }

  // A source asks for as long as its user lets it. It is in doubt, or keeps its pages, only where nobody can answer.
  #decide(): void {
    const destination = this.#destination;
    const living = destination?.process.isAlive === true ? destination.instanceId : undefined;
    for (const { process, migration } of this.#sources) {
      if (!process.isAlive || !migration?.goesOnAsking) continue;
      const { preparedBy } = migration.record;
      if (preparedBy !== undefined && preparedBy === living && !migration.isToldNoAnswer)
        this.world.violate(`${migration.id}: the source never learned what the destination knows`);
      this.world.note(() => '*** the user ends the source');
      migration.cancel();
    }
  }

  /** Whether nothing more can come, however long one waits. */
  #isOver(): boolean {
    if (this.world.clock.now <= CHAOS_MS + 500) return false;
    const destination = this.#destination;
    const isDestinationDead = destination?.process.isAlive !== true;
    if (!isDestinationDead && destination.underWay.length > 0) return false;
    return this.#sources.every(
      ({ process, migration }) =>
        !process.isAlive ||
        migration?.hasEnded === true ||
        (migration?.goesOnAsking === true && isDestinationDead),
    );
  }

  #checkEnd(): void {
    const { world } = this;
    const destination = this.#destination;
    const living = destination?.process.isAlive === true ? destination : undefined;
    for (const { process, migration } of this.#sources) {
      if (!process.isAlive || migration === undefined) continue;
      const { id, state } = migration;
      if (migration.isHeardAfterItsEnd) world.violate(`${id}: a control connection is open after the end`);
      if (migration.hasEnded) continue;
      if (!migration.goesOnAsking || living !== undefined)
        world.violate(`${id}: the source hangs while ${state.phase.name}`);
    }
    for (const { id, phase } of living?.underWay ?? [])
      world.violate(`${id}: the destination hangs while ${phase}`);
    this.witness.checkEnd();
  }
}
