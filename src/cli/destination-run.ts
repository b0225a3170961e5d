// Runs a destination: listens, takes a guest, runs it; forwards it to another destination, or ends when it was asked to.
import { hostHands } from '../destination/hands.js';
import { destinationHere, doorOf } from '../destination/host.js';
import type { Destination } from '../destination/node.js';
import { PHASE_LIMITS } from '../destination/states/limits.js';
import type { IncomingResult } from '../destination/result.js';
import { MicrostunError } from '../shared/errors.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import { createLogger, warnOfShortMemory } from './logger.js';
import { sleepUnless } from '../shared/timers.js';
import type { FailureReport, MigrationReport } from '../report/document.js';
import { releaseUnusedMemory } from './unused-memory.js';
import { formatCount, formatMemory } from '../shared/units.js';
import { ANY_HOST, formatAddress, type Address } from '../shared/wire/sockets.js';
import { Attempts } from './attempts.js';
import { exitStatusOf } from './exit-status.js';
import { conclude, planMigration, type MigrationArguments } from './migration-run.js';
import { borrowedTerminal } from './borrowed-terminal.js';
import type { DestinationReport } from './destination-report.js';
import { standardError, standardOutput } from './output.js';
import { Progress } from './progress.js';
import { reservedMemory } from './reserved-memory.js';
import type { OutgoingMigration } from '../source/outgoing.js';
import { onInterrupt } from './source-run.js';
import { howToTryNow, onWakeCall } from './wake-calls.js';
import { PAGES_RETRY_MS, sourceAwaitedMs, PLACEMENT_MS_MAX } from '../shared/limits.js';

export interface DestinationArguments extends MigrationArguments {
  readonly maxMemory: number | undefined;
  /** Memory that is kept for guests. */
  readonly reserve: number | undefined;
  /** How long the guest runs on after the source took its leave; undefined: until interrupted. */
  readonly runFor: number | undefined;
  /** Where a guest that came is sent on to, after `migrateAfter`; at most `hops` times. */
  readonly forwardTo: Address | undefined;
  readonly hops: number;
}

/** Told to a parent process that started this one with an IPC channel, once it listens. */
export interface ListeningNotice {
  readonly listening: Address;
}

const ANY_PORT: Address = { host: ANY_HOST, port: 0 };

/** Answers the exit status. */
export async function runDestination(listen: Address, args: DestinationArguments): Promise<number> {
  return new DestinationRun(args).run(listen);
}

class DestinationRun {
  readonly #args: DestinationArguments;
  readonly #progress = new Progress();
  readonly #logger;
  readonly #interrupted = new AbortController();
  readonly #destination: Destination;
  readonly #door;
  readonly #reserve;
  #report: (result: IncomingResult) => void = () => undefined;
  #hopsLeft: number;
  readonly #forwarded: (MigrationReport | FailureReport)[] = [];
  /** Of the last forwarding that failed. */
  #forwardStatus = 0;
  /** While the guest is sent on. */
  #attempts: Attempts | undefined;

  constructor(args: DestinationArguments) {
    this.#args = args;
    this.#hopsLeft = args.hops;
    this.#logger = createLogger('destination', args.logLevel, {
      isTerminal: standardError.isTerminal || borrowedTerminal.isTerminal,
      say: (line) => {
        standardError.say(line);
      },
    });
    this.#reserve = reservedMemory(args.reserve, this.#progress, this.#logger);
    this.#destination = destinationHere(
      {
        limits: {
          controlLostMs: sourceAwaitedMs(args.reconnectTimeout),
          pagesLostMs: args.reconnectTimeout,
          retryMs: PAGES_RETRY_MS,
          placementMs: PLACEMENT_MS_MAX,
          farewellMs: sourceAwaitedMs(args.reconnectTimeout),
          endsWithoutPages: args.once,
          phases: PHASE_LIMITS,
        },
        room: () => {
          // What guests left that are gone is not in the way of the next.
          releaseUnusedMemory();
          return {
            guestBytesMax: args.maxMemory,
            availableBytes: process.availableMemory(),
            reserved: this.#reserve?.forNextGuest,
          };
        },
        logger: this.#logger,
      },
      (result, migration) => {
        migration.onGuestFailure((error) => {
          this.#interrupted.abort(error);
        });
        this.#report(result);
      },
      hostHands(this.#reserve, warnOfShortMemory(this.#logger)),
    );
    this.#door = doorOf(this.#destination, this.#logger);
  }

  async run(listen: Address): Promise<number> {
    const unlisten = onInterrupt((signal) => {
      if (this.#attempts?.cancel(signal) === true) return this.#args.once ? 'end' : 'stay';
      this.#cancel(`ended by ${signal}`);
      return 'end';
    });
    // A parent that forked us and is gone cannot want the guest any more than a terminal that was closed.
    process.on('disconnect', () => {
      this.#cancel('the parent process is gone');
    });
    try {
      const address = await this.#door.open(listen);
      this.#progress.say(`listening on ${formatAddress(address)}`);
      process.send?.({ listening: address } satisfies ListeningNotice);
      for (;;) {
        const status = await this.#takeGuest();
        if (status !== undefined) return status;
        releaseUnusedMemory();
      }
    } finally {
      unlisten();
      this.#door.close();
      await this.#reserve?.close();
      if (process.connected) process.disconnect();
    }
  }

  #cancel(reason: string): void {
    this.#interrupted.abort(new MicrostunError('CANCELLED', reason));
    const { migration } = this.#destination;
    this.#destination.cancel(reason);
    // A guest whose pages are given up says which.
    if (migration?.isHandedOver === true && !migration.isSourceMissed)
      this.#progress.say(
        'the guest has been handed over and cannot be refused any more; this process ends once its source has taken its leave, or stays away. Interrupt again to end now',
      );
  }

  // One migration, in and perhaps out again; answers the exit status when that was the last.
  async #takeGuest(): Promise<number | undefined> {
    const result = await this.#nextResult();
    const { signal } = this.#interrupted;
    if (result === undefined) return this.#end('cancelled', exitStatusOf('CANCELLED'));
    switch (result.kind) {
      case 'running':
        this.#progress.say(describeArrival(result));
        return this.#runGuest(result.machine);
      case 'pages-lost':
        this.#progress.say(result.error.message);
        if (!signal.aborted)
          this.#progress.say('it is kept parked for inspection until this process is interrupted');
        await untilAborted(signal);
        await result.machine.close();
        return this.#end('pages-lost', exitStatusOf('PAGES_LOST'), result.error);
      case 'failed':
        this.#progress.say(`the guest came and cannot go on: ${result.error.message}`);
        await result.machine.close();
        return this.#end('failed', exitStatusOf(result.error.code), result.error);
      case 'refused':
        this.#progress.say(`no guest came: ${result.error.message}`);
        if (!this.#args.once && !signal.aborted) return undefined;
        return this.#end(
          'refused',
          exitStatusOf(signal.aborted ? 'CANCELLED' : result.error.code),
          result.error,
        );
    }
  }

  #nextResult(): Promise<IncomingResult | undefined> {
    const { signal } = this.#interrupted;
    return new Promise((resolve) => {
      const onAbort = (): void => {
        if (this.#destination.migration === undefined) resolve(undefined);
      };
      this.#report = (result) => {
        signal.removeEventListener('abort', onAbort);
        resolve(result);
      };
      signal.addEventListener('abort', onAbort);
      if (signal.aborted) onAbort();
    });
  }

  async #runGuest(machine: GuestMachine): Promise<number | undefined> {
    const { forwardTo, migrateAfter, runFor } = this.#args;
    const { signal } = this.#interrupted;
    if (forwardTo !== undefined && this.#hopsLeft > 0) {
      await sleepUnless(signal, migrateAfter);
      if (!signal.aborted && (await this.#forward(machine, forwardTo))) return undefined;
    }
    if (runFor === undefined && !signal.aborted)
      this.#progress.say('it runs until this process is interrupted');
    if (runFor === undefined) await untilAborted(signal);
    else await sleepUnless(signal, runFor);
    const reason: unknown = signal.reason;
    const { slices, work } = machine.counters();
    await machine.close();
    const guest = { slices, pagesWritten: work };
    if (reason instanceof MicrostunError && reason.code !== 'CANCELLED') {
      this.#progress.say(`the guest cannot go on: ${reason.message}`);
      return this.#end('failed', exitStatusOf(reason.code), reason, guest);
    }
    this.#progress.say(
      `the guest ran ${formatCount(slices)} slices here and wrote ${formatCount(work)} pages`,
    );
    return this.#end('ran', 0, undefined, guest);
  }

  // Sends the guest on; answers whether it left. One that could not leave runs on here until it can.
  async #forward(machine: GuestMachine, to: Address): Promise<boolean> {
    const { signal } = this.#interrupted;
    let migration: OutgoingMigration | undefined;
    const attempts = new Attempts(this.#args, {
      begin: () => {
        this.#progress.say(`forwarding the guest to ${formatAddress(to)}`);
        migration = planMigration(machine, to, ANY_PORT, this.#args, this.#logger);
        return migration;
      },
      say: (text) => {
        this.#progress.say(text);
      },
      wait: (ms, ended) => sleepUnless(ended, ms),
      signal,
      howToTry: howToTryNow,
    });
    this.#attempts = attempts;
    const onAbort = (): void => {
      const reason: unknown = signal.reason;
      if (reason instanceof MicrostunError && reason.code !== 'CANCELLED') migration?.failWith(reason);
      else migration?.cancel('the forwarding destination was told to end');
    };
    signal.addEventListener('abort', onAbort);
    const unwake = onWakeCall(() => {
      attempts.tryNow();
    });
    const result = await attempts.run();
    unwake();
    signal.removeEventListener('abort', onAbort);
    this.#attempts = undefined;
    // With --json there is one document, at the end.
    const status = await conclude(
      result,
      machine,
      this.#args,
      'stays',
      (document) => this.#forwarded.push(document),
      { prints: !this.#args.json },
    );
    if (status !== 0) this.#forwardStatus = status;
    if (result.kind === 'failed' && result.owner === 'source') {
      // Stopped for its audit, perhaps.
      if (machine.isStopped && !machine.isFailed) await machine.resume();
      return false;
    }
    if (result.kind === 'completed') this.#progress.say(`the guest has left for ${formatAddress(to)}`);
    this.#hopsLeft--;
    await machine.close();
    this.#reserve?.giveBack(machine.shared.memory);
    this.#destination.release();
    return true;
  }

  #end(
    outcome: DestinationReport['outcome'],
    status: number,
    error?: MicrostunError,
    guest: DestinationReport['guest'] = null,
  ): number {
    const report: DestinationReport = {
      outcome,
      pid: process.pid,
      error: error === undefined ? null : { code: error.code, message: error.message },
      guest,
      forwarded: this.#forwarded,
    };
    if (this.#args.json) standardOutput.print(JSON.stringify(report, undefined, 2));
    return status === 0 ? this.#forwardStatus : status;
  }
}

function describeArrival({ machine, isSourceGone }: Extract<IncomingResult, { kind: 'running' }>): string {
  const { program, memoryBytes, residentBytes, vcpus } = machine.spec;
  const goodbye = isSourceGone ? '; its source went away without a farewell' : '';
  return `guest "${program}" is whole and runs here: ${formatMemory(memoryBytes, residentBytes)}, ${vcpus} vCPUs${goodbye}`;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return sleepUnless(signal, Infinity);
}
