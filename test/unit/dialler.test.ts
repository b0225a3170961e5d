// Dials whose ends come in any order, by hand: which of them counts, and what becomes of the others.
import { EventEmitter } from 'node:events';
import { describe, expect, it } from 'vitest';
import { Dialler, type Attempt } from '../../src/destination/dialler.js';
import { MicrostunError } from '../../src/shared/errors.js';

const GREETING_MS = 5000;

class FakeSocket extends EventEmitter {
  isDestroyed = false;
  destroy(): void {
    if (this.isDestroyed) return;
    this.isDestroyed = true;
    this.emit('close');
  }
}

interface FakeDial {
  readonly attempt: Attempt;
  comesUp(): Promise<FakeSocket>;
  fails(): Promise<void>;
}

// A dialler whose dials end when they are told to, and whose timers fire by hand.
function fakes() {
  const dials: FakeDial[] = [];
  const up: FakeSocket[] = [];
  const lost: MicrostunError[] = [];
  const timers = new Set<() => void>();
  const dialler = new Dialler<FakeSocket>({
    name: 'a page connection',
    greetingMs: GREETING_MS,
    dial: (attempt) =>
      new Promise((resolve, reject) => {
        dials.push({
          attempt,
          comesUp: async () => {
            const socket = new FakeSocket();
            resolve(socket);
            await settled();
            return socket;
          },
          fails: async () => {
            reject(new MicrostunError('CONNECT_FAILED', 'nobody listens there'));
            await settled();
          },
        });
      }),
    after: (_, fired) => {
      timers.add(fired);
      return { cancel: () => timers.delete(fired) };
    },
    up: (socket) => {
      up.push(socket);
    },
    lost: (error) => {
      lost.push(error);
    },
  });
  const fireTimers = (): void => {
    for (const fired of [...timers]) fired();
  };
  return { dialler, dials, up, lost, timers, fireTimers };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

describe('a dial that is superseded', () => {
  it('is destroyed when it comes up after the newer one, which stays', async () => {
    const { dialler, dials, up, lost } = fakes();
    dialler.dial();
    dialler.dial();
    const healthy = await dials[1]!.comesUp();
    const stale = await dials[0]!.comesUp();
    expect(stale.isDestroyed).toBe(true);
    expect(healthy.isDestroyed).toBe(false);
    expect(dialler.socket).toBe(healthy);
    expect(up).toEqual([healthy]);
    expect(lost).toEqual([]);
  });

  it('is destroyed when it comes up before the newer one, and is never in use', async () => {
    const { dialler, dials, up, lost } = fakes();
    dialler.dial();
    dialler.dial();
    const stale = await dials[0]!.comesUp();
    expect(stale.isDestroyed).toBe(true);
    expect(dialler.socket).toBeUndefined();
    const healthy = await dials[1]!.comesUp();
    expect(up).toEqual([healthy]);
    expect(lost).toEqual([]);
  });

  it('does not destroy the healthy connection, nor count as a loss, when it fails', async () => {
    const { dialler, dials, lost } = fakes();
    dialler.dial();
    dialler.dial();
    const healthy = await dials[1]!.comesUp();
    await dials[0]!.fails();
    expect(healthy.isDestroyed).toBe(false);
    expect(dialler.socket).toBe(healthy);
    expect(lost).toEqual([]);
  });

  it('leaves no error of its socket without an owner', async () => {
    const { dialler, dials, lost } = fakes();
    dialler.dial();
    dialler.dial();
    const stale = await dials[0]!.comesUp();
    stale.emit('error', new Error('reset'));
    expect(lost).toEqual([]);
    expect(dials[1]!.attempt.isCurrent).toBe(true);
  });

  it('has no say any more: neither its bytes nor its timer for the greeting count', async () => {
    const { dialler, dials, lost, timers } = fakes();
    dialler.dial();
    const old = await dials[0]!.comesUp();
    expect(dials[0]!.attempt.isUp).toBe(true);
    expect(timers.size).toBe(1);
    dialler.dial();
    expect(old.isDestroyed).toBe(true);
    expect(dials[0]!.attempt.isUp).toBe(false);
    expect(timers.size).toBe(0);
    dialler.lose(dials[0]!.attempt, new Error('what it read makes no sense'));
    expect(lost).toEqual([]);
    expect(dials[1]!.attempt.isCurrent).toBe(true);
  });
});

describe('a dialled connection', () => {
  it('is lost once, with what ended it', async () => {
    const { dialler, dials, lost } = fakes();
    dialler.dial();
    const socket = await dials[0]!.comesUp();
    socket.emit('error', new Error('reset by the peer'));
    socket.emit('close');
    expect(socket.isDestroyed).toBe(true);
    expect(lost.map(({ message }) => message)).toEqual(['a page connection was lost: reset by the peer']);
    expect(dialler.socket).toBeUndefined();
  });

  it('is lost when the source does not welcome it in time, and not when it does', async () => {
    const { dialler, dials, lost, fireTimers } = fakes();
    dialler.dial();
    await dials[0]!.comesUp();
    dialler.noteWelcome();
    fireTimers();
    expect(lost).toEqual([]);
    dialler.dial();
    await dials[1]!.comesUp();
    fireTimers();
    expect(lost.map(({ code }) => code)).toEqual(['CONNECTION_LOST']);
  });

  it('that comes up after the end is closed', async () => {
    const { dialler, dials, up, lost } = fakes();
    dialler.dial();
    dialler.close();
    const late = await dials[0]!.comesUp();
    expect(late.isDestroyed).toBe(true);
    expect([up, lost]).toEqual([[], []]);
  });
});
