// A microstun process under test: its output so far, and waiting for what it will say, always with a time limit.
// Knows the command line and nothing of what is tested.
import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

const ENTRY = fileURLToPath(new URL('../../dist/cli/main.js', import.meta.url));

export interface ProcessEnd {
  readonly status: number | null;
  readonly signal: NodeJS.Signals | null;
}

export class PeerProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #listeners = new Set<() => void>();
  #address: string | undefined;
  #end: ProcessEnd | undefined;
  stdout = '';
  stderr = '';

  constructor(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}) {
    this.#name = name;
    this.#child = fork(ENTRY, args, {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: { ...process.env, ...env },
      execArgv: [],
    });
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      this.stdout += text;
      this.#changed();
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.stderr += text;
      this.#changed();
    });
    this.#child.on('message', ({ listening }: { listening?: { host: string; port: number } }) => {
      // It tells of its guests as well.
      if (listening === undefined) return;
      this.#address = `${listening.host}:${listening.port}`;
      this.#changed();
    });
    // 'close': everything that it said has been read.
    this.#child.on('close', (status, signal) => {
      this.#end = { status, signal };
      this.#changed();
    });
  }

  get pid(): number {
    return this.#child.pid!;
  }

  /** How it ended; undefined while it has not. */
  get ended(): ProcessEnd | undefined {
    return this.#end;
  }

  /** Where a destination listens. */
  async address(ms: number): Promise<string> {
    await this.until('listen', () => this.#address !== undefined, ms);
    return this.#address!;
  }

  async end(ms: number): Promise<ProcessEnd> {
    await this.until('end', () => this.#end !== undefined, ms);
    return this.#end!;
  }

  /** Waits until `holds`; fails when the process has ended and it does not, or after `ms`. */
  async until(what: string, holds: () => boolean, ms: number): Promise<void> {
    let timer: NodeJS.Timeout | undefined;
    let check = (): void => undefined;
    try {
      await new Promise<void>((resolve, reject) => {
        check = (): void => {
          if (holds()) resolve();
          else if (this.#end !== undefined) reject(this.#complaint(`it ended and did not ${what}`));
        };
        timer = setTimeout(() => {
          reject(this.#complaint(`it did not ${what} within ${ms} ms`));
        }, ms);
        this.#listeners.add(check);
        check();
      });
    } finally {
      clearTimeout(timer);
      this.#listeners.delete(check);
    }
  }

  /** The JSON documents that it has printed so far. */
  documents(): unknown[] {
    return this.stdout
      .split(/(?<=^\}\n)/m)
      .filter((text) => text.endsWith('}\n'))
      .map((text) => JSON.parse(text) as unknown);
  }

  interrupt(): void {
    this.#child.kill('SIGTERM');
  }

  async kill(): Promise<void> {
    if (this.#end !== undefined) return;
    this.#child.kill('SIGKILL');
    if (this.#child.exitCode === null && this.#child.signalCode === null) await once(this.#child, 'exit');
  }

  /** What it printed, for a failed test. */
  get story(): string {
    const end = this.#end === undefined ? 'runs' : `ended: ${this.#end.status ?? this.#end.signal}`;
    return `--- ${this.#name} (${end})\n${this.stderr}${shorten(this.stdout)}`;
  }

  #complaint(what: string): Error {
    return new Error(`${this.#name}: ${what}`);
  }

  #changed(): void {
    for (const listener of [...this.#listeners]) listener();
  }
}

function shorten(text: string): string {
  return text.length > 1500 ? `${text.slice(0, 1500)} …\n` : text;
}
