// A guest that has devices is moved: its console's scroll-back comes along, and its service is found at the new host.
import { afterEach, describe, expect, it } from 'vitest';
import {
  endAll,
  failureOf,
  reportOf,
  runCli,
  startCli,
  startDestination,
  type CliProcess,
} from '../support/cli.js';
import { TcpClient } from '../support/tcp-client.js';

afterEach(endAll);

async function portOf(process: CliProcess, device: string): Promise<number> {
  const [, port] = await process.said(new RegExp(`"${device}" is at 127\\.0\\.0\\.1:(\\d+)`));
  return Number(port);
}

const anywhere = ['--publish', 'echo=0', '--publish', 'console=0'];
/** Its pages are few, and the test says when it is to be moved. */
const echo = [
  '--guest',
  'echo',
  '--memory',
  '16MiB',
  '--vcpus',
  '1',
  '--audit-after',
  '100ms',
  '--migrate-after',
  '1h',
];

describe('a guest with a console and a service', () => {
  it.each(process.env['MICROSTUN_TESTS'] === 'long' ? ['hybrid', 'pre-copy', 'post-copy'] : ['hybrid'])(
    'is moved by %s: it answers at its new host, and its console has what it wrote before',
    async (mode) => {
      const { destination, to } = await startDestination(['--once', ...anywhere]);
      const source = startCli('source', '--once', '--json', '--to', to, '--mode', mode, ...echo, ...anywhere);
      const here = new TcpClient(await portOf(source, 'echo'));
      here.say('hello');
      await here.hears((heard) => heard === 'hello', 'its echo');
      // More than its ring: what waits is not lost.
      const much = Buffer.alloc(1 << 20, 'much ').toString();
      const bulk = new TcpClient(await portOf(source, 'echo'));
      bulk.say(much);
      bulk.end();
      await bulk.closed();
      expect(bulk.heard === much).toBe(true);
      const lookingHere = new TcpClient(await portOf(source, 'console'));
      const before = await lookingHere.hears(
        (heard) => heard.includes('echoed 1048581 bytes\r\n'),
        'a count',
      );

      source.kill('SIGUSR2');
      const portThere = await portOf(destination, 'echo');
      await here.closed();
      expect(here.error).toBeUndefined();
      const there = new TcpClient(portThere);
      there.say('over there');
      await there.hears((heard) => heard === 'over there', 'its echo');
      const lookingThere = new TcpClient(await portOf(destination, 'console'));
      const after = await lookingThere.hears((heard) => heard.includes('1048591 bytes'), 'a newer count');
      expect(after.startsWith(before)).toBe(true);
      expect(reportOf(await source.ended).outcome).toBe('completed');
      destination.kill('SIGTERM');
      await there.closed();
      await destination.ended;
    },
  );

  it('whose service cannot be reached where it is to be at the destination stays at its source, which says why', async () => {
    const { to } = await startDestination(['--once', '--publish', 'echo=0']);
    const taken = Number(to.split(':')[1]);
    const second = await startDestination(['--once', '--publish', `echo=${taken}`]);
    const flags = ['--guest', 'echo', '--memory', '16MiB', '--migrate-after', '0ms'];
    const failure = failureOf(await runCli('source', '--once', '--json', '--to', second.to, ...flags));
    expect(failure).toMatchObject({ owner: 'source' });
    expect(failure.error.message).toMatch(new RegExp(`127\\.0\\.0\\.1:${taken}.*in use`));
  });

  it('is not published by a name that it does not have', async () => {
    const { status, stderr } = await runCli(
      'source',
      '--to',
      '127.0.0.1:1',
      '--guest',
      'echo',
      '--publish',
      'ehco=0',
    );
    expect([status, stderr]).toEqual([
      2,
      expect.stringMatching(
        /guest "echo" has no device "ehco"; it has console \(a console\), echo \(a service\)/,
      ),
    ]);
  });
});
