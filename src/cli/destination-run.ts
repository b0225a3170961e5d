// Runs a destination: listens, takes one guest, runs it, and ends when it was asked to.
import { setTimeout as sleep } from 'node:timers/promises';
import { Destination } from '../destination/destination.js';
import type { Reception } from '../destination/receive.js';
import { MicrostunError } from '../shared/errors.js';
import { createLogger, type LogLevel } from '../shared/logger.js';
import { formatBytes, formatCount } from '../shared/units.js';
import { formatAddress, type Address } from '../shared/wire/sockets.js';
import { exitStatusOf } from './exit-status.js';
import { Progress } from './progress.js';
import { onInterrupt } from './source-run.js';

export interface DestinationArguments {
  readonly maxMemory: number | undefined;
  /** How long the guest runs on after the source took its leave; undefined: until interrupted. */
  readonly runFor: number | undefined;
  /** Whether to wait for the next migration after one that was refused or cancelled. */
  readonly once: boolean;
  readonly json: boolean;
  readonly logLevel: LogLevel;
}

/** Told to a parent process that started this one with an IPC channel, once it listens. */
export interface ListeningNotice {
  readonly listening: Address;
}

/** What `--json` prints when the destination ends. */
interface DestinationReport {
  readonly outcome: 'ran' | 'refused' | 'cancelled';
  readonly pid: number;
  readonly guest: { readonly slices: number; readonly pagesWritten: number } | null;
}

/** Answers the exit status. */
export async function runDestination(listen: Address, args: DestinationArguments): Promise<number> {
  const progress = new Progress();
  const logger = createLogger('destination', args.logLevel);
  const interrupted = new AbortController();
  let report: (reception: Reception) => void = () => undefined;
  const destination = new Destination(
    {
      limits: {
        controlLostMs: 15_000,
        pagesLostMs: 10_000,
        retryMs: 100,
        placementMs: 60_000,
        farewellMs: 15_000,
      },
      memoryBytesMax: args.maxMemory ?? process.availableMemory(),
      logger,
    },
    (reception, migration) => {
      if (reception.kind === 'running') {
        migration.onGuestFailure((error) => {
          interrupted.abort(error);
        });
      }
      report(reception);
    },
  );
  const unlisten = onInterrupt((signal) => {
    interrupted.abort(new MicrostunError('CANCELLED', `ended by ${signal}`));
    destination.cancel(signal);
  });
  // A parent that forked us and is gone cannot want the guest any more than a terminal that was closed.
  process.on('disconnect', () => {
    destination.cancel('the parent process is gone');
    interrupted.abort(new MicrostunError('CANCELLED', 'the parent process is gone'));
  });
  try {
    const address = await destination.listen(listen);
    progress.say(`listening on ${formatAddress(address)}`);
    process.send?.({ listening: address } satisfies ListeningNotice);
    for (;;) {
      const reception = await new Promise<Reception | undefined>((resolve) => {
        report = resolve;
        interrupted.signal.addEventListener('abort', () => {
          if (destination.migration === undefined) resolve(undefined);
        });
        if (interrupted.signal.aborted) resolve(undefined);
      });
      if (reception === undefined) {
        print({ outcome: 'cancelled', pid: process.pid, guest: null }, args.json);
        return exitStatusOf('CANCELLED');
      }
      if (reception.kind === 'running') return await runOn(reception, args, progress, interrupted.signal);
      progress.say(`no guest came: ${reception.error.message}`);
      if (reception.kind === 'failed' || args.once || interrupted.signal.aborted) {
        print({ outcome: 'refused', pid: process.pid, guest: null }, args.json);
        return exitStatusOf(interrupted.signal.aborted ? 'CANCELLED' : reception.error.code);
      }
    }
  } finally {
    unlisten();
    destination.close();
    if (process.connected) process.disconnect();
  }
}

async function runOn(
  { machine, isSourceGone }: Extract<Reception, { kind: 'running' }>,
  { runFor, json }: DestinationArguments,
  progress: Progress,
  signal: AbortSignal,
): Promise<number> {
  const { program, memoryBytes, vcpus } = machine.spec;
  progress.say(
    `guest "${program}" runs here: ${formatBytes(memoryBytes)}, ${vcpus} vCPUs${isSourceGone ? '; its source went away without a farewell' : ''}`,
  );
  try {
    if (runFor === undefined)
      progress.say('it runs until this process is interrupted (--run-for sets a time)');
    await sleep(runFor ?? 2 ** 31 - 1, undefined, { signal });
  } catch (error) {
    if (!signal.aborted) throw error;
    const reason: unknown = signal.reason;
    if (reason instanceof MicrostunError && reason.code !== 'CANCELLED') throw reason;
  }
  const { slices, work } = machine.counters();
  await machine.close();
  progress.say(`the guest ran ${formatCount(slices)} slices here and wrote ${formatCount(work)} pages`);
  print({ outcome: 'ran', pid: process.pid, guest: { slices, pagesWritten: work } }, json);
  return 0;
}

function print(report: DestinationReport, json: boolean): void {
  if (json) process.stdout.write(`${JSON.stringify(report, undefined, 2)}\n`);
}
