// Runs a source: boots the guest, lets it run, migrates it, prints the report. Shared by `source` and the demo.
import { setTimeout as sleep } from 'node:timers/promises';
import { MicrostunError } from '../shared/errors.js';
import type { GuestSpec } from '../shared/guest/guest-program.js';
import { GuestMachine } from '../shared/guest/machine.js';
import { SAMPLE_DOUBLES_MAX } from '../shared/guest/samples.js';
import { createLogger } from '../shared/logger.js';
import { formatBytes } from '../shared/units.js';
import type { Address } from '../shared/wire/sockets.js';
import type { OutgoingMigration } from '../source/migrate.js';
import { exitStatusOf } from './exit-status.js';
import { conclude, planMigration, type MigrationArguments } from './migration-run.js';
import { Progress } from './progress.js';

/** Answers the exit status. Prints the report, or the failure, on standard output. */
export async function runSource(
  spec: GuestSpec,
  to: Address,
  listen: Address,
  args: MigrationArguments,
): Promise<number> {
  const progress = new Progress();
  const logger = createLogger('source', args.logLevel);
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
  try {
    progress.say(`booting guest "${spec.program}": ${formatBytes(spec.memoryBytes)}, ${spec.vcpus} vCPUs`);
    await machine.start(true);
    await machine.resume();
    progress.say('the guest runs');
    machine.prepareSampling(SAMPLE_DOUBLES_MAX, (error) => {
      logger.warn(error.message);
    });
    machine.startSampling();
    await sleep(args.migrateAfter, undefined, { signal: interrupted.signal });
    migration = planMigration(machine, to, listen, args, logger);
    progress.follow(migration);
    const result = await migration.run();
    progress.stop();
    return await conclude(result, machine, args);
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
