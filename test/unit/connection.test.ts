// A connection over real sockets in one process: who is told of its end, and how much may be queued on it.
import { THIS_HOST_ONLY } from '../../src/shared/wire/security.js';
import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { afterEach, beforeEach, describe, expect, it, vi, type Mock } from 'vitest';
import { MicrostunError } from '../../src/shared/errors.js';
import { type Connection, type ConnectionOwner } from '../../src/shared/wire/connection.js';
import { dialConnection } from '../../src/shared/wire/dialling.js';

const KIB = 1024;
const MIB = 1024 ** 2;
const DIAL_MS = 5000;
const names = { own: 'a connection', peer: 'its peer' };
const nextTurn = (): Promise<void> => new Promise(setImmediate);

let server: Server;
let peer: Socket;
let own: Connection;

beforeEach(async () => {
  server = createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const accepted = once(server, 'connection') as Promise<[Socket]>;
  own = await dialConnection(
    { host: '127.0.0.1', port: (server.address() as AddressInfo).port },
    {
      timeoutMs: DIAL_MS,
      security: THIS_HOST_ONLY,
    },
  );
  [peer] = await accepted;
  peer.on('error', () => undefined);
});

afterEach(() => {
  peer.destroy();
  own.destroy();
  server.close();
});

function owner(
  take: (chunk: Buffer) => void = () => undefined,
): Omit<ConnectionOwner, 'lost'> & { readonly lost: Mock<(error: MicrostunError) => void> } {
  return { names, reads: { take }, lost: vi.fn<(error: MicrostunError) => void>() };
}

describe('the owner of a connection', () => {
  it('is given what came before it owned it, and nobody reads before', async () => {
    peer.write('early');
    await nextTurn();
    await nextTurn();
    const read: Buffer[] = [];
    own.own(owner((chunk) => read.push(chunk)));
    await vi.waitFor(() => {
      expect(Buffer.concat(read).toString()).toBe('early');
    });
  });

  it.each<[string, () => void, string]>([
    ['the peer hangs up', () => peer.end(), 'a connection was closed by its peer'],
    ['the peer resets it', () => peer.resetAndDestroy(), 'a connection was lost: read ECONNRESET'],
  ])('is told once that %s', async (_, act, message) => {
    const one = owner();
    own.own(one);
    act();
    await vi.waitFor(() => {
      expect(own.isDestroyed).toBe(true);
    });
    await nextTurn();
    await nextTurn();
    expect(one.lost.mock.calls.map(([error]) => error.message)).toEqual([message]);
  });

  it('is told what was wrong with the bytes that it refused, and hears no more', async () => {
    const wrong = new MicrostunError('PROTOCOL', 'they make no sense');
    const one = owner(() => {
      throw wrong;
    });
    own.own(one);
    peer.write('1');
    await vi.waitFor(() => {
      expect(own.isDestroyed).toBe(true);
    });
    await nextTurn();
    expect(one.lost.mock.calls).toEqual([[wrong]]);
  });

  it.each<[string, () => void]>([
    [
      'closes',
      () => {
        own.destroy();
      },
    ],
    [
      'ends',
      () => {
        own.end();
      },
    ],
  ])('is told nothing of what it %s itself', async (_, act) => {
    const one = owner();
    own.own(one);
    act();
    peer.resume();
    await vi.waitFor(() => {
      expect(own.isDestroyed).toBe(true);
    });
    await nextTurn();
    expect(one.lost).not.toHaveBeenCalled();
  });

  it('is told of a loss before its time, though another was told already', async () => {
    const before = owner();
    own.own(before);
    peer.resetAndDestroy();
    await vi.waitFor(() => {
      expect(before.lost).toHaveBeenCalledOnce();
    });
    const after = owner();
    own.own(after);
    await vi.waitFor(() => {
      expect(after.lost).toHaveBeenCalledOnce();
    });
  });
});

describe('room on a connection', () => {
  const marks = { highBytes: 4 * MIB, lowBytes: 1 * MIB };
  const fill = (): void => {
    while (own.queuedBytes <= marks.highBytes) own.write([Buffer.alloc(64 * KIB), Buffer.alloc(64 * KIB)]);
  };

  it('is there at once up to the high mark, and then from the low mark on, while it still sends', async () => {
    own.write([Buffer.alloc(KIB)]);
    await own.room(marks);
    fill();
    let isThere = false;
    const room = own.room(marks).then(() => {
      isThere = true;
      expect(own.queuedBytes).toBeLessThanOrEqual(marks.lowBytes);
    });
    for (let turn = 0; turn < 50; turn++) await nextTurn();
    expect(isThere).toBe(false);
    peer.resume();
    await room;
  });

  it('is waited for by nobody once it is lost', async () => {
    own.own(owner());
    fill();
    const room = own.room(marks);
    peer.resetAndDestroy();
    await room;
    expect(own.isOpen).toBe(false);
    expect(own.write([Buffer.alloc(KIB)])).toBe(0);
    await own.room(marks);
  });
});
