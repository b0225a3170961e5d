// Runs a source: boots the guest, lets it run, migrates it, prints the report. Shared by `source` and the demo.
import { messageOf, MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import type { DeviceBindings } from '../shared/devices/device-bindings.js';
import { GuestMachine } from '../shared/guest/machine.js';
import { SAMPLE_DOUBLES_MAX } from '../shared/guest/samples.js';
import type { Logger } from 'pino';
import { createLogger, guestWarnings } from './logger.js';
import { sleepUnless } from '../shared/timers.js';
import { formatMemory } from '../shared/units.js';
import type { Address } from '../shared/wire/sockets.js';
import type { OutgoingMigration } from '../source/outgoing.js';
import type { LiveView } from './dashboard/live-view.js';
import { Attempts } from './attempts.js';
import {
  bindingsOf,
  describeListening,
  refuseUnknownDevices,
  type DeviceArguments,
} from './device-options.js';
import { exitStatusOf } from './exit-status.js';
import type { ChosenGuest } from './guest-options.js';
import { conclude, ENDS, planMigration, type MigrationArguments } from './migration-run.js';
import { standardError } from './output.js';
import { goOnWhenTold, howToGoOn } from './paused-guest.js';
import { Progress } from './progress.js';
import { hostToListenOn, refuseClearText } from './reach.js';
import { securityOf } from './security.js';
import { attemptsHere, onWakeCall } from './wake-calls.js';

/** The flags of whatever runs a guest here and migrates it. */
export type SourceArguments = MigrationArguments &
  DeviceArguments & { readonly paused?: boolean | undefined };

/** Answers the exit status. Prints the report, or the failure, on standard output. */
export async function runSource(
  guest: ChosenGuest,
  to: Address,
  listen: Address | undefined,
  args: SourceArguments,
): Promise<number> {
  refuseUnknownDevices(args, guest.spec);
  const security = securityOf(args, [to.host]);
  refuseClearText(security, to, listen);
  const from = listen ?? { host: hostToListenOn(security, to.host), port: 0 };
  const plan = (machine: GuestMachine, logger: Logger): OutgoingMigration =>
    planMigration(machine, to, from, args, security, logger);
  const progress = new Progress();
  const view = await openLiveView(guest.spec, args, progress);
  try {
    const bound = { ...guest, bindings: bindingsOf(args, security) };
    const status = await migrateFromHere(bound, plan, args, progress, view);
    // Who cancels wants it over.
    if (view !== undefined && status !== exitStatusOf('CANCELLED')) await showToTheEnd(view, progress);
    return status;
  } catch (error) {
    view?.abort(messageOf(error));
    throw error;
  } finally {
    await view?.close();
  }
}

async function migrateFromHere(
  { spec, module, bindings }: ChosenGuest & { readonly bindings: DeviceBindings },
  plan: (machine: GuestMachine, logger: Logger) => OutgoingMigration,
  args: SourceArguments,
  progress: Progress,
  view: LiveView | undefined,
): Promise<number> {
  const logger = createLogger('source', args.logLevel, standardError);
  let migration: OutgoingMigration | undefined;
  let attempts: Attempts | undefined;
  let guestFailure: MicrostunError | undefined;
  const interrupted = new AbortController();
  const early = new AbortController();
  const events = {
    failed: (error: MicrostunError) => {
      guestFailure = error;
      migration?.failWith(error);
      interrupted.abort(error);
    },
    ...guestWarnings(logger),
  };
  const machine = new GuestMachine(spec, events, { module, bindings });
  const deafen = [
    // While a migration runs it is cancelled, and the guest stays; else the guest ends.
    onInterrupt((signal) => {
      if (attempts?.cancel(signal) === true) {
        progress.say(cancelling(signal, args.once));
        return args.once ? 'end' : 'stay';
      }
      interrupted.abort(new MicrostunError('CANCELLED', `cancelled by ${signal}`));
      return 'end';
    }),
    onWakeCall(() => {
      early.abort();
      attempts?.tryNow();
    }),
    goOnWhenTold(machine, progress),
  ];
  view?.watch(machine);
  try {
    await bootGuest(machine, spec, progress, logger, args.paused);
    await pause(args.migrateAfter, interrupted.signal, early.signal);
    attempts = new Attempts(args, {
      begin: () => {
        migration = plan(machine, logger);
        progress.follow(migration);
        view?.follow(migration);
        return migration;
      },
      say: (text) => {
        progress.stop();
        progress.say(text);
      },
      ...attemptsHere(interrupted.signal),
    });
    const result = await attempts.run();
    progress.stop();
    // It failed while nobody moved it.
    if (guestFailure !== undefined && result.kind === 'failed' && result.error.code !== guestFailure.code)
      throw guestFailure;
    return await conclude(result, machine, args, ENDS, (document) => view?.conclude(document));
  } catch (error) {
    progress.stop();
    return throwCause(error, guestFailure, interrupted.signal);
  } finally {
    for (const stop of deafen) stop();
    await machine.close();
  }
}

// A guest that failed, or whoever interrupted it, is why whatever else went wrong did.
function throwCause(
  error: unknown,
  guestFailure: MicrostunError | undefined,
  { reason }: AbortSignal,
): never {
  if (guestFailure !== undefined) throw guestFailure;
  if (reason instanceof MicrostunError) throw reason;
  throw error;
}

/** Less when `early` says so; throws what `interrupted` is aborted with. */
async function pause(ms: number, interrupted: AbortSignal, early: AbortSignal): Promise<void> {
  await sleepUnless(AbortSignal.any([interrupted, early]), ms);
  interrupted.throwIfAborted();
}

/** Until the guest runs and is sampled. */
export async function bootGuest(
  machine: GuestMachine,
  spec: GuestSpec,
  progress: Progress,
  logger: Logger,
  isPaused = false,
): Promise<void> {
  progress.say(
    `booting guest "${spec.program}": ${formatMemory(spec.memoryBytes, spec.residentBytes)}, ${spec.vcpus} vCPUs`,
  );
  progress.wait('booting');
  await machine.start(true);
  if (isPaused) await machine.setPaused(true);
  await machine.resume();
  progress.stop();
  progress.say(isPaused ? `the guest is booted; ${howToGoOn}` : 'the guest runs');
  for (const text of describeListening(machine)) progress.say(text);
  progress.wait('the guest runs, and is migrated soon');
  machine.prepareSampling(SAMPLE_DOUBLES_MAX, (error) => {
    logger.warn(error.message);
  });
  machine.startSampling();
}

/** What is said at once: a migration may take seconds to let go of what it is at. */
export function cancelling(signal: string, isOnce: boolean): string {
  return isOnce
    ? `${signal}: cancelling the migration if that is still possible; once more ends this process at once`
    : `${signal}: cancelling the migration if that is still possible; the guest then runs on here`;
}

/** Loads what serves a live view only for those who ask for one. */
async function openLiveView(
  { program, memoryBytes, residentBytes, vcpus }: GuestSpec,
  { dashboard, mode, stunBudget }: MigrationArguments,
  progress: Progress,
): Promise<LiveView | undefined> {
  if (dashboard === undefined) return undefined;
  const { LiveView } = await import('./dashboard/live-view.js');
  const view = await LiveView.open(dashboard, {
    program,
    memoryBytes,
    residentBytes,
    vcpus,
    mode,
    stunBudgetMs: stunBudget,
  });
  progress.say(`live view: ${view.where}`);
  return view;
}

/** The run is over and reported; only its viewers still keep the process. */
async function showToTheEnd(view: LiveView, progress: Progress): Promise<void> {
  const interrupted = new AbortController();
  const unlisten = onInterrupt(() => {
    interrupted.abort();
    return 'end';
  });
  try {
    await view.linger((text) => {
      progress.say(text);
    }, interrupted.signal);
  } finally {
    unlisten();
  }
}

/**
 * Calls `onSignal` at each SIGINT or SIGTERM. It answers whether the process is about to end; the next signal after that
 * ends it at once, and so does the third in a row that was to end a migration. Answers how to stop listening.
 */
export function onInterrupt(onSignal: (signal: string) => 'end' | 'stay'): () => void {
  let isEnding = false;
  let stays: number[] = [];
  const listener = (signal: string): void => {
    const now = performance.now();
    stays = stays.filter((at) => now - at < IN_A_ROW_MS);
    if (isEnding || stays.length >= STAYS_MAX) process.exit(exitStatusOf('CANCELLED'));
    if (onSignal(signal) === 'end') isEnding = true;
    else stays.push(now);
  };
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return () => {
    process.off('SIGINT', listener);
    process.off('SIGTERM', listener);
  };
}

/** Somebody who asks so often within so short a time wants it over, whatever hangs. */
const STAYS_MAX = 2;
const IN_A_ROW_MS = 5000;
