// Runs a destination: listens, takes guests, and ends when it was asked to, or with the last guest that it was to take.
// Knows when the process ends; what becomes of each guest is hosted-guest.ts's.
import type { AllowedGuests } from '../destination/allowed-guests.js';
import { hostHands } from '../destination/hands.js';
import { destinationHere, doorOf } from '../destination/host.js';
import { HostRoom, type HostMemory } from '../destination/memory/host-room.js';
import type { Destination } from '../destination/node.js';
import { MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { createLogger, warnOfShortMemory } from './logger.js';
import { releaseUnusedMemory } from './unused-memory.js';
import type { Security } from '../shared/wire/security.js';
import { formatAddress, type Address } from '../shared/wire/sockets.js';
import type { MigrationArguments } from './migration-run.js';
import { allowedGuestsOf, type AllowedFlag } from './allowed-options.js';
import { borrowedTerminal } from './borrowed-terminal.js';
import { bindingsOf, type DeviceArguments } from './device-options.js';
import { incomingLimitsOf } from './destination-limits.js';
import { DestinationStory, type GuestReport } from './destination-report.js';
import { ownProcess } from './own-process/marker.js';
import { runGuestForNode } from './own-process/guest-for-node.js';
import type { GuestElsewhere } from './own-process/guest-elsewhere.js';
import { RoutedMigration, type RoutedResult } from './own-process/routed-migration.js';
import { residentBytesWith } from './own-process/resident.js';
import { HostedGuest, type GuestEnd, type GuestHost } from './hosted-guest.js';
import { standardError, standardOutput } from './output.js';
import { leaveParent, onParentGone, tellParent } from './parent-process.js';
import { Progress } from './progress.js';
import { hostToListenOn, refuseClearText } from './reach.js';
import { reservedMemory } from './reserved-memory.js';
import { securityOf } from './security.js';
import { onInterrupt } from './source-run.js';

export interface DestinationArguments extends MigrationArguments, DeviceArguments {
  /** How many guests are here at once. */
  readonly maxGuests: number;
  readonly maxMemory: number | undefined;
  /** Where a source that dials finds its page connections. */
  readonly pageListen: Address | undefined;
  /** Guests that may come; undefined: all built-in ones. */
  readonly allowGuest: readonly AllowedFlag[] | undefined;
  /** Memory that is kept for guests. */
  readonly reserve: number | undefined;
  /** How long a guest runs on after its source took its leave; undefined: until interrupted. */
  readonly runFor: number | undefined;
  /** Where a guest that came is sent on to, after `migrateAfter`; at most `hops` times. */
  readonly forwardTo: Address | undefined;
  readonly hops: number;
}

/** Told to a parent process that started this one with an IPC channel, once it listens. */
export interface ListeningNotice {
  readonly listening: Address;
}

/** Told to it of each guest: that it is whole and runs here, and how it ended, or that it never came. */
export type GuestNotice =
  | { readonly arrived: { readonly migrationId: string; readonly guest: GuestSpec } }
  | { readonly ended: GuestReport };

/** Where a source dials unless it was said. */
const PORT = 7000;

/** Answers the exit status. */
export async function runDestination(
  listen: Address | undefined,
  args: DestinationArguments,
): Promise<number> {
  if (ownProcess === 'guest') return runGuestForNode(args);
  const security = securityOf(args, []);
  refuseClearText(security, args.forwardTo, listen);
  refuseClearText(security, undefined, args.pageListen);
  const allowed = await allowedGuestsOf(args.allowGuest);
  return new DestinationRun(args, security, allowed).run(
    listen ?? { host: hostToListenOn(security), port: PORT },
  );
}

class DestinationRun {
  readonly #args: DestinationArguments;
  readonly #security: Security;
  readonly #progress = new Progress();
  readonly #logger;
  readonly #interrupted = new AbortController();
  readonly #destination: Destination<RoutedResult, RoutedMigration>;
  readonly #door;
  readonly #reserve;
  /** Whose migrations have ended, and that are here, by their migrations' ids. */
  readonly #guests = new Map<string, HostedGuest | GuestElsewhere>();
  readonly #story: DestinationStory;
  #hopsLeft: number;
  /** Guests that count, where the process ends after so many. */
  #guestsTaken = 0;
  /** Mistakes of ours, each in a migration whose place stays taken. */
  readonly #mistakes: unknown[] = [];
  #end: () => void = () => undefined;
  readonly #ended = new Promise<void>((resolve) => {
    this.#end = resolve;
  });

  constructor(args: DestinationArguments, security: Security, allowed: AllowedGuests) {
    this.#args = args;
    this.#security = security;
    this.#hopsLeft = args.hops;
    this.#story = new DestinationStory(args.maxGuests, args.once);
    this.#logger = createLogger('destination', args.logLevel, {
      isTerminal: standardError.isTerminal || borrowedTerminal.isTerminal,
      say: (line) => {
        standardError.say(line);
      },
    });
    this.#reserve = reservedMemory(args.reserve, this.#progress, this.#logger);
    this.#destination = destinationHere(
      {
        limits: incomingLimitsOf(args),
        allowed,
        room: new HostRoom({
          guestBytesMax: args.maxMemory,
          reserve: this.#reserve,
          memory: hostMemory(() => this.#destination.migrations.map(({ pid }) => pid)),
        }),
        logger: this.#logger,
      },
      {
        places: args.maxGuests,
        ended: (result, migration) => {
          this.#hosted(result, migration).catch(endProcess);
        },
        placed: (migration, options) => new RoutedMigration(migration, options),
        broke: (error, { id }) => {
          this.#note(error, id);
        },
      },
      hostHands(security, {
        reserve: this.#reserve,
        shortOfMemory: warnOfShortMemory(this.#logger),
        pageListen: args.pageListen,
        bindings: bindingsOf(args, security),
      }),
    );
    this.#door = doorOf(this.#destination, this.#logger);
  }

  async run(listen: Address): Promise<number> {
    const unlisten = onInterrupt((signal) => {
      const cancelled = Array.from(this.#guests.values(), (guest) => guest.cancelForwarding(signal));
      if (cancelled.includes(true)) return this.#args.once ? 'end' : 'stay';
      this.#cancel(`ended by ${signal}`);
      return 'end';
    });
    // A parent that forked us and is gone cannot want the guest any more than a terminal that was closed.
    onParentGone(() => {
      this.#cancel('the parent process is gone');
    });
    try {
      const address = await this.#door.open(listen, this.#security);
      this.#progress.say(`listening on ${formatAddress(address)}`);
      tellParent({ listening: address } satisfies ListeningNotice);
      await this.#ended;
    } finally {
      unlisten();
      this.#door.close();
      await this.#reserve?.close();
      leaveParent();
    }
    const { report, status } = this.#story.conclusion;
    if (this.#args.json) standardOutput.print(JSON.stringify(report, undefined, 2));
    if (this.#mistakes.length > 0) endProcess(this.#mistakes[0]);
    return status;
  }

  #cancel(why: string): void {
    const reason = new MicrostunError('CANCELLED', why);
    this.#interrupted.abort(reason);
    const { migrations } = this.#destination;
    for (const guest of this.#guests.values()) guest.end(reason);
    this.#destination.cancel(why);
    // A guest whose pages are given up says which.
    for (const { id, isHandedOver, isSourceMissed } of migrations)
      if (isHandedOver && !isSourceMissed)
        this.#say(
          id,
          'the guest has been handed over and cannot be refused any more; this process ends once its source has taken its leave, or stays away. Interrupt again to end now',
        );
    this.#endIfOver();
  }

  // From the end of a guest's migration to its own.
  async #hosted(result: RoutedResult, migration: RoutedMigration): Promise<void> {
    const { id } = migration;
    const host = this.#hostOf(id);
    const [guest, live] = hosted(result, host);
    this.#guests.set(id, guest);
    migration.onGuestFailure((error) => {
      guest.end(error);
    });
    const { signal } = this.#interrupted;
    if (signal.aborted) guest.end(signal.reason as MicrostunError);
    const arrived = arrivedIn(result);
    if (arrived !== undefined)
      tellParent({ arrived: { migrationId: id, guest: arrived } } satisfies GuestNotice);
    const end = await live();
    this.#guests.delete(id);
    if ('machine' in result) this.#reserve?.giveBack(result.machine.shared.memory);
    this.#destination.release(id);
    const report = this.#story.ended(id, end, signal.aborted);
    tellParent({ ended: report } satisfies GuestNotice);
    if (this.#counts(end)) this.#guestsTaken++;
    this.#endIfOver();
    releaseUnusedMemory();
  }

  // Others are not to suffer for it.
  #note(mistake: unknown, id: string): void {
    if (this.#args.maxGuests === 1) endProcess(mistake);
    this.#mistakes.push(mistake);
    this.#say(
      id,
      'a bug of microstun ended this migration; whose its guest is nobody knows, and its place stays taken',
    );
    this.#endIfOver();
  }

  /** What the guest of that migration has of this process. */
  #hostOf(id: string): GuestHost {
    return {
      args: this.#args,
      logger: this.#logger,
      say: (text) => {
        this.#say(id, text);
      },
      takeHop: () => this.#hopsLeft > 0 && this.#hopsLeft-- > 0,
      returnHop: () => {
        this.#hopsLeft++;
      },
      forwarded: (document, status) => {
        this.#story.forwarded(id, document, status);
      },
    };
  }

  // Where there are several guests, it is said which.
  #say(id: string, text: string): void {
    this.#progress.say(this.#args.maxGuests === 1 ? text : `${id.slice(0, 8)}: ${text}`);
  }

  // Several places are for whoever comes, unless they are to be used once; a single one is used by the guest that stays.
  #counts({ outcome }: GuestEnd): boolean {
    const { once, maxGuests } = this.#args;
    if (outcome === 'left') return false;
    return outcome === 'refused' ? once : once || maxGuests === 1;
  }

  #endIfOver(): void {
    if (this.#destination.migrations.length > this.#mistakes.length) return;
    if (this.#interrupted.signal.aborted || this.#guestsTaken >= this.#args.maxGuests) this.#end();
  }
}

/** Who has the guest of a migration from its end on, and how it lives. */
function hosted(
  result: RoutedResult,
  host: GuestHost,
): readonly [HostedGuest | GuestElsewhere, () => Promise<GuestEnd>] {
  if (result.kind === 'elsewhere') return [result.guest, () => result.guest.live(host)];
  const guest = new HostedGuest(host);
  return [guest, () => guest.live(result)];
}

/** The guest that came, if it runs here. */
function arrivedIn(result: RoutedResult): GuestSpec | undefined {
  if (result.kind === 'elsewhere') return result.isRunning ? result.guest.spec : undefined;
  return result.kind === 'running' ? result.machine.spec : undefined;
}

/** `pids`: of guests that have processes of their own. */
const hostMemory = (pids: () => readonly (number | undefined)[]): HostMemory => ({
  availableBytes: () => {
    // What guests left that are gone is not in the way of the next.
    releaseUnusedMemory();
    return process.availableMemory();
  },
  residentBytes: () => residentBytesWith(pids()),
});

// A mistake of ours: nobody knows what holds any more.
function endProcess(error: unknown): void {
  queueMicrotask(() => {
    throw error;
  });
}
