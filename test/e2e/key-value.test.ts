// A key-value store is moved while clients write to it: what was acknowledged is there afterwards, whatever the mode.
import { afterEach, describe, expect, it } from 'vitest';
import { StoreClient } from '../../bench/store-client.js';
import { endAll, reportOf, startCli, startDestination, type CliProcess } from '../support/cli.js';

afterEach(endAll);

const flags = ['--guest', 'key-value', '--memory', '32MiB', '--vcpus', '2', '--audit-after', '100ms'];
/** The other modes are gone through by the long tests. */
const modes = process.env['MICROSTUN_TESTS'] === 'long' ? ['hybrid', 'pre-copy', 'post-copy'] : ['hybrid'];
const publish = ['--publish', 'redis=0'];

async function portOf(process: CliProcess): Promise<number> {
  const [, port] = await process.said(/"redis" is at 127\.0\.0\.1:(\d+)/);
  return Number(port);
}

describe('a key-value store', () => {
  it.each(modes)(
    'is moved by %s while clients write, and loses nothing that it acknowledged',
    async (mode) => {
      const { destination, to } = await startDestination(['--once', ...publish]);
      const source = startCli(
        'source',
        ...['--once', '--json', '--to', to, '--mode', mode, '--migrate-after', '1h'],
        ...flags,
        ...publish,
      );
      const ports = [await portOf(source)];
      const clients = Array.from({ length: 3 }, (_, at) => new StoreClient(`client ${at}`, ports));
      source.kill('SIGUSR2');
      ports.push(await portOf(destination));
      expect(reportOf(await source.ended)).toMatchObject({ outcome: 'completed', audit: { passed: true } });
      for (const client of clients) {
        const { acknowledged, errors } = await client.stop();
        expect(acknowledged).toBeGreaterThan(0);
        expect(errors).toBeGreaterThan(0);
        expect(await client.findLost()).toEqual([]);
      }
      destination.kill('SIGTERM');
      await destination.ended;
    },
  );
});
