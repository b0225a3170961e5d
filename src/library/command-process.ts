// A process that runs a command of microstun for its caller, and talks with it over IPC.
// Knows how it is started, heard and ended; not what is said.
import { fork, type ChildProcess } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable } from 'node:stream';
import { fileURLToPath } from 'node:url';
import type { FailureReport } from '../report/document.js';
import { MicrostunError, type ErrorCode } from '../shared/errors.js';
import { refuseWithoutProcesses } from '../shared/permission.js';
import type { ProcessOptions } from './options.js';

/** The last of what it said is kept, for the error that tells of its end. */
const SAID_CHARACTERS_MAX = 4096;

export class CommandProcess {
  readonly #child: ChildProcess;
  #printed = '';
  #said = '';
  /** Resolves when it is gone and all that it said is here: undefined, or why it ended as it did. Never rejects. */
  readonly ended: Promise<MicrostunError | undefined>;

  /** `onMessage` takes what it says over IPC; `onAbort` is to end it, when the signal says so. */
  constructor(
    command: readonly string[],
    { signal, onLine, execArgv = [] }: ProcessOptions,
    onMessage: (message: unknown) => void,
    onAbort: () => void,
  ) {
    signal?.throwIfAborted();
    refuseWithoutProcesses(`what this library starts (${command[0]})`);
    // The engine's flags are main.ts's; those of the caller's own process, such as --test, are not for this one. A Ctrl-C at
    // the terminal is the caller's to handle, and takes this process along.
    this.#child = fork(fileURLToPath(new URL('../cli/main.js', import.meta.url)), [...command], {
      execArgv: [...execArgv],
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
      detached: true,
    });
    this.#child.on('message', onMessage);
    const streams = [
      this.#gather(this.#child.stdout, (line) => {
        this.#printed += `${line}\n`;
      }),
      this.#gather(this.#child.stderr, (line) => {
        this.#said = `${this.#said}${line}\n`.slice(-SAID_CHARACTERS_MAX);
        onLine?.(line);
      }),
    ];
    signal?.addEventListener('abort', onAbort, { once: true });
    this.ended = this.#untilEnd(streams).finally(() => {
      signal?.removeEventListener('abort', onAbort);
    });
  }

  /** Says something to it; nobody hears it when it is gone. */
  tell(message: object): void {
    if (this.#child.connected) this.#child.send(message, () => undefined);
  }

  /** Nobody wants it any more: it cleans up and ends. */
  leave(): void {
    if (this.#child.connected) this.#child.disconnect();
  }

  async #untilEnd(streams: readonly Promise<void>[]): Promise<MicrostunError | undefined> {
    const exited = new Promise<number | null>((resolve, reject) => {
      this.#child.once('exit', resolve);
      this.#child.once('error', reject);
    });
    try {
      const status = await exited;
      await Promise.all(streams);
      return status === 0 ? undefined : this.#failureOf(status);
    } catch (error) {
      return new MicrostunError('WORKER_FAILED', 'a process of microstun could not be started', {
        cause: error,
      });
    }
  }

  #gather(stream: Readable | null, take: (line: string) => void): Promise<void> {
    return new Promise((resolve) => {
      if (stream === null) {
        resolve();
        return;
      }
      createInterface(stream).on('line', take).once('close', resolve);
    });
  }

  // A command that was asked for a document (--json) prints why it ended.
  #failureOf(status: number | null): MicrostunError {
    try {
      const { error } = JSON.parse(this.#printed) as FailureReport;
      if (error.code !== 'BUG') return new MicrostunError(error.code as ErrorCode, error.message);
    } catch {
      // It could not.
    }
    return new MicrostunError(
      'WORKER_FAILED',
      `a process of microstun ended with ${status === null ? 'a signal' : `status ${status}`}; it said last:\n${this.#said}`,
    );
  }
}
