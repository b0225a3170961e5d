// A guest there and back between two long-lived nodes: many migrations in minutes, and what they leave behind.
// Starts the nodes as a user does, with --forward-to each other; knows nothing of the figures in their reports.
import { spawn, type ChildProcess } from 'node:child_process';
import { readFileSync, readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { FailureReport, MigrationReport } from '../src/report/document.js';
import { freePort } from './loopback.js';

const entry = fileURLToPath(new URL('../src/cli/main.js', import.meta.url));

/** A migration that takes longer than this is stuck. */
const HOP_MS_MAX = 60_000;

/** What a node holds when it has a guest to send on. */
export interface NodeUse {
  readonly residentBytes: number;
  readonly descriptors: number;
  readonly threads: number;
}

export interface PairRun {
  /** Of every migration between the two, in no order. */
  readonly reports: readonly MigrationReport[];
  /** Of the first node and of the second, at each of their migrations. */
  readonly uses: readonly (readonly NodeUse[])[];
}

/** A guest with these flags, moved `hops` times between two nodes. */
export async function migrateInPair(
  hops: number,
  guestFlags: readonly string[],
  flags: readonly string[] = [],
): Promise<PairRun> {
  const [portOfA, portOfB] = [await freePort(), await freePort()];
  const addresses = [`127.0.0.1:${portOfA}`, `127.0.0.1:${portOfB}`] as const;
  const children: ChildProcess[] = [];
  const uses: NodeUse[][] = [[], []];
  const paces = ['--migrate-after', '150ms', '--no-audit', ...flags];
  const start = (args: readonly string[]): Ran => {
    const ran = run(args);
    children.push(ran.child);
    return ran;
  };
  const node = (own: 0 | 1, itsHops: number): Ran => {
    const to = addresses[1 - own]!;
    const forwards = ['--forward-to', to, '--hops', `${itsHops}`, '--run-for', '0ms', '--json'];
    const ran = start(['destination', '--listen', addresses[own], ...forwards, ...paces]);
    ran.child.stderr?.on('data', (text: string) => {
      if (text.includes('forwarding')) uses[own]!.push(useOf(ran.child.pid ?? 0));
    });
    return ran;
  };
  try {
    const first = node(0, Math.ceil(hops / 2));
    const second = node(1, Math.floor(hops / 2));
    const limitMs = HOP_MS_MAX * (1 + hops / 10);
    const timer = setTimeout(() => {
      for (const child of children) child.kill('SIGKILL');
    }, limitMs);
    const source = start(['source', '--once', '--to', addresses[0], '--json', ...guestFlags, ...paces]);
    try {
      await ended(source);
      // The guest ends where it came last; the other waits for more until it is told to end.
      const [last, other] = hops % 2 === 0 ? [first, second] : [second, first];
      const ends = ended(last);
      await ends;
      other.child.kill('SIGTERM');
      await other.closed;
    } finally {
      clearTimeout(timer);
    }
    const reports = [first, second].flatMap(({ text }) => forwardedIn(text()));
    return { reports, uses };
  } finally {
    for (const child of children) child.kill('SIGKILL');
  }
}

interface Ran {
  readonly child: ChildProcess;
  readonly closed: Promise<number | null>;
  readonly text: () => string;
  readonly errors: () => string;
}

function run(args: readonly string[]): Ran {
  const child = spawn(process.execPath, [entry, ...args], { stdio: ['ignore', 'pipe', 'pipe'] });
  let text = '';
  let errors = '';
  child.stdout.setEncoding('utf8').on('data', (more: string) => (text += more));
  child.stderr.setEncoding('utf8').on('data', (more: string) => (errors += more));
  const closed = new Promise<number | null>((resolve) => child.once('close', resolve));
  return { child, closed, text: () => text, errors: () => errors };
}

async function ended(ran: Ran): Promise<void> {
  const status = await ran.closed;
  if (status !== 0)
    throw new Error(`${ran.child.spawnargs.join(' ')} ended with ${status}:\n${ran.errors()}`);
}

function forwardedIn(json: string): MigrationReport[] {
  const { forwarded } = JSON.parse(json) as { forwarded: readonly (MigrationReport | FailureReport)[] };
  return forwarded.filter((report) => report.outcome === 'completed');
}

function useOf(pid: number): NodeUse {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const numberOf = (name: string): number =>
      Number(new RegExp(`^${name}:\\s+(\\d+)`, 'm').exec(status)?.[1]);
    return {
      residentBytes: numberOf('VmRSS') * 1024,
      descriptors: readdirSync(`/proc/${pid}/fd`).length,
      threads: numberOf('Threads'),
    };
  } catch {
    return { residentBytes: NaN, descriptors: NaN, threads: NaN };
  }
}
