// What a migration that failed leaves behind at a destination: nothing, however often and in whatever way it failed.
import { readdirSync, readFileSync } from 'node:fs';
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, startDestination, type CliProcess } from '../support/cli.js';
import { closeFakePeers, silentPeer } from '../support/fake-peer.js';
import { FakeSource } from '../support/fake-source.js';

const GUEST_BYTES = 32 << 20;

afterEach(async () => {
  closeFakePeers();
  await endAll();
});

const entriesOf = ({ pid }: CliProcess, what: 'fd' | 'task'): number =>
  readdirSync(`/proc/${pid}/${what}`).length;

function residentBytesOf({ pid }: CliProcess): number {
  const [, kib] = /^VmRSS:\s*(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))!;
  return Number(kib) * 1024;
}

/** Migrations that come to nothing, each in a way of its own; each resolves when there is no more to do. */
const failures: readonly ((
  source: FakeSource,
  to: Awaited<ReturnType<typeof silentPeer>>,
) => Promise<void>)[] = [
  (source, { port }) => {
    source.prepare(port, { memoryBytes: 2 * GUEST_BYTES });
    return source.hears('REFUSAL');
  },
  (source, { port }) => {
    source.prepare(port, { program: '/tmp/evil.js' });
    return source.hears('REFUSAL');
  },
  async (source, { port, dialled }) => {
    source.prepare(port, { memoryBytes: GUEST_BYTES });
    await dialled;
    source.say({ name: 'CANCEL', code: 'CANCELLED', reason: 'never mind' });
    await source.hears('REFUSAL');
  },
  async (source, { port, dialled }) => {
    source.prepare(port, { memoryBytes: GUEST_BYTES });
    await dialled;
    source.cut();
  },
  async (source, { port, dialled }) => {
    source.prepare(port, { memoryBytes: GUEST_BYTES });
    await dialled;
    source.babble();
  },
];

describe.skipIf(process.platform !== 'linux')('a destination', () => {
  it('has as many threads and descriptors, and as little memory, after twenty migrations that failed as before', async () => {
    const { destination, to } = await startDestination([
      ...['--max-memory', `${GUEST_BYTES}`, '--reconnect-timeout', '50ms'],
    ]);
    let count = 0;
    const failAll = async (): Promise<void> => {
      for (const fail of failures) {
        const source = await FakeSource.dial(to);
        await fail(source, await silentPeer());
        await destination.saidTimes('no guest came', ++count);
        source.cut();
      }
    };
    // What is made once, for the first of each.
    await failAll();
    const before = { descriptors: entriesOf(destination, 'fd'), threads: entriesOf(destination, 'task') };
    const residentBytes = residentBytesOf(destination);
    for (let round = 0; round < 4; round++) await failAll();
    // A connection that was hung up on may stand for a moment.
    const left = (what: 'fd' | 'task') =>
      expect.poll(() => entriesOf(destination, what), { timeout: 20_000 });
    await left('fd').toBeLessThanOrEqual(before.descriptors);
    await left('task').toBeLessThanOrEqual(before.threads);
    // All that their guests touched would be twelve times that.
    expect(residentBytesOf(destination) - residentBytes).toBeLessThan(2 * GUEST_BYTES);
  });
});
