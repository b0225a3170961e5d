// A crowd in the middle of its TLS handshakes, at a door with a key: it is bounded, and keeps nobody out who has the key.
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';
import { afterEach, describe, expect, it, vi } from 'vitest';
import type { MicrostunError } from '../../src/shared/errors.js';
import { HANDSHAKES_MAX } from '../../src/shared/limits.js';
import { dialConnection } from '../../src/shared/wire/dialling.js';
import { Door, type Caller } from '../../src/shared/wire/door.js';
import { greet } from '../../src/shared/wire/greeting.js';
import type { Security } from '../../src/shared/wire/security.js';
import type { Address } from '../../src/shared/wire/sockets.js';
import { PASS } from '../support/passes.js';

const KEY: Security = { kind: 'key', key: Buffer.alloc(32, 7) };
/** The beginning of a handshake that never goes on: a record of 512 bytes, of which some come. */
const HALF_HELLO = Buffer.concat([Buffer.from([22, 3, 1, 2, 0, 1, 0, 1, 252, 3, 3]), Buffer.alloc(80, 9)]);

const clients: Socket[] = [];
const doors: Door[] = [];

afterEach(() => {
  for (const client of clients.splice(0)) client.destroy();
  for (const door of doors.splice(0)) door.close();
});

async function open(): Promise<{ address: Address; dropped: MicrostunError[]; called: Caller[] }> {
  const dropped: MicrostunError[] = [];
  const called: Caller[] = [];
  const door = new Door({
    called: (caller) => {
      called.push(caller);
      caller.welcome();
    },
    dropped: (error) => dropped.push(error),
  });
  doors.push(door);
  return { address: await door.open({ host: '127.0.0.1', port: 0 }, KEY), dropped, called };
}

async function beginHandshake(address: Address, from: string, said = HALF_HELLO): Promise<void> {
  const client = connect({ ...address, localAddress: from });
  client.on('error', () => undefined);
  clients.push(client);
  await once(client, 'connect');
  client.write(said);
}

/** Resolves once it is welcome. */
async function comesIn(address: Address): Promise<void> {
  const connection = await dialConnection(address, { timeoutMs: 5000, security: KEY });
  await new Promise<void>((resolve, reject) => {
    greet(
      connection,
      { role: 'control', migrationId: PASS.migrationId, ticket: PASS.ticket },
      { own: 'a connection', peer: 'the door' },
      5000,
      () => {
        resolve();
        return { names: { own: '', peer: '' }, reads: { take: () => undefined }, lost: () => undefined };
      },
      reject,
    );
  });
  connection.destroy();
}

describe('a crowd in the middle of its handshakes', () => {
  it.each(['127.0.0.1', '127.0.0.2'])('from %s is bounded, and keeps nobody out', async (from) => {
    const { address, dropped, called } = await open();
    for (let nth = 0; nth < HANDSHAKES_MAX + 60; nth++) await beginHandshake(address, from);
    await vi.waitFor(() => {
      expect(dropped.length).toBeGreaterThanOrEqual(60);
    });
    const guest = comesIn(address);
    for (let nth = 0; nth < HANDSHAKES_MAX / 2; nth++) await beginHandshake(address, from);
    await guest;
    expect(called).toHaveLength(1);
  });

  it('is let stand no longer for it than anybody', async () => {
    const { address, dropped } = await open();
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    await beginHandshake(address, '127.0.0.1', HALF_HELLO.subarray(0, 1));
    await beginHandshake(address, '127.0.0.1');
    for (let step = 0; dropped.length < 2 && step < 1000; step++) {
      vi.advanceTimersByTime(100);
      await new Promise(setImmediate);
    }
    vi.useRealTimers();
    expect(dropped).toHaveLength(2);
  });
});
