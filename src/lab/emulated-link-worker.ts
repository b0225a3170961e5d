// Entry of the emulated link's worker: listens, dials on, and passes bytes on late; cuts all of it by its script.
// Nobody imports this file; emulated-link.ts starts it.
import type { Server, Socket } from 'node:net';
import { parentPort, workerData } from 'node:worker_threads';
import { monotonicUs } from '../shared/clock.js';
import { assert, messageOf } from '../shared/errors.js';
import { after } from '../shared/timers.js';
import { delayLine } from './delay-line.js';
import type { Emulation, LinkRoute } from './emulated-link.js';
import { dial, listen, type Address } from '../shared/wire/sockets.js';

export interface EmulatedLinkWorkerData extends Emulation {
  readonly isThisHostOnly: boolean;
}

export type EmulatedLinkRequest =
  /** Answered by the ports, in the order of asking. */
  { readonly kind: 'add'; readonly routes: readonly LinkRoute[] } | { readonly kind: 'exit' };

export type EmulatedLinkMessage =
  | { readonly kind: 'listening'; readonly ports: readonly number[] }
  | { readonly kind: 'cut'; readonly atMs: number; readonly forMs: number }
  | { readonly kind: 'unreachable'; readonly reason: string };

const DIAL_MS = 5000;

const port = parentPort;
assert(port !== null, 'emulated-link-worker.ts runs as a worker');
const { delayMs, cuts, isThisHostOnly } = workerData as EmulatedLinkWorkerData;
const beganAt = monotonicUs();
const sockets = new Set<Socket>();
/** No connection can be made before this instant. */
let downUntil = 0;

const tell = (message: EmulatedLinkMessage): void => {
  port.postMessage(message);
};

const servers: Server[] = [];
const timers = cuts.map(({ atMs, forMs }) =>
  after(atMs, () => {
    const now = monotonicUs();
    downUntil = Math.max(downUntil, now + forMs * 1000);
    for (const socket of sockets) socket.destroy();
    tell({ kind: 'cut', atMs: (now - beganAt) / 1000, forMs });
  }),
);

port.on('message', (request: EmulatedLinkRequest) => {
  if (request.kind === 'add') {
    // What it throws ends this worker.
    void add(request.routes);
    return;
  }
  for (const timer of timers) timer.cancel();
  for (const server of servers) server.close();
  port.close();
});

async function add(routes: readonly LinkRoute[]): Promise<void> {
  const ports: number[] = [];
  for (const { listen: where, to } of routes) {
    const onConnection = (socket: Socket): void => {
      void connect(socket, to);
    };
    const { server, address } = await listen(where, onConnection, { isRelay: true, isThisHostOnly });
    servers.push(server);
    ports.push(address.port);
  }
  tell({ kind: 'listening', ports });
}

async function connect(near: Socket, to: Address): Promise<void> {
  hold(near);
  if (monotonicUs() < downUntil) {
    near.destroy();
    return;
  }
  near.pause();
  try {
    const far = await dial(to, DIAL_MS, undefined, { isRelay: true, isThisHostOnly });
    hold(far);
    if (near.destroyed || monotonicUs() < downUntil) far.destroy();
    // One end that breaks takes the other along; one that ends in order is passed on.
    near.once('close', (hadError) => {
      if (hadError || !near.readableEnded) far.destroy();
    });
    far.once('close', (hadError) => {
      if (hadError || !far.readableEnded) near.destroy();
    });
    delayLine(near, far, delayMs / 2);
    delayLine(far, near, delayMs / 2);
    near.resume();
    far.resume();
  } catch (error) {
    near.destroy();
    tell({ kind: 'unreachable', reason: messageOf(error) });
  }
}

function hold(socket: Socket): void {
  sockets.add(socket);
  socket.on('error', () => {
    // The other end is told by the close that follows.
  });
  socket.once('close', () => {
    sockets.delete(socket);
  });
}
