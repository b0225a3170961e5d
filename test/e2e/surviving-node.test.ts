// A node whose migrations fail, one in each way there is: it goes on to listen, and its other guest to run.
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import type { NodeReport } from '../../src/cli/destination-report.js';
import { endAll, quick, reportOf, startCli, type CliProcess } from '../support/cli.js';
import { closeFakePeers, silentPeer } from '../support/fake-peer.js';
import { FakeSource } from '../support/fake-source.js';
import { PeerProcess } from '../support/peer-process.js';

const WAIT_MS = 40_000;
const folder = mkdtempSync(path.join(tmpdir(), 'surviving-node-'));
const doomed = path.join(folder, 'doomed');
let node: PeerProcess | undefined;

afterEach(async () => {
  closeFakePeers();
  await node?.kill();
  await endAll();
  rmSync(folder, { recursive: true, force: true });
});

function startReplay(to: string, seed: number, ...args: readonly string[]): CliProcess {
  return startCli(
    ...['source', '--once', '--json', '--to', to, '--guest', 'replay', '--vcpus', '1', '--memory', '4MiB'],
    ...['--write-rate', '5000', '--seed', `${seed}`, ...args],
  );
}

describe('a node with two places', () => {
  it(
    'goes on whatever becomes of a migration, and so does its other guest',
    { timeout: 150_000 },
    async () => {
      const preload = new URL('../support/worker-death.mjs', import.meta.url).href;
      const args = ['--listen', '127.0.0.1:0', '--json', '--max-guests', '2', '--reconnect-timeout', '100ms'];
      node = new PeerProcess('the node', ['destination', ...args], {
        NODE_OPTIONS: `--import=${preload}`,
        WORKER_DEATH: doomed,
      });
      const one = node;
      const says = (text: string, times = 1): Promise<void> =>
        one.until(`say "${text}"`, () => one.stderr.split(text).length > times, WAIT_MS);
      const to = await node.address(WAIT_MS);

      // It is here and runs while the others fail; what they did to it its audit shows.
      const first = startReplay(to, 1, '--migrate-after', '200ms', '--audit-after', '4s');
      await first.said(/its audit follows/);

      let failed = 0;
      const fails = async (how?: (source: FakeSource) => void | Promise<void>): Promise<void> => {
        const [source, silent] = [await FakeSource.dial(to), await silentPeer()];
        source.prepare(silent.port);
        if (how !== undefined) {
          await silent.dialled;
          await how(source);
        }
        await says('no guest came', ++failed);
        source.cut();
      };
      await fails((source) => {
        source.cut();
      });
      await fails(async (source) => {
        // Both places are taken, and neither of them is abandoned.
        const third = await FakeSource.dial(to);
        await third.hears('REFUSAL');
        expect(third.refusal).toMatch(/has 2 guests already.*raise its --max-guests/);
        source.babble();
      });
      for (const kind of ['receiver', 'fetcher']) {
        writeFileSync(doomed, kind);
        await fails();
      }
      writeFileSync(doomed, 'vcpu');
      await startReplay(to, 2, ...quick).ended;
      await says('cannot go on');
      rmSync(doomed);

      expect(reportOf(await startReplay(to, 3, ...quick).ended).audit?.passed).toBe(true);
      expect(reportOf(await first.ended).audit?.passed).toBe(true);
      node.interrupt();
      await node.end(WAIT_MS);
      const [report] = node.documents() as [NodeReport];
      expect(report).toMatchObject({ outcome: 'ran', guestCount: 7, error: { code: 'GUEST_FAILED' } });
      const outcomes = report.guests.map(({ outcome }) => outcome);
      expect(outcomes.slice(0, -2).sort()).toEqual(['failed', 'refused', 'refused', 'refused', 'refused']);
      expect(outcomes.slice(-2)).toEqual(['ran', 'ran']);
    },
  );
});
