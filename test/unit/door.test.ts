// Callers at a door that are not let in, over real sockets in one process: whatever they do, the process and its other
// connections live on, and nothing of them stays.
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MicrostunError } from '../../src/shared/errors.js';
import type { Connection } from '../../src/shared/wire/connection.js';
import { Door, type Caller } from '../../src/shared/wire/door.js';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import { encodeMessage, type Message, type MessageOf } from '../../src/shared/wire/messages.js';
import type { Address } from '../../src/shared/wire/sockets.js';
import { messageIn } from '../support/fake-peer.js';
import { GREETING_MS_MAX, STRANGERS_MAX, ENDED_MS_MAX, TOLD_MS_MAX } from '../../src/shared/limits.js';

const HELLO: MessageOf<'HELLO'> = {
  name: 'HELLO',
  version: PROTOCOL_VERSION,
  role: 'control',
  migrationId: '00000000-0000-4000-8000-000000000001',
  ticket: 'ab'.repeat(32),
  index: 0,
  round: 0,
  regions: 0,
  welcomedBy: '',
};
const FAREWELL: Message = { name: 'FAREWELL' };

const bytesOf = (message: Message): Buffer => Buffer.concat(encodeMessage(message));
const openDescriptors = (): number => readdirSync('/proc/self/fd').length;

let door: Door;
let address: Address;
let admit: (caller: Caller) => void;
const dropped: MicrostunError[] = [];
const clients: Socket[] = [];

beforeEach(async () => {
  dropped.length = 0;
  admit = (caller) => {
    caller.refuse('BUSY', 'there is a guest already');
  };
  door = new Door({
    called: (caller) => {
      admit(caller);
    },
    dropped: (error) => dropped.push(error),
  });
  address = await door.open({ host: '127.0.0.1', port: 0 });
});

afterEach(() => {
  vi.useRealTimers();
  for (const client of clients.splice(0)) client.destroy();
  door.close();
});

/** A client that closes nothing by itself; `from` another address of this host, if told. */
async function dialDoor(from?: string): Promise<Socket> {
  const client = connect({ ...address, allowHalfOpen: true, ...(from && { localAddress: from }) });
  client.on('error', () => undefined);
  clients.push(client);
  await once(client, 'connect');
  return client;
}

async function answerTo(client: Socket, first: Buffer): Promise<Message> {
  client.write(first);
  const [chunk] = (await once(client, 'data')) as [Buffer];
  return messageIn(chunk);
}

const closed = (client: Socket): Promise<unknown> =>
  client.destroyed ? Promise.resolve() : once(client, 'close');

/** In order, or by a reset because of what it went on to say. */
const hungUpOn = (client: Socket): Promise<unknown> =>
  client.destroyed ? Promise.resolve() : Promise.race([once(client.resume(), 'end'), once(client, 'close')]);

describe('a caller that was refused', () => {
  it.each<[string, (client: Socket) => void]>([
    ['resets the connection', (client) => client.resetAndDestroy()],
    ['closes it at once', (client) => client.destroy()],
    [
      'goes on to speak and then resets it',
      (client) => {
        for (let nth = 0; nth < 100; nth++) client.write(Buffer.alloc(10_000));
        client.resetAndDestroy();
      },
    ],
  ])('and %s harms nobody', async (_what, misbehave) => {
    for (let nth = 0; nth < 50; nth++) {
      const client = await dialDoor();
      expect(await answerTo(client, bytesOf(HELLO))).toMatchObject({ name: 'REFUSAL', code: 'BUSY' });
      misbehave(client);
      await closed(client);
    }
    // Whoever comes next is heard.
    expect(await answerTo(await dialDoor(), bytesOf(HELLO))).toMatchObject({ code: 'BUSY' });
  });

  it.each<[string, Buffer]>([
    ['another version', bytesOf({ ...HELLO, version: 99 })],
    ['no greeting at all', bytesOf(FAREWELL)],
    ['noise', Buffer.alloc(1000, 0xa5)],
  ])('for %s and reset before it is answered harms nobody', async (_what, first) => {
    for (let nth = 0; nth < 50; nth++) {
      const client = await dialDoor();
      client.write(first);
      client.resetAndDestroy();
      await closed(client);
    }
    expect(await answerTo(await dialDoor(), bytesOf(HELLO))).toMatchObject({ code: 'BUSY' });
  });

  it('leaves no descriptor open, even if it never closes its end', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const before = openDescriptors();
    for (let nth = 0; nth < 200; nth++) {
      const client = await dialDoor();
      await answerTo(client, bytesOf(HELLO));
      // Their own ends are not what is counted.
      if (nth < 150) {
        client.destroy();
        await closed(client);
      }
    }
    expect(openDescriptors()).toBeGreaterThan(before);
    vi.advanceTimersByTime(ENDED_MS_MAX);
    for (const client of clients) client.destroy();
    await Promise.all(clients.map(closed));
    await vi.waitFor(() => {
      vi.advanceTimersByTime(1);
      expect(openDescriptors()).toBeLessThanOrEqual(before);
    });
  });

  it('is cut off in time if it does not close', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const client = await dialDoor();
    await answerTo(client, bytesOf(HELLO));
    await once(client, 'end');
    // Half open still: it may speak, and is heard by nobody.
    client.write('anybody there?');
    vi.advanceTimersByTime(ENDED_MS_MAX);
    // A connection that is gone answers with a reset.
    while (!client.destroyed) {
      client.write('?');
      await new Promise(setImmediate);
    }
  });
});

describe('a caller that does not greet', () => {
  it('is dropped after a while', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const client = await dialDoor();
    const heard = await answerTo(await dialDoor(), bytesOf(HELLO));
    expect(heard.name).toBe('REFUSAL');
    vi.advanceTimersByTime(GREETING_MS_MAX);
    client.resume();
    await once(client, 'end');
    expect(dropped.map(({ message }) => message)).toEqual(['the peer connected and did not greet']);
  });

  it('gives its place to a newcomer when there are too many', async () => {
    const silent: Socket[] = [];
    for (let nth = 0; nth < STRANGERS_MAX + 5; nth++) silent.push(await dialDoor());
    for (const client of silent) client.resume();
    await vi.waitFor(() => {
      expect(silent.slice(0, 5).every((client) => client.readableEnded || client.destroyed)).toBe(true);
    });
    // An honest one among them is heard all the same.
    expect(await answerTo(await dialDoor(), bytesOf(HELLO))).toMatchObject({ code: 'BUSY' });
  });
});

describe('a caller that is slow to greet', () => {
  const half = bytesOf(HELLO).subarray(0, 50);
  const rest = bytesOf(HELLO).subarray(50);

  it.each([
    ['from another address, whatever they say', '127.0.0.2', half],
    ['from its own that are silent', undefined, Buffer.alloc(0)],
    ['from its own that are slower', undefined, half.subarray(0, 20)],
  ])('is heard beside a flood of others %s', async (_what, from, said) => {
    const slow = await dialDoor();
    slow.write(half);
    for (let nth = 0; nth < STRANGERS_MAX + 100; nth++) (await dialDoor(from)).write(said);
    await vi.waitFor(() => {
      expect(dropped.length).toBeGreaterThanOrEqual(100);
    });
    expect(await answerTo(slow, rest)).toMatchObject({ code: 'BUSY' });
  });

  it('is heard byte by byte, and is let stand no longer for it', async () => {
    const slow = await dialDoor();
    for (const byte of bytesOf(HELLO).subarray(0, -1)) slow.write(Buffer.of(byte));
    expect(await answerTo(slow, bytesOf(HELLO).subarray(-1))).toMatchObject({ code: 'BUSY' });
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const slower = await dialDoor();
    await answerTo(await dialDoor(), bytesOf(HELLO));
    for (const byte of half) {
      slower.write(Buffer.of(byte));
      vi.advanceTimersByTime(GREETING_MS_MAX / half.length);
      await new Promise(setImmediate);
    }
    await hungUpOn(slower);
    expect(dropped.map(({ message }) => message)).toEqual(['the peer connected and did not greet']);
  });

  it('and does not wait for an answer is not heard at all', async () => {
    const called = vi.fn();
    admit = called;
    const client = await dialDoor();
    client.write(Buffer.concat([bytesOf(HELLO), Buffer.of(1)]));
    await hungUpOn(client);
    expect(called).not.toHaveBeenCalled();
    expect(dropped.map(({ message }) => message)).toEqual(['the peer did not wait for an answer to HELLO']);
  });
});

describe('a caller that is welcome', () => {
  it('is no stranger any more: a crowd of strangers does not push it out', async () => {
    const taken: Connection[] = [];
    admit = (caller) => {
      taken.push(caller.welcome());
    };
    const guest = await dialDoor();
    expect(await answerTo(guest, bytesOf(HELLO))).toMatchObject({ name: 'WELCOME' });
    for (let nth = 0; nth < STRANGERS_MAX + 1; nth++) await dialDoor();
    await vi.waitFor(() => {
      expect(dropped.length).toBeGreaterThan(0);
    });
    expect(taken[0]?.isDestroyed).toBe(false);
    taken[0]?.destroy();
  });

  it('only to be told how it ended is hung up on in time, however often it asks', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    admit = (caller) => {
      caller.welcomeAndTell([FAREWELL]);
    };
    const client = await dialDoor();
    expect(await answerTo(client, bytesOf(HELLO))).toMatchObject({ name: 'WELCOME' });
    for (let nth = 0; nth < 1000; nth++) client.write(bytesOf({ name: 'PING', sentAt: nth }));
    vi.advanceTimersByTime(TOLD_MS_MAX);
    client.resume();
    await once(client, 'end');
  });
});
