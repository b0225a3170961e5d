// A source whose guest could not leave: it keeps it, tries again, and prints one document whatever came before.
import { createServer, type AddressInfo } from 'node:net';
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, failureOf, reportOf, small, startCli, startDestination } from '../support/cli.js';

afterEach(endAll);

/** An address at which nobody listens. */
async function freeAddress(): Promise<string> {
  const server = createServer();
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address() as AddressInfo;
  await new Promise((resolve) => server.close(resolve));
  return `127.0.0.1:${port}`;
}

const keeping = ['--json', '--connect-timeout', '100ms', '--retries', '0'];

describe('a guest that could not leave', () => {
  it('runs on, and leaves when somebody sends SIGUSR2 and there is a destination', async () => {
    const to = await freeAddress();
    const source = startCli('source', '--to', to, ...keeping, ...small());
    await source.said(/the guest runs on here/);
    await startDestination(['--run-for', '0ms'], to);
    source.kill('SIGUSR2');
    const ended = await source.ended;
    expect(reportOf(ended).audit?.passed).toBe(true);
    expect(ended.stderr).toContain('SIGUSR2');
  });

  it('ends with its process when nobody moves it and that is interrupted, and says so', async () => {
    const source = startCli('source', '--to', await freeAddress(), ...keeping, ...small());
    await source.said(/the guest runs on here/);
    source.kill('SIGINT');
    const ended = await source.ended;
    expect(ended.status).toBe(3);
    expect(failureOf(ended)).toMatchObject({ owner: 'source', error: { code: 'CONNECT_FAILED' } });
    expect(failureOf(ended).safeNext).toMatch(/its audit passed .* it ended with this process/);
  });
});
