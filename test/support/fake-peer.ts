// Peers that do not keep to the protocol: other versions, other programs. For the tests of what comes in from outside.
// They speak for one message or so; a peer that speaks properly is a real process (cli.ts).
import { connect, createServer, type Server, type Socket } from 'node:net';
import { once } from 'node:events';
import { FrameReader } from '../../src/shared/wire/frames.js';
import { decodeMessage, encodeMessage, type Message } from '../../src/shared/wire/messages.js';
import { formatAddress } from '../../src/shared/wire/sockets.js';

const servers = new Set<Server>();

/** Listens on a port of the loopback, any free one unless it is said; answers where. Ended by `closeFakePeers`. */
export async function listenFree(onConnection: (socket: Socket) => void, port = 0): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => undefined);
    onConnection(socket);
  });
  servers.add(server);
  server.listen(port, '127.0.0.1');
  await once(server, 'listening');
  return addressOf(server);
}

/** Takes connections and says nothing: nobody who dials it gets further than that. `dialled`: somebody has. */
export async function silentPeer(): Promise<{ readonly port: number; readonly dialled: Promise<void> }> {
  let dial: () => void = () => undefined;
  const dialled = new Promise<void>((resolve) => (dial = resolve));
  const address = await listenFree(() => {
    dial();
  });
  return { port: Number(address.split(':')[1]), dialled };
}

/** Linux gives ports from 32,768 on to whoever asks for any: below, a row of ports is nobody else's by chance. */
const QUIET_PORTS = { from: 10_000, count: 20_000 };

/** Listens like `listenFree`, where the ports behind its own are free as well. */
export async function listenBeforeFreeRow(onConnection: (socket: Socket) => void): Promise<string> {
  for (;;) {
    const port = QUIET_PORTS.from + Math.floor(Math.random() * QUIET_PORTS.count);
    try {
      return await listenFree(onConnection, port);
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
    }
  }
}

/** An address on which nobody listens: it was free a moment ago. */
export async function freeAddress(): Promise<string> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = addressOf(server);
  server.close();
  await once(server, 'close');
  return address;
}

/** Listens like a destination and answers whatever greets it with `answer`. */
export function fakeDestination(answer: Message): Promise<string> {
  return listenFree((socket) => {
    socket.once('data', () => socket.end(Buffer.concat(encodeMessage(answer))));
  });
}

/** Says `first` to `to`; answers every byte that comes back until the peer hangs up. */
export async function sayTo(to: string, first: Uint8Array): Promise<Buffer> {
  const [host, port] = to.split(':');
  const socket = connect({ host: host!, port: Number(port) });
  socket.on('error', () => undefined);
  const chunks: Buffer[] = [];
  socket.on('data', (chunk: Buffer) => chunks.push(chunk));
  socket.write(first);
  await once(socket, 'close');
  return Buffer.concat(chunks);
}

/** The first message in `bytes`. */
export function messageIn(bytes: Buffer): Message {
  const [frame] = new FrameReader().consume(bytes);
  if (frame === undefined) throw new Error(`no message in ${bytes.length} bytes`);
  return decodeMessage(frame);
}

/** Closes every server of this file; for `afterEach`. */
export function closeFakePeers(): void {
  for (const server of servers) server.close();
  servers.clear();
}

function addressOf(server: Server): string {
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('a TCP server has no address');
  return formatAddress({ host: address.address, port: address.port });
}
