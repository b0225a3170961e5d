// How fast bytes cross the loopback without microstun: iperf3 where it is installed, else two Node processes.
// This file is also the sending process of the latter: `node loopback.js PORT BYTES CONNECTIONS`.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type Socket } from 'node:net';
import { finished } from 'node:stream/promises';
import { fileURLToPath } from 'node:url';

const ownFile = fileURLToPath(import.meta.url);
const CHUNK = Buffer.alloc(1 << 20, 0x5a);
const READ_BYTES = 1 << 20;

export type Tool = 'iperf3' | 'node';

export function toolHere(): Tool {
  return spawnSync('iperf3', ['--version'], { stdio: 'ignore' }).status === 0 ? 'iperf3' : 'node';
}

/** Bytes a second for `bytes` over `connections`. */
export function measureLoopback(tool: Tool, bytes: number, connections: number): Promise<number> {
  return tool === 'iperf3' ? withIperf3(bytes, connections) : withNode(bytes, connections);
}

async function withIperf3(bytes: number, connections: number): Promise<number> {
  const port = await freePort();
  const server = spawn('iperf3', ['-s', '-1', '-p', `${port}`, '--forceflush'], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  await once(server.stdout, 'data');
  const flags = ['-c', '127.0.0.1', '-p', `${port}`, '-P', `${connections}`, '-n', `${bytes}`, '-J'];
  const client = spawn('iperf3', flags, { stdio: ['ignore', 'pipe', 'inherit'] });
  let json = '';
  client.stdout.setEncoding('utf8').on('data', (text: string) => (json += text));
  await once(client, 'close');
  server.kill();
  const { end } = JSON.parse(json) as { end: { sum_received: { bits_per_second: number } } };
  return end.sum_received.bits_per_second / 8;
}

async function withNode(bytes: number, connections: number): Promise<number> {
  const sockets: Socket[] = [];
  const server = createServer((socket) => sockets.push(socket.resume()));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  const sender = spawn(process.execPath, [ownFile, `${port}`, `${bytes}`, `${connections}`], {
    stdio: ['ignore', 'inherit', 'inherit'],
  });
  while (sockets.length < connections) await once(server, 'connection');
  const from = performance.now();
  await Promise.all(sockets.map((socket) => finished(socket, { writable: false })));
  const seconds = (performance.now() - from) / 1000;
  server.close();
  for (const socket of sockets) socket.destroy();
  await once(sender, 'close');
  return bytes / seconds;
}

async function send(port: number, bytes: number, connections: number): Promise<void> {
  const sockets = Array.from({ length: connections }, () => connect({ port, host: '127.0.0.1' }));
  await Promise.all(sockets.map((socket) => once(socket, 'connect')));
  await Promise.all(
    sockets.map(async (socket) => {
      for (let left = bytes / connections; left > 0; left -= CHUNK.length) {
        if (!socket.write(CHUNK.subarray(0, Math.min(left, READ_BYTES)))) await once(socket, 'drain');
      }
      socket.end();
    }),
  );
}

export async function freePort(): Promise<number> {
  const server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as { port: number };
  server.close();
  await once(server, 'close');
  return port;
}

if (process.argv[1] === ownFile) {
  const [port = 0, bytes = 0, connections = 1] = process.argv.slice(2).map(Number);
  await send(port, bytes, connections);
}
