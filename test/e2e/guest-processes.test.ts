// Guests that people bring have processes of their own: whatever becomes of one, its node and other guests live on, and
// both sides say the same of it. Processes are found, and killed, as the kernel lists them.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterEach, describe, expect, it } from 'vitest';
import { endAll, quick, root, runCli, startCli, startDestination, type CliProcess } from '../support/cli.js';

const COUNTER = path.join(root, 'test/support/guests/counter.mjs');
/** So that its pages are on their way for seconds. */
const slow = ['--memory', '64MiB', '--bandwidth', '1Mbit', '--resident', '64MiB'];

/** The processes that `parent` has started. */
function childrenOf({ pid }: CliProcess): number[] {
  return readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8')
    .trim()
    .split(' ')
    .filter(Boolean)
    .map(Number);
}

function isThere(pid: number): boolean {
  try {
    // One that has ended and that nobody has waited for yet is a zombie, Z.
    return !readFileSync(`/proc/${pid}/stat`, 'utf8').includes(') Z ');
  } catch {
    return false;
  }
}

async function untilGone(pid: number): Promise<void> {
  while (isThere(pid)) await new Promise((resolve) => setTimeout(resolve, 20));
}

afterEach(endAll);

describe.skipIf(process.platform !== 'linux')('the process of a guest that people bring', () => {
  const source = (to: string, ...flags: readonly string[]): CliProcess =>
    startCli('source', '--once', '--json', '--to', to, '--guest', COUNTER, '--audit-after', '0ms', ...flags);
  const resting = (): CliProcess => source('127.0.0.1:9', '--migrate-after', '60s');
  const soon = ['--migrate-after', '100ms'];

  it('dies at the source: its command says so, documents it, and ends with the status of a failed guest', async () => {
    const running = resting();
    await running.said(/hello, I count/);
    const [pid] = childrenOf(running);
    process.kill(pid!, 'SIGSEGV');
    const { status, stdout, stderr } = await running.ended;
    expect(status).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({
      error: { code: 'GUEST_FAILED', message: expect.stringContaining('SIGSEGV') as string },
      owner: 'nobody',
    });
    expect(stderr).toMatch(/the process of the guest was ended by SIGSEGV: it crashed/);
  });

  it('ends with the command that started it, however that ends', async () => {
    const running = resting();
    await running.said(/hello, I count/);
    const [pid] = childrenOf(running);
    running.kill('SIGKILL');
    await running.ended;
    await untilGone(pid!);
  });

  it('is told of an interrupt once: the guest ends, and so does the command', async () => {
    const running = resting();
    await running.said(/hello, I count/);
    running.kill('SIGINT');
    const { status, stdout } = await running.ended;
    expect(status).toBe(130);
    expect(JSON.parse(stdout)).toMatchObject({ error: { code: 'CANCELLED' } });
  });

  it('dies at the destination before the guest has come: it stays at the source, unharmed, and its place is free', async () => {
    const { destination, to } = await startDestination(['--allow-guest', COUNTER, '--run-for', '0ms']);
    const running = source(to, ...soon, ...slow);
    await running.said(/round 0/);
    const [pid] = childrenOf(destination);
    process.kill(pid!, 'SIGKILL');
    const { status, stdout } = await running.ended;
    expect(status).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({
      owner: 'source',
      error: { code: 'GUEST_FAILED', message: expect.stringContaining('SIGKILL') as string },
      safeNext: expect.stringContaining('its audit passed') as string,
    });
    await destination.said(/no guest came: the process of the guest was ended by SIGKILL/);
    expect((await source(to, ...soon).ended).status).toBe(0);
    expect((await destination.ended).status).toBe(0);
  });

  it('dies with a guest that has come: that guest is lost, another one and the node live on', async () => {
    const { destination, to } = await startDestination([
      ...['--max-guests', '2', '--json', '--allow-guest', COUNTER, '--allow-guest', 'replay'],
    ]);
    expect((await source(to, ...soon).ended).status).toBe(0);
    const builtIn = ['--guest', 'replay', '--memory', '4MiB', '--vcpus', '1'];
    expect((await runCli('source', '--once', '--to', to, ...quick, ...builtIn)).status).toBe(0);
    const [pid] = childrenOf(destination);
    process.kill(pid!, 'SIGKILL');
    await destination.said(/ended by SIGKILL/);
    destination.kill('SIGINT');
    const { status, stdout } = await destination.ended;
    expect(status).toBe(5);
    expect(JSON.parse(stdout)).toMatchObject({
      outcome: 'ran',
      guests: [{ outcome: 'failed', error: { code: 'GUEST_FAILED' } }, { outcome: 'ran' }],
    });
  });

  it('is where its guest is sent on from, and goes with its node', async () => {
    const last = await startDestination(['--allow-guest', COUNTER]);
    const { destination, to } = await startDestination([
      ...[
        '--allow-guest',
        COUNTER,
        '--forward-to',
        last.to,
        '--migrate-after',
        '0ms',
        '--audit-after',
        '0ms',
      ],
    ]);
    expect((await source(to, ...soon).ended).status).toBe(0);
    await destination.said(/the guest has left for/);
    await last.destination.said(/guest "counter" is whole and runs here/);
    const [pid] = childrenOf(last.destination);
    last.destination.kill('SIGKILL');
    await untilGone(pid!);
  });
});
