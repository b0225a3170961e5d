// The same guest back and forth between two nodes, without a restart: nothing is lost, and nothing leaks.
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, freePort, runCli, startDestination, type CliProcess } from '../support/cli.js';

const HOPS = 20;
/** A guest that would be seen if it stayed behind. */
const GUEST_PAGES = 8193;
const GUEST_BYTES = GUEST_PAGES * 4096;
const PROCESS_MS_MAX = 280_000;

afterEach(endAll);

describe('two nodes', () => {
  it.skipIf(process.platform !== 'linux')(
    `send a guest ${HOPS} times back and forth, audited each time, with memory and descriptors flat`,
    { timeout: 300_000 },
    async () => {
      const [portOfA, portOfB] = await Promise.all([freePort(), freePort()]);
      const a = `127.0.0.1:${portOfA}`;
      const b = `127.0.0.1:${portOfB}`;
      const paces = ['--migrate-after', '100ms', '--audit-after', '50ms', '--run-for', '0ms'];
      const hops = ['--hops', `${HOPS / 2}`];
      const [nodeA, nodeB] = await Promise.all([
        startDestination(['--forward-to', b, ...hops, ...paces], a, PROCESS_MS_MAX),
        startDestination(['--forward-to', a, ...hops, ...paces], b, PROCESS_MS_MAX),
      ]);
      const first = await runCli(
        'source',
        '--once',
        '--to',
        a,
        '--guest',
        'replay',
        '--memory',
        `${GUEST_BYTES}`,
        '--json',
        ...paces.slice(0, 4),
      );
      expect(first.status).toBe(0);

      await saidTimes(nodeB.destination, /forwarding/, 3);
      const early = use(nodeB.destination);
      await saidTimes(nodeB.destination, /forwarding/, HOPS / 2);
      const late = use(nodeB.destination);

      // A keeps the guest at last, and ends; B waits for the next until it is told to end.
      const endOfA = await nodeA.destination.ended;
      nodeB.destination.kill('SIGTERM');
      const endOfB = await nodeB.destination.ended;
      expect(endOfA.status).toBe(0);
      const audits = [endOfA, endOfB].flatMap(({ stdout }) =>
        [...stdout.matchAll(/"passed": ?(true|false)/g)].map((match) => match[1]),
      );
      expect(audits).toEqual(Array.from({ length: HOPS }, () => 'true'));
      expect(late.residentBytes).toBeLessThan(early.residentBytes + 2 * GUEST_BYTES);
      // The threads of the migration that begins may be there already: a tracer and two copiers, four descriptors each.
      expect(late.descriptors).toBeLessThanOrEqual(early.descriptors + 16);
    },
  );
});

async function saidTimes(node: CliProcess, pattern: RegExp, times: number): Promise<void> {
  await node.said(new RegExp(`(?:${pattern.source}[^]*?){${times}}`));
}

function use({ pid }: CliProcess): { residentBytes: number; descriptors: number } {
  const resident = /VmRSS:\s*(\d+) kB/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'));
  return { residentBytes: Number(resident?.[1]) * 1024, descriptors: readdirSync(`/proc/${pid}/fd`).length };
}
