// A destination whose migration ends while it prepares, and one that cannot send its guest on.
import { readdirSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import {
  quick,
  type Ended,
  endAll,
  runCli,
  startDestination,
  startSource,
  type CliProcess,
} from '../support/cli.js';
import { closeFakePeers, freeAddress, silentPeer } from '../support/fake-peer.js';
import { FakeSource } from '../support/fake-source.js';

afterEach(async () => {
  closeFakePeers();
  await endAll();
});

/** Has a destination prepare for a guest, and cancels as soon as its first receiver dials. */
async function cancelWhilePreparing(to: string): Promise<void> {
  const silent = await silentPeer();
  const source = await FakeSource.dial(to);
  source.prepare(silent.port, { vcpus: 4 });
  await silent.dialled;
  source.say({ name: 'CANCEL', code: 'CANCELLED', reason: 'never mind' });
  await source.hears('REFUSAL');
}

const threadsOf = ({ pid }: CliProcess): number => readdirSync(`/proc/${pid}/task`).length;

describe('a destination whose source cancels while it prepares', () => {
  it('ends when it was asked to take one migration', async () => {
    const { destination, to } = await startDestination(['--once']);
    await cancelWhilePreparing(to);
    const { status, stdout } = await destination.ended;
    expect(status).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ outcome: 'refused', error: { code: 'CANCELLED' } });
  });

  it.skipIf(process.platform !== 'linux')('keeps no thread of it, and takes the next guest', async () => {
    const { destination, to } = await startDestination(['--run-for', '0ms']);
    await cancelWhilePreparing(to);
    await destination.said(/no guest came/);
    const before = threadsOf(destination);
    await cancelWhilePreparing(to);
    await destination.said(/no guest came[^]*no guest came/);
    expect(threadsOf(destination)).toBe(before);
    expect((await startSource(to).ended).status).toBe(0);
    expect((await destination.ended).status).toBe(0);
  });
});

describe('a destination with a reserve', () => {
  it('takes guests into it one after the other, and none sees anything of the one before', async () => {
    const next = await startDestination(['--run-for', '0ms']);
    const { destination, to } = await startDestination([
      ...['--reserve', '16MiB', '--max-memory', '16MiB', '--forward-to', next.to, '--migrate-after', '0ms'],
      ...['--audit-after', '0ms', '--run-for', '0ms'],
    ]);
    await destination.said(/reserves 16\.0 MiB of memory for guests/);
    // The first is cancelled with its memory half prepared, the second forwarded, the third kept. All that is not zero
    // differs by the seed, and an audit looks at every page, those that travel as a bit among them.
    await cancelWhilePreparing(to);
    const send = (memory: string, seed: string): Promise<Ended> =>
      runCli(
        ...['source', '--once', '--json', '--to', to, '--guest', 'replay', ...quick],
        ...['--memory', memory, '--seed', seed],
      );
    expect((await send('12MiB', '1')).status).toBe(0);
    await destination.said(/the guest has left/);
    expect((await next.destination.ended).status).toBe(0);
    const third = await send('16MiB', '2');
    expect(JSON.parse(third.stdout)).toMatchObject({ outcome: 'completed', audit: { passed: true } });
    const { status, stdout } = await destination.ended;
    expect(status).toBe(0);
    expect(JSON.parse(stdout)).toMatchObject({
      forwarded: [{ outcome: 'completed', audit: { passed: true } }],
    });
  });

  it('refuses to begin with one that no guest in one piece is as large as', async () => {
    const { status, stderr } = await runCli('destination', '--listen', '127.0.0.1:0', '--reserve', '5000GiB');
    expect(status).toBe(2);
    expect(stderr).toMatch(
      /--reserve 5000GiB is too much: it is for one guest in one piece, which has at most 4094MiB/,
    );
  });
});

describe('a destination that cannot send its guest on', () => {
  it('prints one document, which says why, and its exit status says so too', async () => {
    const { destination, to } = await startDestination([
      ...['--forward-to', await freeAddress(), '--migrate-after', '0ms'],
      ...['--connect-timeout', '200ms', '--run-for', '0ms', '--once'],
    ]);
    expect((await startSource(to).ended).status).toBe(0);
    const { status, stdout } = await destination.ended;
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: 'ran',
      forwarded: [{ outcome: 'failed', error: { code: 'CONNECT_FAILED' }, owner: 'source' }],
    });
    expect(status).toBe(3);
  });
});
