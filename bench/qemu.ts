// Migrations by QEMU in the same minutes: two processes, TCP over the loopback, timed by QEMU itself (query-migrate).
// Knows QEMU's machine protocol and command line; what its guest does is qemu-guest.ts.
import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, constants, existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freePort } from './loopback.js';
import { bootDisk, READY } from './qemu-guest.js';

const QEMU = 'qemu-system-x86_64';
const STEP_MS_MAX = 60_000;
const POLL_MS = 10;

export interface QemuMigration {
  readonly memoryBytes: number;
  /** Written flat out; 0: the guest is idle. */
  readonly hotSetBytes: number;
  /** Streams: 1 is one, more are `multifd`. */
  readonly streams: number;
  readonly downtimeLimitMs: number;
  /** A migration that takes longer does not converge, and is given up. */
  readonly limitMs: number;
}

export interface QemuFigures {
  /** As QEMU says; undefined when it did not converge within the limit. */
  readonly totalMs: number | undefined;
  readonly downtimeMs: number | undefined;
  readonly setupMs: number;
  readonly sentBytes: number;
}

export interface QemuHere {
  readonly version: string;
  /** Without KVM the guest is translated (TCG): it writes more slowly, and what copies its memory is the same. */
  readonly hasKvm: boolean;
}

/** Undefined when it is not installed. */
export function qemuHere(): QemuHere | undefined {
  const { status, stdout } = spawnSync(QEMU, ['--version'], { encoding: 'utf8' });
  if (status !== 0) return undefined;
  return { version: /version (\S+)/.exec(stdout)?.[1] ?? '?', hasKvm: isKvmHere() };
}

export const HOW_TO_INSTALL = 'not installed (Debian: apt install qemu-system-x86)';

// A KVM without hardware (kvm_pvm) runs only guests that know of it, and emulates all others so slowly that TCG is quicker.
function isKvmHere(): boolean {
  try {
    accessSync('/dev/kvm', constants.R_OK | constants.W_OK);
    return !existsSync('/sys/module/kvm_pvm');
  } catch {
    return false;
  }
}

/** Migrates a fresh guest once. */
export async function migrateByQemu(migration: QemuMigration): Promise<QemuFigures> {
  const folder = mkdtempSync(path.join(tmpdir(), 'microstun-qemu-'));
  const machines: Machine[] = [];
  try {
    const start = async (name: string, ...more: readonly string[]): Promise<Machine> => {
      const machine = new Machine(folder, name, migration, more);
      machines.push(machine);
      await machine.greet();
      return machine;
    };
    const source = await start('source');
    const destination = await start('destination', '-incoming', 'defer');
    await source.ready();
    return await migrateBetween(source, destination, migration);
  } finally {
    await Promise.all(machines.map((machine) => machine.end()));
    rmSync(folder, { recursive: true, force: true });
  }
}

async function migrateBetween(
  source: Machine,
  destination: Machine,
  { streams, downtimeLimitMs, limitMs }: QemuMigration,
): Promise<QemuFigures> {
  const uri = `tcp:127.0.0.1:${await freePort()}`;
  for (const side of [source, destination]) {
    if (streams === 1) continue;
    const capabilities = [{ capability: 'multifd', state: true }];
    await side.run('migrate-set-capabilities', { capabilities });
    await side.run('migrate-set-parameters', { 'multifd-channels': streams });
  }
  // Its default of 128 MiB/s is no link's. 0 would be no limit, but not in every release; and what is much more than a
  // link carries makes it several times slower (7.2).
  await source.run('migrate-set-parameters', { 'max-bandwidth': 2 ** 34, 'downtime-limit': downtimeLimitMs });
  await destination.run('migrate-incoming', { uri });
  await source.run('migrate', { uri });
  const until = performance.now() + limitMs;
  for (;;) {
    await sleep(POLL_MS);
    const said = (await source.run('query-migrate')) as Said;
    const { status, ram } = said;
    const setupMs = said['setup-time'] ?? 0;
    const sentBytes = ram?.transferred ?? 0;
    if (status === 'completed')
      return { totalMs: said['total-time'], downtimeMs: said.downtime, setupMs, sentBytes };
    if (status === 'failed') throw new Error(`QEMU's migration failed: ${JSON.stringify(said)}`);
    if (performance.now() > until) return { totalMs: undefined, downtimeMs: undefined, setupMs, sentBytes };
  }
}

/** What query-migrate says. */
interface Said {
  readonly status: string;
  readonly 'total-time'?: number;
  readonly 'setup-time'?: number;
  readonly downtime?: number;
  readonly ram?: { readonly transferred: number };
}

/** A QEMU process and its control socket. */
class Machine {
  readonly #child: ChildProcess;
  readonly #socketPath: string;
  readonly #serial: Promise<void>;
  readonly #ended: Promise<never>;
  #control: Socket | undefined;
  #told = '';
  #answered: ((answer: Answer) => void) | undefined;
  #stderr = '';

  constructor(
    folder: string,
    name: string,
    { memoryBytes, hotSetBytes }: QemuMigration,
    more: readonly string[],
  ) {
    const disk = path.join(folder, `${name}.img`);
    writeFileSync(disk, bootDisk(memoryBytes, hotSetBytes));
    this.#socketPath = path.join(folder, `${name}.sock`);
    const accelerated = ['-accel', isKvmHere() ? 'kvm' : 'tcg'];
    const machine = ['-M', 'pc', '-m', `${memoryBytes / 2 ** 20}`, '-nodefaults', '-display', 'none'];
    const devices = ['-serial', 'stdio', '-drive', `if=ide,format=raw,file=${disk}`];
    const control = ['-qmp', `unix:${this.#socketPath},server=on,wait=off`];
    this.#child = spawn(QEMU, [...accelerated, ...machine, ...devices, ...control, ...more], {
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.#ended = new Promise((_, reject) => {
      this.#child.once('close', () => {
        reject(new Error(`QEMU ended: ${this.#stderr}`));
      });
      this.#child.once('error', reject);
    });
    this.#ended.catch(() => undefined);
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => (this.#stderr += text));
    this.#serial = new Promise((resolve) => {
      this.#child.stdout?.setEncoding('latin1').on('data', (text: string) => {
        if (text.includes(READY)) resolve();
      });
    });
  }

  /** Its guest has filled its memory. */
  async ready(): Promise<void> {
    await within(
      Promise.race([this.#serial, this.#ended]),
      () => `QEMU's guest did not start: ${this.#stderr}`,
    );
  }

  async greet(): Promise<void> {
    const until = performance.now() + STEP_MS_MAX;
    for (;;) {
      const socket = connect(this.#socketPath);
      const isUp = await new Promise<boolean>((resolve) => {
        socket.once('connect', () => {
          resolve(true);
        });
        socket.once('error', () => {
          resolve(false);
        });
      });
      if (isUp) {
        this.#control = socket;
        break;
      }
      if (this.#child.exitCode !== null || performance.now() > until)
        throw new Error(`QEMU did not start: ${this.#stderr}`);
      await sleep(POLL_MS);
    }
    this.#control.on('error', () => undefined);
    this.#control.setEncoding('utf8').on('data', (text: string) => {
      this.#take(text);
    });
    await this.run('qmp_capabilities');
  }

  async run(execute: string, values: Readonly<Record<string, unknown>> = {}): Promise<unknown> {
    const answer = new Promise<Answer>((resolve) => {
      this.#answered = resolve;
    });
    this.#control?.write(`${JSON.stringify({ execute, arguments: values })}\n`);
    const { error, return: result } = await within(
      Promise.race([answer, this.#ended]),
      () => `QEMU did not answer ${execute}`,
    );
    if (error !== undefined) throw new Error(`QEMU refused ${execute}: ${error.desc}`);
    return result;
  }

  // A line each: answers, and events that nobody waits for.
  #take(text: string): void {
    const lines = (this.#told + text).split('\n');
    this.#told = lines.pop() ?? '';
    for (const line of lines) {
      const said = JSON.parse(line) as Answer;
      if (said.return !== undefined || said.error !== undefined) this.#answered?.(said);
    }
  }

  async end(): Promise<void> {
    this.#control?.destroy();
    if (this.#child.exitCode !== null || this.#child.signalCode !== null) return;
    const closed = once(this.#child, 'close');
    this.#child.kill('SIGKILL');
    await closed;
  }
}

interface Answer {
  readonly return?: unknown;
  readonly error?: { readonly desc: string };
}

async function within<T>(work: Promise<T>, why: () => string): Promise<T> {
  const over = new AbortController();
  const late = sleep(STEP_MS_MAX, undefined, { signal: over.signal }).then(() => {
    throw new Error(why());
  });
  try {
    return await Promise.race([work, late]);
  } finally {
    over.abort();
    late.catch(() => undefined);
  }
}
