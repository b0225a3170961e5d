// Runs one cell of the fault matrix with real processes and judges it: one owner at most, and a guest that is whole
// wherever it runs. A guest that nobody has audited at the destination is forwarded to a third process, and audited there.
import { existsSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import type { FailureReport, MigrationReport } from '../../src/report/document.js';
import { nameOf, situations, type Cell } from './fault-matrix.js';
import { PeerProcess } from './peer-process.js';
import { sufferingFrom, type WireFault } from './wire-faults.js';

/** An odd number of pages: the last region is not full. */
const GUEST_BYTES = 257 * 4096;
const START_MS = 30_000;
const RUN_MS = 60_000;

const TIME_LIMITS = ['--reconnect-timeout', '4s', '--in-doubt-after', '6s'];
const AUDIT_AFTER = '20ms';
/** Enough to dirty every page in a round, and little enough to leave a processor to the others. */
const WRITE_RATE = ['--write-rate', '10k'];

export interface CellResult {
  /** What became of the guest, in a few words. */
  readonly outcome: string;
  readonly seconds: number;
}

/** Runs `cell`. @throws Error with the processes' output when it breaks a rule. */
export async function runCell(cell: Cell): Promise<CellResult> {
  const from = performance.now();
  const run = new CellRun(cell);
  try {
    const outcome = await run.judge();
    return { outcome, seconds: (performance.now() - from) / 1000 };
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new Error(`${nameOf(cell)}: ${why}\n${run.story}`, { cause: error });
  } finally {
    await run.close();
  }
}

class CellRun {
  readonly #cell: Cell;
  readonly #folder = mkdtempSync(path.join(tmpdir(), 'microstun-matrix-'));
  readonly #processes: PeerProcess[] = [];
  readonly #victim: 'source' | 'destination' | undefined;

  constructor(cell: Cell) {
    this.#cell = cell;
    const { sender, what } = cell;
    const peer = sender === 'source' ? 'destination' : 'source';
    this.#victim = what === 'kill-self' ? sender : what === 'kill-peer' ? peer : undefined;
  }

  get story(): string {
    return this.#processes.map((one) => one.story).join('\n');
  }

  async close(): Promise<void> {
    await Promise.all(this.#processes.map((one) => one.kill()));
    rmSync(this.#folder, { recursive: true, force: true });
  }

  async judge(): Promise<string> {
    const { sourceFlags, destinationFlags } = situations[this.#cell.situation];
    // Nobody listens there unless the guest has to be looked at; until then the destination tries.
    const next = `127.0.0.1:${await unusedPort()}`;
    const forwardTo = [
      '--forward-to',
      next,
      '--migrate-after',
      '0ms',
      '--connections',
      '1',
      '--audit-after',
      AUDIT_AFTER,
    ];
    const patience = ['--connect-timeout', `${RUN_MS}ms`];
    const destination = this.#startDestination(
      'destination',
      '127.0.0.1:0',
      [...forwardTo, ...patience, ...TIME_LIMITS, ...destinationFlags],
      this.#faults('destination'),
    );
    const to = await destination.address(START_MS);
    if (this.#cell.sender === 'source') this.#notePeer(destination);
    const source = this.#startSource('source', to, sourceFlags, this.#faults('source'));
    if (this.#cell.sender === 'destination') this.#notePeer(source);

    const { signal } = await source.end(RUN_MS);
    must(existsSync(this.#spentFile), 'the fault never struck: this cell tests nothing');
    if (this.#victim === 'source') must(signal === 'SIGKILL', 'the source outlived its death');
    if (this.#victim === 'destination') {
      const end = await destination.end(RUN_MS);
      must(end.signal === 'SIGKILL', 'the destination outlived its death');
      return this.#judgeWithoutDestination(source);
    }
    return this.#victim === 'source'
      ? this.#judgeWithoutSource(destination, to, next)
      : this.#judgeBoth(source, destination, to, next);
  }

  // Both lived: what can go through must, somebody knows that he owns the guest, and nobody may be in doubt.
  async #judgeBoth(source: PeerProcess, destination: PeerProcess, to: string, next: string): Promise<string> {
    const report = reportOf(source);
    if (report.outcome === 'completed') {
      must(report.audit?.passed === true, 'the audit at the destination did not pass');
      return 'completed';
    }
    if (report.owner === 'destination') {
      await this.#judgeForwarded(destination, next);
      return `at the destination, ${report.error.code}`;
    }
    must(report.owner === 'source', `the owner is ${report.owner}, and both processes lived`);
    must(
      !situations[this.#cell.situation].completes,
      `it did not go through, and both processes lived: ${report.error.message}`,
    );
    must(report.safeNext.includes('its audit passed'), 'the guest is not whole at the source');
    must(arrivals(destination) === 0, 'the guest runs at the destination too');
    await this.#migrateAgain(destination, to);
    return `at the source, ${report.error.code}`;
  }

  #judgeWithoutDestination(source: PeerProcess): string {
    const report = reportOf(source);
    if (report.outcome === 'completed') {
      must(report.audit?.passed === true, 'the audit at the destination did not pass');
      return 'completed, then killed with the destination';
    }
    const { owner, safeNext, error } = report;
    if (owner === 'source')
      must(safeNext.includes('its audit passed'), 'the guest is not whole at the source');
    if (owner === 'in doubt') must(source.ended?.status === 7, 'a run in doubt ends with status 7');
    return `${owner === 'source' ? 'at the source' : owner}, ${error.code}`;
  }

  // The destination has the whole guest, or knows that pages are lost, or is free for the next one.
  async #judgeWithoutSource(destination: PeerProcess, to: string, next: string): Promise<string> {
    if (await this.#migrateAgain(destination, to)) return 'killed with the source';
    if (arrivals(destination) > 0) {
      await this.#judgeForwarded(destination, next);
      return 'at the destination';
    }
    destination.interrupt();
    const { status } = await destination.end(RUN_MS);
    must(status === 8, `lost pages end with status 8, not ${status}`);
    return 'pages lost';
  }

  // A fresh source to the same destination. Answers false when that has a guest: a destination may take a while to
  // learn that its source is gone, and until then it is busy.
  async #migrateAgain(destination: PeerProcess, to: string): Promise<boolean> {
    const until = performance.now() + RUN_MS;
    for (;;) {
      if (hasSpoken(destination)) return false;
      const again = this.#startSource('second source', to, []);
      await again.end(RUN_MS);
      const report = reportOf(again);
      if (report.outcome === 'completed') {
        must(report.audit?.passed === true, 'the audit of the second migration did not pass');
        return true;
      }
      must(
        report.error.message.includes('has a guest already') && performance.now() < until,
        `the second migration failed: ${report.error.message}`,
      );
    }
  }

  // The destination's guest is whole where it goes next, and runs there.
  async #judgeForwarded(destination: PeerProcess, next: string): Promise<void> {
    const last = this.#startDestination('last destination', next, []);
    await last.until('take the guest that was forwarded', () => arrivals(last) > 0, RUN_MS);
    await destination.until('let its guest go', () => destination.story.includes('has left for'), RUN_MS);
    destination.interrupt();
    last.interrupt();
    await Promise.all([destination.end(RUN_MS), last.end(RUN_MS)]);
    // What became of a forwarding is in the one document that is printed at the end.
    const [{ forwarded }] = destination.documents() as [{ forwarded: (MigrationReport | FailureReport)[] }];
    const report = forwarded[0];
    must(report?.outcome === 'completed', 'the guest could not be forwarded');
    must(report.audit?.passed === true, 'the audit of the forwarded guest did not pass');
    must(arrivals(destination) === 1, `${arrivals(destination)} guests came to the destination`);
    const [end] = last.documents() as { outcome: string; guest: { slices: number } | null }[];
    must(end?.outcome === 'ran' && (end.guest?.slices ?? 0) > 0, 'the guest did not run where it went');
  }

  #startDestination(
    name: string,
    listen: string,
    flags: readonly string[],
    env?: Record<string, string>,
  ): PeerProcess {
    return this.#start(new PeerProcess(name, ['destination', '--listen', listen, '--json', ...flags], env));
  }

  #startSource(
    name: string,
    to: string,
    flags: readonly string[],
    env?: Record<string, string>,
  ): PeerProcess {
    const memory = flags.includes('--memory') ? [] : ['--memory', String(GUEST_BYTES)];
    const args = [
      'source',
      '--once',
      '--to',
      to,
      '--listen',
      '127.0.0.1:0',
      '--json',
      '--guest',
      'replay',
      ...memory,
    ];
    return this.#start(
      new PeerProcess(
        name,
        [
          ...args,
          '--migrate-after',
          '50ms',
          '--connect-timeout',
          '10s',
          ...WRITE_RATE,
          '--audit-after',
          situations[this.#cell.situation].auditAfter ?? AUDIT_AFTER,
          ...TIME_LIMITS,
          ...flags,
        ],
        env,
      ),
    );
  }

  #start(started: PeerProcess): PeerProcess {
    this.#processes.push(started);
    return started;
  }

  get #spentFile(): string {
    return path.join(this.#folder, 'spent');
  }

  get #peerPidFile(): string {
    return path.join(this.#folder, 'peer');
  }

  #notePeer(peer: PeerProcess): void {
    writeFileSync(this.#peerPidFile, String(peer.pid));
  }

  #faults(side: Cell['sender']): Record<string, string> {
    const { message, sender, when, what, isOfWorkers = false } = this.#cell;
    if (side !== sender) return {};
    const fault: WireFault = {
      message,
      isOfWorkers,
      when,
      what,
      peerPidFile: this.#peerPidFile,
      spentFile: this.#spentFile,
    };
    return sufferingFrom([fault]);
  }
}

function reportOf(source: PeerProcess): MigrationReport | FailureReport {
  const [report] = source.documents();
  must(report !== undefined, 'the source printed no report');
  return report as MigrationReport | FailureReport;
}

function arrivals(destination: PeerProcess): number {
  return destination.stderr.split(' runs here: ').length - 1;
}

// Whether the destination has said what became of a guest that was handed over.
function hasSpoken(destination: PeerProcess): boolean {
  return arrivals(destination) > 0 || destination.stderr.includes('has been away for');
}

/** Above the ports that the operating system hands out by itself, so that nobody takes one meanwhile. */
const PORT_FIRST = 61_001;
const PORTS = 4_500;
let nextPort = process.pid * 64;

async function unusedPort(): Promise<number> {
  for (;;) {
    const port = PORT_FIRST + (nextPort++ % PORTS);
    const server = createServer();
    const isFree = await new Promise<boolean>((resolve) => {
      server.once('error', () => {
        resolve(false);
      });
      server.listen(port, '127.0.0.1', () => {
        server.close(() => {
          resolve(true);
        });
      });
    });
    if (isFree) return port;
  }
}

function must(holds: boolean, complaint: string): asserts holds {
  if (!holds) throw new Error(complaint);
}
