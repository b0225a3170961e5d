// Who is at the door, and who cannot be reached through it: strangers, silent peers, firewalls, IPv6.
import { newTicket } from '../../src/shared/wire/pass.js';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { NOTHING_ARRIVED } from '../../src/shared/wire/greeting.js';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import { encodeMessage, type MessageOf } from '../../src/shared/wire/messages.js';
import { behindFirewall } from '../support/firewall.js';
import { endAll, failureOf, reportOf, startDestination, startSource } from '../support/cli.js';

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);
const servers: Server[] = [];

afterEach(async () => {
  for (const server of servers.splice(0)) server.close();
  await endAll();
});

const hello = (): MessageOf<'HELLO'> => ({
  name: 'HELLO',
  version: PROTOCOL_VERSION,
  role: 'control',
  migrationId: randomUUID(),
  ticket: newTicket(),
  welcomedBy: '',
  index: 0,
  round: 0,
  regions: 0,
});

/** Greets and resets the connection as soon as there is an answer. */
async function greetAndReset(to: string, greeting: MessageOf<'HELLO'>): Promise<void> {
  const [host, port] = to.split(':');
  const socket = connect({ host: host!, port: Number(port) });
  socket.on('error', () => undefined);
  const closed = new Promise((resolve) => socket.once('close', resolve));
  socket.once('data', () => socket.resetAndDestroy());
  socket.write(Buffer.concat(encodeMessage(greeting)));
  await closed;
}

describe('a destination that runs a guest', () => {
  it('lives on whatever refused callers do', async () => {
    const { destination, to } = await startDestination();
    expect(reportOf(await startSource(to).ended).audit?.passed).toBe(true);
    for (let nth = 0; nth < 20; nth++) {
      await greetAndReset(to, hello());
      await greetAndReset(to, { ...hello(), role: 'pages' });
      await greetAndReset(to, { ...hello(), version: 99 });
    }
    destination.kill('SIGTERM');
    const ended = await destination.ended;
    expect(JSON.parse(ended.stdout)).toMatchObject({ outcome: 'ran' });
    expect(ended.status).toBe(0);
  });
});

describe('a destination that can dial nobody', () => {
  it('takes a guest whose source dials every connection', async () => {
    const shutIn = behindFirewall('destination', ['destination', '--listen', '127.0.0.1:0', '--json']);
    try {
      const source = startSource(await shutIn.address(30_000), '--dial', 'source');
      expect(reportOf(await source.ended)).toMatchObject({ cuts: 0, audit: { passed: true } });
    } finally {
      await shutIn.kill();
    }
  });
});

describe('a source', () => {
  it('ends although its peer, alive and silent, never closes the connection', async () => {
    const server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => undefined);
      socket.once('data', () => {
        const identity = { version: PROTOCOL_VERSION, instanceId: randomUUID(), pid: 1, host: 'there' };
        const refusal = { version: PROTOCOL_VERSION, code: 'BUSY', reason: 'full' } as const;
        socket.write(Buffer.concat(encodeMessage({ name: 'WELCOME', ...identity, ...NOTHING_ARRIVED })));
        socket.write(Buffer.concat(encodeMessage({ name: 'REFUSAL', ...refusal })));
      });
    });
    servers.push(server);
    server.listen(0, '127.0.0.1');
    await once(server, 'listening');
    const { port } = server.address() as AddressInfo;
    expect(failureOf(await startSource(`127.0.0.1:${port}`).ended).error.code).toBe('REFUSED');
  });

  it('that its destination cannot dial is told where, that it listens there, and what may be in the way', async () => {
    const { to } = await startDestination();
    // The control connection comes from 127.0.0.1, and there nobody listens.
    const ended = await startSource(to, '--listen', '127.0.0.2:0').ended;
    const { error, owner } = failureOf(ended);
    expect(error.code).toBe('CONNECT_FAILED');
    expect(error.message).toMatch(/cannot connect to 127\.0\.0\.1:\d+: nobody listens there/);
    expect(error.message).toMatch(/--listen.*firewall/);
    expect(owner).toBe('source');
    expect(ended.status).toBe(3);
  });

  it('is reached by IPv6 where it listens by default', async (context) => {
    if (!hasIpv6) context.skip('this machine has no IPv6');
    const { to } = await startDestination(['--run-for', '0ms'], '[::1]:0');
    expect(reportOf(await startSource(to).ended).audit?.passed).toBe(true);
  });
});
