// A redis-server of a test's own, if there is one on this machine: nothing is kept on a disk.
import { spawn, spawnSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { connect, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ReplyReader, type Reply } from './resp-replies.js';

export const hasRedisServer = spawnSync('redis-server', ['--version']).status === 0;

export interface RedisServer {
  /** Sends commands in one piece; resolves with their replies. */
  ask(requests: string, replies: number): Promise<Reply[]>;
  close(): Promise<void>;
}

/** Starts a server that listens at a socket in a folder of its own. */
export async function startRedis(): Promise<RedisServer> {
  const folder = await mkdtemp(join(tmpdir(), 'microstun-redis-'));
  const path = join(folder, 'redis.sock');
  const child = spawn(
    'redis-server',
    ['--port', '0', '--unixsocket', path, '--save', '', '--appendonly', 'no', '--dir', folder],
    { stdio: ['ignore', 'pipe', 'inherit'] },
  );
  let log = '';
  for await (const piece of child.stdout.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    log += piece.toString();
    if (log.includes('ready to accept connections')) break;
  }
  child.stdout.resume();
  const socket = connect(path);
  await once(socket, 'connect');
  return {
    ask: (requests, replies) => ask(socket, requests, replies),
    async close() {
      socket.destroy();
      const ended = once(child, 'exit');
      child.kill();
      await ended;
      await rm(folder, { recursive: true });
    },
  };
}

async function ask(socket: Socket, requests: string, count: number): Promise<Reply[]> {
  const reader = new ReplyReader();
  const replies: Reply[] = [];
  socket.write(requests, 'latin1');
  while (replies.length < count) {
    const [piece] = (await once(socket, 'data')) as [Buffer];
    replies.push(...reader.feed(piece));
  }
  return replies;
}
