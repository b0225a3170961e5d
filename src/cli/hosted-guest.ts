// What becomes of one guest at a destination: it runs, is sent on or is kept, until it has left or ended.
// Knows no other guest; when the process ends is destination-run.ts's to say.
import type { Logger } from 'pino';
import type { IncomingResult } from '../destination/result.js';
import type { FailureReport, MigrationReport } from '../report/document.js';
import { MicrostunError, unreachable } from '../shared/errors.js';
import type { GuestMachine } from '../shared/guest/machine.js';
import { sleepUnless } from '../shared/timers.js';
import { formatCount, formatMemory } from '../shared/units.js';
import { formatAddress, type Address } from '../shared/wire/sockets.js';
import type { OutgoingMigration } from '../source/outgoing.js';
import { Attempts } from './attempts.js';
import { describeListening } from './device-options.js';
import type { DestinationArguments } from './destination-run.js';
import { conclude, planMigration } from './migration-run.js';
import { goOnWhenTold, howToGoOn } from './paused-guest.js';
import { hostToListenOn } from './reach.js';
import { securityOf } from './security.js';
import { attemptsHere, onWakeCall } from './wake-calls.js';

/** How a migration's guest ended here. */
export interface GuestEnd {
  /** `left`: it was forwarded; `refused`: it never came. */
  readonly outcome: 'ran' | 'left' | 'refused' | 'pages-lost' | 'failed';
  readonly error?: MicrostunError;
  readonly guest?: { readonly slices: number; readonly pagesWritten: number };
}

/** The node that a guest is at. */
export interface GuestHost {
  readonly args: DestinationArguments;
  readonly logger: Logger;
  say(text: string): void;
  /** Takes one of the forwardings that are left; answers whether there was one. */
  takeHop(): boolean;
  /** It was not used. */
  returnHop(): void;
  /** It is being sent on, or not any more. */
  forwarding?(isUnderWay: boolean): void;
  /** A forwarding ended like this; 0 is well. */
  forwarded(document: MigrationReport | FailureReport, status: number): void;
}

/** How a migration ended; of one whose guest did not come only why matters. */
export type ArrivedResult =
  | Exclude<IncomingResult, { readonly kind: 'refused' }>
  | { readonly kind: 'refused'; readonly error: MicrostunError };

export class HostedGuest {
  readonly #host: GuestHost;
  readonly #ending = new AbortController();
  /** While the guest is sent on. */
  #attempts: Attempts | undefined;

  constructor(host: GuestHost) {
    this.#host = host;
  }

  /** Nobody wants the guest any more (CANCELLED), or it cannot go on. */
  end(reason: MicrostunError): void {
    this.#ending.abort(reason);
  }

  /** Cancels its forwarding; answers whether one was under way. */
  cancelForwarding(reason: string): boolean {
    return this.#attempts?.cancel(reason) === true;
  }

  /** From the end of its migration to its own; its machine is closed then. */
  async live(result: ArrivedResult): Promise<GuestEnd> {
    switch (result.kind) {
      case 'running':
        this.#host.say(describeArrival(result));
        for (const text of describeListening(result.machine)) this.#host.say(text);
        return this.#run(result.machine);
      case 'pages-lost':
        return this.#keep(result);
      case 'failed':
        this.#host.say(`the guest came and cannot go on: ${result.error.message}`);
        await result.machine.close();
        return { outcome: 'failed', error: result.error };
      case 'refused':
        this.#host.say(`no guest came: ${result.error.message}`);
        return { outcome: 'refused', error: result.error };
      default:
        return unreachable(result);
    }
  }

  async #keep({ machine, error }: Extract<IncomingResult, { kind: 'pages-lost' }>): Promise<GuestEnd> {
    this.#host.say(error.message);
    const { signal } = this.#ending;
    if (!signal.aborted) this.#host.say('it is kept parked for inspection until this process is interrupted');
    await untilAborted(signal);
    await machine.close();
    return { outcome: 'pages-lost', error };
  }

  async #run(machine: GuestMachine): Promise<GuestEnd> {
    if (machine.isPaused) this.#host.say(howToGoOn);
    const forget = goOnWhenTold(machine, this.#host);
    try {
      return await this.#stay(machine);
    } finally {
      forget();
    }
  }

  async #stay(machine: GuestMachine): Promise<GuestEnd> {
    const { forwardTo, migrateAfter, runFor } = this.#host.args;
    const ending = this.#ending.signal;
    if (forwardTo !== undefined && this.#host.takeHop()) {
      await sleepUnless(ending, migrateAfter);
      if (!ending.aborted && (await this.#forward(machine, forwardTo))) return { outcome: 'left' };
      this.#host.returnHop();
    }
    if (runFor === undefined && !ending.aborted) this.#host.say('it runs until this process is interrupted');
    if (runFor === undefined) await untilAborted(ending);
    else await sleepUnless(ending, runFor);
    const { slices, work } = machine.counters();
    await machine.close();
    const guest = { slices, pagesWritten: work };
    const reason: unknown = ending.reason;
    if (reason instanceof MicrostunError && reason.code === 'GUEST_ENDED') {
      this.#host.say(reason.message);
      return { outcome: 'ran', guest };
    }
    if (reason instanceof MicrostunError && reason.code !== 'CANCELLED') {
      this.#host.say(`the guest cannot go on: ${reason.message}`);
      return { outcome: 'failed', error: reason, guest };
    }
    this.#host.say(`the guest ran ${formatCount(slices)} slices here and wrote ${formatCount(work)} pages`);
    return { outcome: 'ran', guest };
  }

  // Sends the guest on; answers whether it left. One that could not leave runs on here until it can.
  async #forward(machine: GuestMachine, to: Address): Promise<boolean> {
    const { args, logger } = this.#host;
    const ending = this.#ending.signal;
    let migration: OutgoingMigration | undefined;
    const attempts = new Attempts(args, {
      begin: () => {
        this.#host.say(`forwarding the guest to ${formatAddress(to)}`);
        const security = securityOf(args, [to.host]);
        const from = { host: hostToListenOn(security, to.host), port: 0 };
        migration = planMigration(machine, to, from, args, security, logger);
        return migration;
      },
      say: (text) => {
        this.#host.say(text);
      },
      ...attemptsHere(ending),
    });
    this.#attempts = attempts;
    this.#host.forwarding?.(true);
    const onAbort = (): void => {
      const reason: unknown = ending.reason;
      if (reason instanceof MicrostunError && reason.code !== 'CANCELLED') migration?.failWith(reason);
      else migration?.cancel('the forwarding destination was told to end');
    };
    ending.addEventListener('abort', onAbort);
    const unwake = onWakeCall(() => {
      attempts.tryNow();
    });
    const result = await attempts.run();
    unwake();
    ending.removeEventListener('abort', onAbort);
    this.#attempts = undefined;
    this.#host.forwarding?.(false);
    // With --json there is one document, at the end.
    const documents: (MigrationReport | FailureReport)[] = [];
    const show = (document: MigrationReport | FailureReport): unknown => documents.push(document);
    const status = await conclude(result, machine, args, 'stays', show, { prints: !args.json });
    for (const document of documents) this.#host.forwarded(document, status);
    if (result.kind === 'failed' && result.owner === 'source') {
      // Stopped for its audit, perhaps.
      if (machine.isStopped && !machine.isFailed) await machine.resume();
      return false;
    }
    if (result.kind === 'completed') this.#host.say(`the guest has left for ${formatAddress(to)}`);
    await machine.close();
    return true;
  }
}

function describeArrival({ machine, isSourceGone }: Extract<IncomingResult, { kind: 'running' }>): string {
  const { program, memoryBytes, residentBytes, vcpus } = machine.spec;
  const goodbye = isSourceGone ? '; its source went away without a farewell' : '';
  return `guest "${program}" is whole and ${machine.isPaused ? 'is paused' : 'runs'} here: ${formatMemory(memoryBytes, residentBytes)}, ${vcpus} vCPUs${goodbye}`;
}

function untilAborted(signal: AbortSignal): Promise<void> {
  return sleepUnless(signal, Infinity);
}
