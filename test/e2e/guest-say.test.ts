// A guest that has a say in its migrations: asked before its stop and told after, whatever it answers, between real
// processes.
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import {
  endAll,
  failureOf,
  reportOf,
  root,
  startCli,
  startDestination,
  type CliProcess,
} from '../support/cli.js';
import { CONDUCT } from '../support/guests/asked.mjs';

afterEach(endAll);

const isLong = process.env['MICROSTUN_TESTS'] === 'long';
const guest = path.join(root, 'test/support/guests/asked.mjs');

async function start(conduct: number, ...flags: string[]): Promise<{ to: CliProcess; source: CliProcess }> {
  const { destination, to } = await startDestination(['--allow-guest', guest]);
  const source = startCli(
    ...['source', '--json', '--to', to, '--guest', guest, '--seed', `${conduct}`],
    ...['--migrate-after', '100ms', '--audit-after', '50ms', ...flags],
  );
  return { to: destination, source };
}

const times = (text: string, what: RegExp): number => [...text.matchAll(what)].length;

describe('a guest that has a say', () => {
  it.each(isLong ? ['pre-copy', 'post-copy'] : ['pre-copy'])(
    'that wants a moment twice gets it, by %s, while rounds go on, and is told where it has come to',
    async (mode) => {
      const { source, to } = await start(
        CONDUCT.DELAYS_TWICE,
        ...['--once', '--mode', mode, '--guest-notice', '2s'],
      );
      const ended = await source.ended;
      const report = reportOf(ended);
      expect(report.notice).toMatchObject({ outcome: 'ready', questions: 3, limitMs: 2000 });
      expect(report.rounds.length > 2).toBe(mode !== 'post-copy');
      expect(report.audit).toMatchObject({ passed: true });
      expect([times(ended.stderr, /^asked \d/gm), times(ended.stderr, /^told/gm)]).toEqual([3, 0]);
      await to.said(/told moved true, stood still true, at a host true/);
    },
  );

  it.runIf(isLong)('whose time is over is moved all the same', async () => {
    const late = await start(CONDUCT.DELAYS, '--once', '--guest-notice', '200ms');
    const ended = await late.source.ended;
    expect(reportOf(ended).notice).toMatchObject({ outcome: 'time over', limitMs: 200 });
    expect(ended.stderr).toContain('it is moved without its consent');
    await late.to.said(/told moved true/);
  });

  it.runIf(isLong)(
    'that vetoes runs on at the source, is told so, and moves when it is asked the next time',
    async () => {
      const { source, to } = await start(CONDUCT.VETOES_ONCE);
      await source.said(/the migration failed: the guest does not want to be moved now: the books are open/);
      await to.said(
        /no guest came: the source cancelled: the guest does not want to be moved now: the books/,
      );
      const ended = await source.ended;
      expect(reportOf(ended).notice).toMatchObject({ outcome: 'ready' });
      expect(ended.stderr).toMatch(/asked 1[^]*told moved false, stood still false[^]*asked 2/);
      await to.said(/told moved true/);
    },
  );

  it.runIf(isLong)('that hangs in its answer is moved when it comes out of it', async () => {
    const { source } = await start(CONDUCT.HANGS, '--once', '--guest-notice', '200ms');
    expect(reportOf(await source.ended).notice).toMatchObject({ outcome: 'time over', questions: 1 });
  });

  it.runIf(isLong)('that throws when it is asked has ended, on both sides', async () => {
    const { source, to } = await start(CONDUCT.THROWS, '--once');
    const { error } = failureOf(await source.ended);
    expect(error.code).toBe('GUEST_FAILED');
    expect(error.message).toContain('it would rather not be asked');
    await to.said(/no guest came/);
  });

  it('is let go at once when its migration is cancelled while it thinks, and told that it stays', async () => {
    const { source } = await start(CONDUCT.DELAYS, '--guest-notice', '60s');
    await source.said(/asked 3/);
    source.kill('SIGINT');
    await source.said(/told moved false, stood still false/);
    await source.said(/The next attempt is yours/);
    source.kill('SIGINT');
    await source.ended;
  });
});
