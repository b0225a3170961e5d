// The command line as a test runs it: real processes of the built files, waited for by what they say, never by time.
// Knows exit statuses, streams and the IPC notice; whoever starts a process here leaves its end to `endAll`.
import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type AddressInfo } from 'node:net';
import path from 'node:path';
import type { Readable } from 'node:stream';
import type { ListeningNotice } from '../../src/cli/destination-run.js';
import type { FailureReport, MigrationReport } from '../../src/report/document.js';
import { formatAddress, type Address } from '../../src/shared/wire/sockets.js';

export const root = path.resolve(import.meta.dirname, '../..');
const entry = path.join(root, 'dist/cli/main.js');

/** A process that has not ended by then is stuck; it is killed, and the test that waits for it fails. */
const PROCESS_MS_MAX = 45_000;

/** A guest of an odd number of pages, one past a power of two: no run, word or region of the bitmap comes out even. */
export const ODD_PAGES = 2049;
/** Flags that make a migration quick. */
export const quick = ['--migrate-after', '200ms', '--audit-after', '100ms'];
/** Those, and a guest of `pageCount` pages. */
export const small = (pageCount = ODD_PAGES): string[] => ['--memory', `${pageCount * 4096}`, ...quick];

/** How a process ended, and all that it said. */
export interface Ended {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
  readonly stdout: string;
  readonly stderr: string;
}

const running = new Set<CliProcess>();

/** One process of the command line. */
export class CliProcess {
  readonly #child: ChildProcess;
  readonly #text = { stdout: '', stderr: '' };
  readonly #waiting = new Set<() => void>();
  /** Resolves when the process has ended and all that it said is here; rejects when it was stuck. */
  readonly ended: Promise<Ended>;
  /** Resolves when the process has ended; a child of its own may still hold its streams. */
  readonly gone: Promise<void>;
  #end: Ended | undefined;

  constructor(command: string, args: readonly string[], hasIpc: boolean, msMax = PROCESS_MS_MAX) {
    this.#child = spawn(command, args, {
      cwd: root,
      stdio: ['ignore', 'pipe', 'pipe', ...(hasIpc ? (['ipc'] as const) : [])],
    });
    running.add(this);
    this.#gather('stdout', this.#child.stdout);
    this.#gather('stderr', this.#child.stderr);
    this.gone = new Promise((resolve) => {
      this.#child.once('exit', () => {
        running.delete(this);
        resolve();
      });
    });
    this.ended = new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        this.kill('SIGKILL');
        reject(new Error(`stuck: ${args.join(' ')}; it said:\n${this.#text.stderr}${this.#text.stdout}`));
      }, msMax);
      this.#child.once('error', reject);
      // Not 'exit': only now is all of its output here.
      this.#child.once('close', (status, signal) => {
        clearTimeout(timer);
        this.#end = { status, signal, ...this.#text };
        this.#look();
        resolve(this.#end);
      });
    });
    // A test may fail before it waits for the end; that is its own failure, not an unhandled one.
    this.ended.catch(() => undefined);
  }

  get pid(): number {
    return this.#child.pid ?? 0;
  }

  /** Whether it has ended. */
  get isOver(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** What is on standard output so far. */
  get printed(): string {
    return this.#text.stdout;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  /** Reads no more of what it says: whatever it writes from now on finds nobody. */
  closeOutputs(): void {
    this.#child.stdout?.destroy();
    this.#child.stderr?.destroy();
  }

  /** Resolves once `pattern` is on standard error; rejects when the process ends without having said it. */
  said(pattern: RegExp): Promise<RegExpExecArray> {
    return this.#when(() => pattern.exec(this.#text.stderr), String(pattern));
  }

  /** Resolves once `text` is on standard error so many times. */
  async saidTimes(text: string, times: number): Promise<void> {
    const isSaid = (): true | undefined => this.#text.stderr.split(text).length > times || undefined;
    await this.#when(isSaid, `"${text}" ${times} times`);
  }

  /** Where a destination that was started with an IPC channel listens. */
  async listening(): Promise<Address> {
    let notice: ListeningNotice | undefined;
    this.#child.once('message', (message) => {
      notice = message as ListeningNotice;
      this.#look();
    });
    const { listening } = await this.#when(() => notice, 'an IPC notice');
    return listening;
  }

  #when<T>(seek: () => T | null | undefined, sought: string): Promise<T> {
    return new Promise((resolve, reject) => {
      const look = (): void => {
        const found = seek();
        if (found === undefined || found === null) {
          if (this.#end === undefined) return;
          reject(new Error(`ended without ${sought}: ${JSON.stringify(this.#end)}`));
        } else {
          resolve(found);
        }
        this.#waiting.delete(look);
      };
      this.#waiting.add(look);
      look();
    });
  }

  #gather(stream: 'stdout' | 'stderr', readable: Readable | null): void {
    readable?.setEncoding('utf8').on('data', (text: string) => {
      this.#text[stream] += text;
      this.#look();
    });
  }

  #look(): void {
    for (const look of [...this.#waiting]) look();
  }
}

/** Starts the built command line. */
export function startCli(...args: readonly string[]): CliProcess {
  return new CliProcess(process.execPath, [entry, ...args], false);
}

/** Runs the built command line to its end. */
export function runCli(...args: readonly string[]): Promise<Ended> {
  return startCli(...args).ended;
}

/** Runs `npm` in this repository to its end. */
export function runNpm(...args: readonly string[]): Promise<Ended> {
  return new CliProcess('npm', args, false).ended;
}

/** A destination that listens on `listen`, any free port of the loopback if not said, and where. */
export async function startDestination(
  args: readonly string[] = [],
  listen = '127.0.0.1:0',
  msMax = PROCESS_MS_MAX,
): Promise<{ destination: CliProcess; to: string }> {
  const all = [entry, 'destination', '--listen', listen, '--json', ...args];
  const destination = new CliProcess(process.execPath, all, true, msMax);
  return { destination, to: formatAddress(await destination.listening()) };
}

/** Starts a source of a small guest that migrates to `to`. */
export function startSource(to: string, ...args: readonly string[]): CliProcess {
  return startCli('source', '--once', '--json', '--to', to, ...small(), ...args);
}

/** Ends whatever a test left behind; for `afterEach`. */
export async function endAll(): Promise<void> {
  const left = [...running];
  for (const one of left) one.kill('SIGKILL');
  await Promise.all(left.map((one) => one.gone));
}

/** The report of a completed migration; fails with everything that was said when there is none. */
export function reportOf({ status, stdout, stderr }: Ended): MigrationReport {
  if (status !== 0) throw new Error(`exit status ${status}\n${stderr}\n${stdout}`);
  return JSON.parse(stdout) as MigrationReport;
}

/** The report of a failed migration. */
export function failureOf({ status, stdout, stderr }: Ended): FailureReport {
  const report = JSON.parse(stdout) as FailureReport | MigrationReport;
  if (report.outcome !== 'failed') throw new Error(`exit status ${status}\n${stderr}\n${stdout}`);
  return report;
}

/** A port that nobody listens on just now. */
export function freePort(): Promise<number> {
  return new Promise((resolve) => {
    const server = createServer().listen(0, '127.0.0.1', () => {
      const { port } = server.address() as AddressInfo;
      server.close(() => {
        resolve(port);
      });
    });
  });
}
