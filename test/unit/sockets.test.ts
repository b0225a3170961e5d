// Listening and dialling over IPv4 and IPv6, with real sockets of the loopback.
import type { Server, Socket } from 'node:net';
import { networkInterfaces } from 'node:os';
import { afterEach, describe, expect, it } from 'vitest';
import { ANY_HOST, dial, listen, peerHostOf } from '../../src/shared/wire/sockets.js';

const hasIpv6 = Object.values(networkInterfaces()).some((addresses) =>
  addresses?.some(({ address }) => address === '::1'),
);
const DIAL_MS = 5000;

let server: Server | undefined;
const sockets: Socket[] = [];

afterEach(() => {
  for (const socket of sockets.splice(0)) socket.destroy();
  server?.close();
});

/** Dials a server that listens everywhere at `host`; answers whom the server sees. */
async function peerSeenFrom(host: string): Promise<string> {
  let accepted: (socket: Socket) => void = () => undefined;
  const arrival = new Promise<Socket>((resolve) => {
    accepted = resolve;
  });
  const listening = await listen({ host: ANY_HOST, port: 0 }, accepted);
  server = listening.server;
  sockets.push(await dial({ host, port: listening.address.port }, DIAL_MS));
  const socket = await arrival;
  sockets.push(socket);
  return peerHostOf(socket);
}

describe('a server on all addresses', () => {
  it('is reached by IPv4, and sees an IPv4 address', async () => {
    expect(await peerSeenFrom('127.0.0.1')).toBe('127.0.0.1');
  });

  it('is reached by IPv6 too', async (context) => {
    if (!hasIpv6) context.skip('this machine has no IPv6');
    expect(await peerSeenFrom('::1')).toBe('::1');
  });
});

describe('a socket that was accepted or dialled', () => {
  it('may fail without anybody who listens to its errors', async () => {
    let accepted: (socket: Socket) => void = () => undefined;
    const arrival = new Promise<Socket>((resolve) => {
      accepted = resolve;
    });
    const listening = await listen({ host: '127.0.0.1', port: 0 }, accepted);
    server = listening.server;
    const own = await dial(listening.address, DIAL_MS);
    const peers = await arrival;
    sockets.push(own, peers);
    const bothClosed = Promise.all(
      [own, peers].map((socket) => new Promise((resolve) => socket.once('close', resolve))),
    );
    own.destroy(new Error('lost'));
    peers.destroy(new Error('lost too'));
    await bothClosed;
  });
});
