// The ledger, moved back and forth between two nodes at random instants, by every mode: its locks, the queues for them and the
// money in transit move along, and its total is what it was.
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, freePort, runCli, startDestination } from '../support/cli.js';

const HOPS = 2;
/** 1 MiB and a page: few accounts, so that its vCPUs meet. */
const GUEST_BYTES = 257 * 4096;
const SEED = Number(process.env['LEDGER_SEED'] ?? Math.floor(Math.random() * 2 ** 31));

afterEach(endAll);

describe(`the ledger (LEDGER_SEED=${SEED})`, () => {
  it.each(['hybrid', 'pre-copy', 'post-copy'])(
    `is moved ${HOPS} times by %s, and audited each time`,
    async (mode) => {
      const [a, b] = (await Promise.all([freePort(), freePort()])).map((port) => `127.0.0.1:${port}`) as [
        string,
        string,
      ];
      const paces = (hop: number): string[] => [
        '--migrate-after',
        `${50 + ((SEED + hop * 7919) % 200)}ms`,
        '--audit-after',
        '20ms',
      ];
      const forwarding = ['--hops', `${HOPS / 2}`, '--mode', mode, '--run-for', '0ms'];
      const [nodeA, nodeB] = await Promise.all([
        startDestination(['--forward-to', b, ...forwarding, ...paces(1)], a),
        startDestination(['--forward-to', a, ...forwarding, ...paces(2)], b),
      ]);
      const guest = [
        '--guest',
        'ledger',
        '--memory',
        `${GUEST_BYTES}`,
        '--vcpus',
        '3',
        '--write-rate',
        'max',
      ];
      const first = await runCli(
        'source',
        '--once',
        '--to',
        a,
        ...guest,
        '--seed',
        `${SEED}`,
        '--mode',
        mode,
        '--json',
        ...paces(3),
      );
      expect(first.status, first.stderr).toBe(0);
      const endOfA = await nodeA.destination.ended;
      nodeB.destination.kill('SIGTERM');
      const endOfB = await nodeB.destination.ended;
      expect(endOfA.status, endOfA.stderr).toBe(0);
      const audits = [endOfA, endOfB].flatMap(({ stdout }) =>
        [...stdout.matchAll(/"passed": ?(true|false)/g)].map((match) => match[1]),
      );
      expect(audits).toEqual(Array.from({ length: HOPS }, () => 'true'));
    },
  );
});
