// One run of a comparison: a migration in processes of its own, so that nothing of one run can warm or burden the next.
// Knows how such a process is started, waited for and ended; not what its report says.
import { spawn, type ChildProcess } from 'node:child_process';
import { finished } from 'node:stream/promises';
import type { Readable } from 'node:stream';
import { messageOf } from '../shared/errors.js';
import { after, type Timer } from '../shared/timers.js';

/** How long a process that was asked to end may take to clean up. */
const END_MS = 10_000;

/** What a run says on standard error beyond this is dropped, the oldest first. */
const COMPLAINT_CHARACTERS_MAX = 64 * 1024;

export interface ChildEnd {
  /** null when a signal ended it. */
  readonly status: number | null;
  readonly stdout: string;
  /** The last of what it said. */
  readonly stderr: string;
  readonly why: 'ended' | 'took too long' | 'interrupted' | 'could not be started';
}

/**
 * Runs `command` to its end; to an earlier one when `signal` is aborted or it takes longer than `msMax`.
 * Resolves when it is gone with all that it started.
 */
export async function runChild(
  command: readonly [file: string, ...args: string[]],
  msMax: number,
  signal: AbortSignal,
): Promise<ChildEnd> {
  if (signal.aborted) return { status: null, stdout: '', stderr: '', why: 'interrupted' };
  const [file, ...args] = command;
  // A group of its own: a Ctrl-C at the terminal is ours to pass on, once.
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], detached: true });
  const said = { stdout: '', stderr: '' };
  const streams = [
    gather(child.stdout, (text) => {
      said.stdout += text;
    }),
    gather(child.stderr, (text) => {
      said.stderr = (said.stderr + text).slice(-COMPLAINT_CHARACTERS_MAX);
    }),
  ];
  let why: ChildEnd['why'] = 'ended';
  let killer: Timer | undefined;
  const stop = (reason: ChildEnd['why'], politely: boolean): void => {
    if (why !== 'ended') return;
    why = reason;
    if (politely) child.kill('SIGINT');
    killer = after(politely ? END_MS : 0, () => {
      killGroup(child);
    });
  };
  const onAbort = (): void => {
    stop('interrupted', true);
  };
  const onExit = (): void => {
    killGroup(child);
  };
  const limit = after(msMax, () => {
    stop('took too long', false);
  });
  signal.addEventListener('abort', onAbort, { once: true });
  process.once('exit', onExit);
  try {
    const status = await ended(child);
    // Whatever it started holds its streams; it may have to be killed before they end.
    const rest = Promise.all(streams);
    const stuck = after(END_MS, () => {
      child.stdout.destroy();
      child.stderr.destroy();
    });
    await rest;
    stuck.cancel();
    return { status, ...said, why };
  } catch (error) {
    return { status: null, stdout: '', stderr: messageOf(error), why: 'could not be started' };
  } finally {
    limit.cancel();
    killer?.cancel();
    signal.removeEventListener('abort', onAbort);
    process.off('exit', onExit);
  }
}

function ended(child: ChildProcess): Promise<number | null> {
  return new Promise((resolve, reject) => {
    child.once('error', reject);
    child.once('exit', resolve);
  });
}

/** Takes all that a stream says, until it ends or is destroyed. */
async function gather(stream: Readable, take: (text: string) => void): Promise<void> {
  stream.setEncoding('utf8').on('data', take);
  await finished(stream).catch(() => undefined);
}

/** Kills a process and what it started in its group; the destination ends when it misses its parent. */
function killGroup({ pid, exitCode, signalCode }: ChildProcess): void {
  if (pid === undefined || exitCode !== null || signalCode !== null) return;
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // It went by itself.
  }
}
