// A destination process of a simulation: the real front door and the real driver, with fake hands over a fake network.
// Decides nothing; notes what they do, and tells the witness.
import type { IncomingResult } from '../../src/destination/result.js';
import type { Logger } from 'pino';
import type { IncomingMigration } from '../../src/destination/incoming.js';
import { type IncomingOptions } from '../../src/destination/incoming.js';
import { Destination, type DestinationParts, type Greeted } from '../../src/destination/node.js';
import type { IncomingHands } from '../../src/destination/hands.js';
import { AnswerBook } from '../../src/destination/states/answer-book.js';
import type { IncomingEvent, IncomingStep } from '../../src/destination/states/events.js';
import type { IncomingLimits } from '../../src/destination/states/limits.js';
import type { Outcome } from '../../src/destination/states/states.js';
import { messageOf } from '../../src/shared/errors.js';
import { NOTHING_ARRIVED } from '../../src/shared/wire/greeting.js';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import type { MessageOf, RefusalCode } from '../../src/shared/wire/messages.js';
import { openHouse } from './open-house.js';
import { unclaimedEnd } from './simulated-control.js';
import type { MakeTakeOver } from './simulated-fetcher.js';
import type { SimulatedMachine } from './simulated-machine.js';
import type { End, Network } from './simulated-network.js';
import { SimulatedPlace, type StepIncoming } from './simulated-place.js';
import { labelOf } from './simulated-source.js';
import type { Process } from './simulated-world.js';
import type { MigrationRecord, Witness } from './simulated-witness.js';

/** A migration with fake hands, real otherwise; a test plants its bugs in one. */
export type SimulatedIncoming = IncomingMigration<SimulatedMachine>;

export type BeginIncoming = (
  id: string,
  ticket: string,
  options: IncomingOptions,
  hands: IncomingHands<SimulatedMachine>,
) => SimulatedIncoming;

export interface DestinationOptions {
  readonly limits: IncomingLimits;
  /** How many guests it has at once. */
  readonly places: number;
  /** How likely each piece of work fails. */
  readonly failureShare: number;
  /** Started anew as another version of the program: it refuses whoever asks, without a welcome. */
  readonly isOfAnotherVersion: boolean;
  /** Remembers no migration for long that has ended. */
  readonly isForgetful: boolean;
  readonly step: StepIncoming;
  readonly admit: DestinationParts<SimulatedResult, SimulatedIncoming>['admit'];
  readonly begin: BeginIncoming;
  readonly takeOver: MakeTakeOver;
  /** Hears in which phase the guest threw. */
  readonly threw: (phase: string) => void;
}

type SimulatedResult = IncomingResult<SimulatedMachine>;

/** How soon the user of a destination that waits for its source looks at that. */
const USER_MS_MAX = 1000;
const TOLD_MS_MAX = 10_000;

export class SimulatedDestination {
  readonly instanceId: string;
  readonly process: Process;
  readonly #witness: Witness;
  readonly #network: Network;
  readonly #options: DestinationOptions;
  readonly #destination: Destination<SimulatedResult, SimulatedIncoming>;
  #answers = new AnswerBook();
  /** Of the migrations that have a place, by id. */
  readonly #places = new Map<string, SimulatedPlace>();
  /** Those of them that have ended, with their guest here. */
  readonly #finished = new Set<string>();
  /** Each migration's control connection that was taken in last. */
  readonly #controls = new Map<string, End>();
  /** Migrations that their user has ended, with or without their pages. */
  readonly #cancelled = new Set<string>();

  constructor(process: Process, witness: Witness, network: Network, options: DestinationOptions) {
    this.instanceId = process.name;
    this.process = process;
    this.#witness = witness;
    this.#network = network;
    this.#options = options;
    this.#destination = new Destination<SimulatedResult, SimulatedIncoming>({
      places: options.places,
      begin: (id, ticket) => this.#begin(id, ticket),
      ended: ({ kind }, { id }) => {
        this.#onEnded(kind, id);
      },
      freed: () => undefined,
      broke: () => undefined,
      answers: {
        find: (id) => this.#answers.find(id),
        ticketOf: (id) => this.#answers.ticketOf(id),
        remember: (id, ticket, answers) => {
          this.#answers.remember(id, ticket, answers);
        },
      },
      admit: options.admit,
      logger: this.#logger(),
    });
    network.listener = this;
  }

  /** Those that have a place. */
  get migrations(): readonly SimulatedIncoming[] {
    return this.#destination.migrations;
  }

  /** Those of them that are not over. */
  get underWay(): readonly SimulatedIncoming[] {
    return this.migrations.filter(({ phase }) => phase !== 'ended');
  }

  accept(end: End): void {
    end.received = (hello) => {
      if (hello.name !== 'HELLO') return;
      const caller = this.#greeted(end, hello);
      if (this.#options.isOfAnotherVersion) caller.refuse('VERSION_MISMATCH', 'of another version');
      else
        this.#destination.hear(caller).catch((error: unknown) => {
          this.process.world.violate(`the front door threw: ${messageOf(error)}`);
        });
    };
  }

  cancel(): void {
    for (const { id } of this.migrations) this.#cancelled.add(id);
    this.#destination.cancel('the user cancels');
  }

  /** That guest's code throws, wherever its migration stands: it cannot go on here. */
  fail({ id, phase }: SimulatedIncoming): void {
    const record = this.#witness.recordOf(id);
    // After its migration, the process that runs it says so.
    if (phase === 'ended' && record.resumedBy === this.instanceId) this.#witness.stops(record, 'failed');
    this.#places.get(id)?.machine?.fail();
  }

  die(): void {
    this.process.isAlive = false;
    for (const place of this.#places.values()) place.leave();
    this.#witness.destinationDies(this.instanceId);
  }

  #greeted(end: End, hello: MessageOf<'HELLO'>): Greeted {
    // It waits for its welcome; what it says before that breaks the protocol.
    end.received = () => {
      end.close();
    };
    const { process } = this;
    const say: End['send'] = (message) => {
      if (process.isAlive) end.send(message);
    };
    const welcome = (): void => {
      say({
        name: 'WELCOME',
        version: PROTOCOL_VERSION,
        instanceId: this.instanceId,
        pid: 1,
        host: 'beta',
        ...NOTHING_ARRIVED,
      });
    };
    const refuse = (code: RefusalCode, reason: string): void => {
      say({ name: 'REFUSAL', version: PROTOCOL_VERSION, code, reason });
      end.close();
    };
    return {
      hello,
      get isGone() {
        return !end.isOpen;
      },
      welcome: () => {
        welcome();
        this.#controls.set(hello.migrationId, end);
        return unclaimedEnd(end);
      },
      refuse,
      welcomeAndRefuse: (code, reason) => {
        welcome();
        refuse(code, reason);
      },
      welcomeAndTell: (messages) => {
        welcome();
        end.received = () => undefined;
        for (const message of messages) say(message);
        process.after(TOLD_MS_MAX, () => {
          end.close();
        });
      },
    };
  }

  #begin(id: string, ticket: string): SimulatedIncoming {
    const { process } = this;
    const record = this.#witness.recordOf(id);
    const site = { process, record, witness: this.#witness, failureShare: this.#options.failureShare };
    const place = new SimulatedPlace(site, this.#network.lines.get(id)!, this.#options.takeOver);
    this.#places.set(id, place);
    if (this.#places.size > this.#options.places)
      process.world.violate(`${id}: it has a place, and there is none for it`);
    const step: StepIncoming = (limits, state, event) => {
      // Nothing happens in a process that is dead.
      if (!process.isAlive) return { state, effects: [] };
      if (event.kind === 'failed') this.#options.threw(state.name);
      const next = this.#options.step(limits, state, event);
      this.#note(record, event, next);
      return next;
    };
    const { limits } = this.#options;
    const options = { limits, ...openHouse, logger: this.#logger() };
    return this.#options.begin(id, ticket, options, place.hands(step));
  }

  #note(record: MigrationRecord, event: IncomingEvent, { state, effects }: IncomingStep): void {
    const { world } = this.process;
    world.note(
      () =>
        `${this.instanceId} ${record.id}: ${labelOf(event)} → ${state.name}` +
        effects.map((effect) => ` · ${labelOf(effect)}`).join(''),
    );
    const isGivenUp = state.name === 'ended' && state.outcome.kind === 'pages-lost';
    if (isGivenUp && event.kind === 'timer' && this.#controls.get(record.id)?.isOpen === true)
      world.violate(`${record.id}: the destination gave up its source while that was connected`);
    for (const effect of effects) {
      if (effect.kind === 'send' && effect.message.name === 'REFUSAL')
        this.#witness.refuses(record, this.instanceId);
      // A source that was away for too long is told of no audit that was under way.
      if (effect.kind === 'stop-audit' || (effect.kind === 'send' && effect.message.name === 'AUDITED'))
        record.auditedAt = Math.min(record.auditedAt, world.clock.now);
      if (effect.kind === 'report-source' && effect.isAway) this.#awaitSource(record);
      if (effect.kind === 'end') this.#checkOutcome(record, effect.outcome);
    }
    // Once they are done.
    queueMicrotask(() => {
      for (const { kind } of effects) world.onMilestone(kind);
      world.onMilestone(event.kind);
    });
  }

  #checkOutcome(record: MigrationRecord, outcome: Outcome): void {
    const { world } = this.process;
    const { id, isWhole, resumedBy } = record;
    const isOurs = resumedBy === this.instanceId;
    if (outcome.kind === 'running' && !isWhole)
      world.violate(`${id}: the migration ended as running, and pages are missing`);
    if (outcome.kind === 'running' && !isOurs)
      world.violate(`${id}: the migration ended as running, and it never resumed`);
    if (outcome.kind === 'pages-lost') {
      if (isWhole) world.violate(`${id}: pages are reported as lost that are here`);
      const isTold = this.#options.limits.endsWithoutPages || this.#cancelled.has(id) || isSourceGone(record);
      if (!isTold) world.violate(`${id}: pages are given up that the source keeps`);
      this.#witness.stops(record, 'pages-lost');
    }
    if (outcome.kind === 'failed' && isOurs) this.#witness.stops(record, 'failed');
  }

  // The user looks at the source, and ends what waits for one that is gone for good.
  #awaitSource(record: MigrationRecord): void {
    this.process.after(USER_MS_MAX, () => {
      const current = this.migrations.find(({ id }) => id === record.id);
      if (current?.isSourceMissed !== true) return;
      if (isSourceGone(record)) this.cancel();
      else this.#awaitSource(record);
    });
  }

  #onEnded(kind: Outcome['kind'], id: string): void {
    if (kind === 'refused') this.#leave(id);
    else this.#finished.add(id);
    if (!this.#options.isForgetful) return;
    this.process.after(this.process.world.chance.delay(500), () => {
      this.#forget();
    });
  }

  // What was answered goes, as it does in time, and with it a guest that came and has gone on to somewhere else.
  #forget(): void {
    this.#answers = new AnswerBook();
    this.#witness.forgets(this.instanceId);
    for (const id of this.#finished) {
      this.#destination.release(id);
      this.#leave(id);
    }
  }

  #leave(id: string): void {
    this.#places.delete(id);
    this.#controls.delete(id);
    this.#finished.delete(id);
  }

  // Nobody reads it; what can only be a mistake of ours is a violation.
  #logger(): Logger {
    const ignore = (): void => undefined;
    const logger = {
      debug: ignore,
      warn: ignore,
      child: () => logger,
      fatal: ({ error }: { error: unknown }) => {
        this.process.world.violate(`the migration threw: ${messageOf(error)}`);
      },
    };
    return logger as unknown as Logger;
  }
}

function isSourceGone({ guest, sourceEnd }: MigrationRecord): boolean {
  return guest.isSourceKilled || sourceEnd !== undefined;
}
