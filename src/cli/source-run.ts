// Runs a source: boots the guest, lets it run, migrates it, prints the report. Shared by `source` and the demo.
import { messageOf, MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { GuestMachine } from '../shared/guest/machine.js';
import { SAMPLE_DOUBLES_MAX } from '../shared/guest/samples.js';
import { createLogger } from '../shared/logger.js';
import { sleep } from '../shared/timers.js';
import { formatBytes } from '../shared/units.js';
import type { Address } from '../shared/wire/sockets.js';
import type { OutgoingMigration } from '../source/migrate.js';
import type { LiveView } from './dashboard/live-view.js';
import { exitStatusOf } from './exit-status.js';
import { conclude, planMigration, type MigrationArguments } from './migration-run.js';
import { standardError } from './output.js';
import { Progress } from './progress.js';

/** Answers the exit status. Prints the report, or the failure, on standard output. */
export async function runSource(
  spec: GuestSpec,
  to: Address,
  listen: Address,
  args: MigrationArguments,
): Promise<number> {
  const progress = new Progress();
  const view = await openLiveView(spec, args, progress);
  try {
    const status = await migrateFromHere(spec, to, listen, args, progress, view);
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
  spec: GuestSpec,
  to: Address,
  listen: Address,
  args: MigrationArguments,
  progress: Progress,
  view: LiveView | undefined,
): Promise<number> {
  const logger = createLogger('source', args.logLevel, standardError);
  let migration: OutgoingMigration | undefined;
  let guestFailure: MicrostunError | undefined;
  const interrupted = new AbortController();
  const machine = new GuestMachine(spec, {
    failed: (error) => {
      guestFailure = error;
      migration?.failWith(error);
      interrupted.abort(error);
    },
  });
  const unlisten = onInterrupt((signal) => {
    if (migration === undefined) interrupted.abort(new MicrostunError('CANCELLED', `cancelled by ${signal}`));
    else migration.cancel(signal);
  });
  view?.watch(machine);
  try {
    progress.say(`booting guest "${spec.program}": ${formatBytes(spec.memoryBytes)}, ${spec.vcpus} vCPUs`);
    await machine.start(true);
    await machine.resume();
    progress.say('the guest runs');
    machine.prepareSampling(SAMPLE_DOUBLES_MAX, (error) => {
      logger.warn(error.message);
    });
    machine.startSampling();
    await sleep(args.migrateAfter, interrupted.signal);
    migration = planMigration(machine, to, listen, args, logger);
    progress.follow(migration);
    view?.follow(migration);
    const result = await migration.run();
    progress.stop();
    return await conclude(result, machine, args, (document) => view?.conclude(document));
  } catch (error) {
    progress.stop();
    if (guestFailure !== undefined) throw guestFailure;
    if (interrupted.signal.aborted && interrupted.signal.reason instanceof MicrostunError)
      throw interrupted.signal.reason;
    throw error;
  } finally {
    unlisten();
    await machine.close();
  }
}

/** Loads what serves a live view only for those who ask for one. */
async function openLiveView(
  { program, memoryBytes, vcpus }: GuestSpec,
  { dashboard, mode, stunBudget }: MigrationArguments,
  progress: Progress,
): Promise<LiveView | undefined> {
  if (dashboard === undefined) return undefined;
  const { LiveView } = await import('./dashboard/live-view.js');
  const view = await LiveView.open(dashboard, {
    program,
    memoryBytes,
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
  });
  try {
    await view.linger((text) => {
      progress.say(text);
    }, interrupted.signal);
  } finally {
    unlisten();
  }
}

/** Calls `onFirst` at the first SIGINT or SIGTERM; the second ends the process. Answers how to stop listening. */
export function onInterrupt(onFirst: (signal: string) => void): () => void {
  let count = 0;
  const listener = (signal: string): void => {
    count++;
    if (count === 1) onFirst(signal);
    else process.exit(exitStatusOf('CANCELLED'));
  };
  process.on('SIGINT', listener);
  process.on('SIGTERM', listener);
  return () => {
    process.off('SIGINT', listener);
    process.off('SIGTERM', listener);
  };
}
