// A guest that is paused moves as any other, stays paused at its new host, and goes on when it is told to.
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, reportOf, startCli, startDestination } from '../support/cli.js';

afterEach(endAll);

const modes = process.env['MICROSTUN_TESTS'] === 'long' ? ['hybrid', 'pre-copy', 'post-copy'] : ['post-copy'];

describe('a paused guest', () => {
  it.each(modes)('is moved by %s, stays what it was, and goes on there at SIGCONT', async (mode) => {
    const { destination, to } = await startDestination(['--once']);
    const source = startCli(
      ...['source', '--once', '--json', '--to', to, '--mode', mode, '--guest', 'replay', '--memory', '8MiB'],
      ...['--paused', '--migrate-after', '100ms', '--audit-after', '100ms'],
    );
    await source.said(/booted; it is paused; SIGCONT/);
    const report = reportOf(await source.ended);
    expect(report.audit).toMatchObject({ passed: true });
    await destination.said(/guest "replay" is whole and is paused here/);
    destination.kill('SIGCONT');
    await destination.said(/the guest goes on/);
    // What it does then is more than nothing.
    destination.kill('SIGTERM');
    const { stderr } = await destination.ended;
    expect(stderr).toMatch(/the guest ran \d+ slices here/);
  });
});
