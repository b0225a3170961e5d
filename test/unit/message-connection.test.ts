// A connection of messages over real sockets in one process: what a peer may make it hold, and how it ends.
import { once } from 'node:events';
import { connect, createServer, type Server, type Socket } from 'node:net';
import type { AddressInfo } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import type { MicrostunError } from '../../src/shared/errors.js';
import { Connection } from '../../src/shared/wire/connection.js';
import { MessageConnection } from '../../src/shared/wire/message-connection.js';
import { encodeMessage, type Message } from '../../src/shared/wire/messages.js';
import { ENDED_MS_MAX } from '../../src/shared/limits.js';

const MIB = 1024 ** 2;
const bytesOf = (message: Message): Buffer => Buffer.concat(encodeMessage(message));
const nextTurn = (): Promise<void> => new Promise(setImmediate);

let server: Server;
let peer: Socket;
let own: Socket;

beforeEach(async () => {
  server = createServer({ allowHalfOpen: true });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  own = connect({ host: '127.0.0.1', port });
  own.on('error', () => undefined);
  [peer] = (await once(server, 'connection')) as [Socket];
  peer.on('error', () => undefined);
});

afterEach(() => {
  vi.useRealTimers();
  peer.destroy();
  own.destroy();
  server.close();
});

/** Says `message` again and again until nothing more of it is taken. */
async function flood(message: Message): Promise<void> {
  const many = Buffer.concat(Array<Buffer>(1000).fill(bytesOf(message)));
  let before = -1;
  let quietTurns = 0;
  while (quietTurns < 200) {
    while (peer.writableLength < 4 * MIB) peer.write(many);
    await nextTurn();
    quietTurns = own.bytesRead === before ? quietTurns + 1 : 0;
    before = own.bytesRead;
  }
}

describe('a peer that asks and never reads the answers', () => {
  it('is not read any more while many of them are queued, and read again once it takes them', async () => {
    const answer: Message = { name: 'CANCEL', code: 'CANCELLED', reason: 'r'.repeat(2000) };
    let asked = 0;
    let longestQueue = 0;
    const control = new MessageConnection(new Connection(own), {
      received: () => {
        asked++;
        // As a state machine does: not in the same breath.
        queueMicrotask(() => {
          control.send(answer);
          longestQueue = Math.max(longestQueue, own.writableLength);
        });
      },
      closed: () => undefined,
    });
    await flood({ name: 'PING', sentAt: 1 });
    expect(longestQueue).toBeLessThan(2 * MIB);
    const askedBefore = asked;
    peer.resume();
    await vi.waitFor(() => {
      expect(asked).toBeGreaterThan(askedBefore);
    });
    control.destroy();
  });
});

describe('an owner that does not keep up', () => {
  it('is told of no more than a few messages, and of all of them in order once it does', async () => {
    const untaken: number[] = [];
    const control = new MessageConnection(new Connection(own), {
      received: ({ message }) => {
        if (message.name === 'PING') untaken.push(message.sentAt);
      },
      backlog: () => untaken.length,
      closed: () => undefined,
    });
    for (let nth = 1; nth <= 5000; nth++) peer.write(bytesOf({ name: 'PING', sentAt: nth }));
    const taken: number[] = [];
    while (taken.length < 5000) {
      await nextTurn();
      expect(untaken.length).toBeLessThan(100);
      taken.push(...untaken.splice(0));
    }
    expect(taken).toEqual(taken.toSorted((a, b) => a - b));
    control.destroy();
  });
});

describe('a peer that says much and leaves', () => {
  it('is heard to its last message before its loss is told', async () => {
    const heard: unknown[] = [];
    let lost: MicrostunError | undefined;
    new MessageConnection(new Connection(own), {
      received: ({ message }) => heard.push(message),
      closed: (error) => {
        lost = error;
      },
    });
    for (let nth = 0; nth < 300; nth++) peer.write(bytesOf({ name: 'PING', sentAt: nth }));
    peer.end();
    await vi.waitFor(() => {
      expect(lost?.code).toBe('CONNECTION_LOST');
    });
    expect(heard).toHaveLength(300);
  });
});

describe('what a control connection says it sent', () => {
  const pong: Message = { name: 'PONG', sentAt: 1, answeredAt: 2 };

  it('is what its socket took, and nothing of what comes after that was lost or closed', async () => {
    if (own.connecting) await once(own, 'connect');
    const control = new MessageConnection(new Connection(own), {
      received: () => undefined,
      closed: () => undefined,
    });
    const { bytes } = control.send(pong);
    expect(bytes).toBe(bytesOf(pong).length);
    expect(own.bytesWritten).toBe(bytes);
    // Lost, and nobody has been told yet.
    own.destroy();
    expect(control.send(pong).bytes).toBe(0);
    control.destroy();
    expect(control.send(pong).bytes).toBe(0);
    expect(own.bytesWritten).toBe(bytes);
  });

  it('is nothing once it was ended, though its socket still sends what was queued', () => {
    const control = new MessageConnection(new Connection(own), {
      received: () => undefined,
      closed: () => undefined,
    });
    control.end();
    expect(control.send(pong).bytes).toBe(0);
    expect(own.bytesWritten).toBe(0);
  });
});

describe('a control connection that was ended', () => {
  it('does not wait for a peer that never closes: its socket is destroyed in time', async () => {
    vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
    const control = new MessageConnection(new Connection(own), {
      received: () => undefined,
      closed: () => undefined,
    });
    control.send({ name: 'FAREWELL' });
    control.end();
    peer.resume();
    await once(peer, 'end');
    expect(own.destroyed).toBe(false);
    vi.advanceTimersByTime(ENDED_MS_MAX);
    expect(own.destroyed).toBe(true);
  });

  it('whose socket was lost before it had an owner is told so', async () => {
    own.destroy();
    await once(own, 'close');
    const error = await new Promise((closed) => {
      new MessageConnection(new Connection(own), { received: () => undefined, closed });
    });
    expect(error).toMatchObject({ code: 'CONNECTION_LOST' });
  });
});

describe('a peer that is expected to live', () => {
  const LIFE_MS = 200;
  const closings = (): {
    readonly control: MessageConnection;
    readonly closed: Promise<MicrostunError | undefined>;
  } => {
    let tell: (error: MicrostunError | undefined) => void;
    const closed = new Promise<MicrostunError | undefined>((resolve) => (tell = resolve));
    return {
      control: new MessageConnection(new Connection(own), {
        received: () => undefined,
        closed: (error) => {
          tell(error);
        },
      }),
      closed,
    };
  };

  it('is taken for dead when it says nothing', async () => {
    const { control, closed } = closings();
    control.expectLife(LIFE_MS);
    expect(await closed).toMatchObject({
      code: 'CONNECTION_LOST',
      message: 'the peer said nothing for 0.2 s',
    });
  });

  it('is not taken for dead when this process was held up and has not read what it said', async () => {
    const { control, closed } = closings();
    let end: MicrostunError | undefined | 'none' = 'none';
    void closed.then((error) => (end = error));
    control.expectLife(LIFE_MS);
    for (let block = 0; block < 3; block++) {
      peer.write(bytesOf({ name: 'PING', sentAt: 1 }));
      // This thread stands, its timers become due, and the peer's bytes lie in the kernel.
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 2 * LIFE_MS);
      await nextTurn();
    }
    expect(end).toBe('none');
    control.destroy();
  });
});
