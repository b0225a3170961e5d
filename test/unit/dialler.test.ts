// Dials whose ends come in any order, by hand: which of them counts, and what becomes of the others.
import { PASS } from '../support/passes.js';
import type { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { ANSWERS_QUEUED } from '../../src/shared/limits.js';
import { MicrostunError } from '../../src/shared/errors.js';
import { answerOn } from '../../src/shared/wire/connection-end.js';
import { Connection } from '../../src/shared/wire/connection.js';
import { Dialler } from '../../src/shared/wire/dialler.js';
import { PROTOCOL_VERSION } from '../../src/shared/wire/frames.js';
import { encodeMessage, type Message } from '../../src/shared/wire/messages.js';
import { messageIn } from '../support/fake-peer.js';
import { examples } from './message-examples.js';

const DIAL_MS = 2500;
const GREETING_MS = 5000;
const WELCOME: Message = { ...examples.WELCOME[0], version: PROTOCOL_VERSION };
const REFUSAL: Message = examples.REFUSAL[0];

/** A socket that is up; its peer says what it is told to. */
class FakeSocket extends Duplex {
  readonly said: Buffer[] = [];
  readonly bytesRead = 0;
  readonly bytesWritten = 0;

  /** Whether its peer reads nothing any more. */
  isFull = false;

  override _write(chunk: Buffer, _: string, done: () => void): void {
    this.said.push(chunk);
    if (!this.isFull) done();
  }

  override _read(): void {
    // What is said is pushed.
  }

  async hears(...bytes: readonly Uint8Array[]): Promise<void> {
    this.push(Buffer.concat(bytes));
    await settled();
  }
}

interface FakeDial {
  comesUp(): Promise<FakeSocket>;
  /** Comes up and is welcomed. */
  isWelcomed(): Promise<FakeSocket>;
  fails(): Promise<void>;
}

// A dialler whose dials end when they are told to.
function fakes() {
  const dials: FakeDial[] = [];
  const welcomed: Connection[] = [];
  const read: Buffer[] = [];
  const lost: MicrostunError[] = [];
  let introductions = 0;
  const dialler = new Dialler({
    names: { own: 'a page connection', peer: 'the source' },
    dialMs: DIAL_MS,
    greetingMs: GREETING_MS,
    isReadInPlace: false,
    pass: PASS,
    dial: () =>
      new Promise((resolve, reject) => {
        const comesUp = async (): Promise<FakeSocket> => {
          const socket = new FakeSocket();
          resolve(new Connection(socket as unknown as Socket));
          await settled();
          return socket;
        };
        dials.push({
          comesUp,
          isWelcomed: async () => {
            const socket = await comesUp();
            await socket.hears(...encodeMessage(WELCOME));
            return socket;
          },
          fails: async () => {
            reject(new MicrostunError('CONNECT_FAILED', 'nobody listens there'));
            await settled();
          },
        });
      }),
    introduction: () => ({
      role: 'pages',
      welcomedBy: '',
      index: 1,
      round: ++introductions,
      regions: 0,
    }),
    welcomed: (connection) => {
      welcomed.push(connection);
      return { take: (chunk) => read.push(chunk) };
    },
    lost: (error) => {
      lost.push(error);
    },
  });
  // The first of the dials.
  void dialler.open({ host: '127.0.0.1', port: 1 });
  return { dialler, dials, welcomed, read, lost };
}

const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

beforeEach(() => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
});
afterEach(() => {
  vi.useRealTimers();
});

describe('a dial that is superseded', () => {
  it('is destroyed when it comes up after the newer one, which stays', async () => {
    const { dialler, dials, welcomed, lost } = fakes();
    dialler.renew();
    const healthy = await dials[1]!.isWelcomed();
    const stale = await dials[0]!.comesUp();
    expect([stale.destroyed, healthy.destroyed]).toEqual([true, false]);
    expect(welcomed).toEqual([dialler.connection]);
    expect(lost).toEqual([]);
  });

  it('is destroyed when it comes up before the newer one, and says nothing', async () => {
    const { dialler, dials, lost } = fakes();
    dialler.renew();
    const stale = await dials[0]!.comesUp();
    expect([stale.destroyed, stale.said]).toEqual([true, []]);
    expect(dialler.connection).toBeUndefined();
    await dials[1]!.isWelcomed();
    expect(dialler.connection).toBeDefined();
    expect(lost).toEqual([]);
  });

  it('does not destroy the healthy connection, nor count as a loss, when it fails', async () => {
    const { dialler, dials, lost } = fakes();
    dialler.renew();
    const healthy = await dials[1]!.isWelcomed();
    await dials[0]!.fails();
    expect(healthy.destroyed).toBe(false);
    expect(dialler.connection).toBeDefined();
    expect(lost).toEqual([]);
  });

  it('leaves no error of its socket without an owner', async () => {
    const { dialler, dials, lost } = fakes();
    dialler.renew();
    const stale = await dials[0]!.comesUp();
    stale.emit('error', new Error('reset'));
    await dials[1]!.isWelcomed();
    expect(lost).toEqual([]);
  });

  it('has no say any more: neither its bytes nor its time for the greeting count', async () => {
    const { dialler, dials, read, lost } = fakes();
    const old = await dials[0]!.comesUp();
    dialler.renew();
    expect(old.destroyed).toBe(true);
    await old.hears(...encodeMessage(WELCOME), Buffer.from('what it read makes no sense'));
    vi.advanceTimersByTime(GREETING_MS);
    expect([dialler.connection, read, lost]).toEqual([undefined, [], []]);
    await dials[1]!.isWelcomed();
    expect(dialler.connection).toBeDefined();
  });
});

describe('a dialled connection', () => {
  it('says who it is when it is up, and has whatever follows the welcome read', async () => {
    const { dialler, dials, read } = fakes();
    const socket = await dials[0]!.comesUp();
    expect(messageIn(Buffer.concat(socket.said))).toMatchObject({ name: 'HELLO', role: 'pages', round: 1 });
    const welcome = Buffer.concat(encodeMessage(WELCOME));
    for (const byte of welcome.subarray(0, -1)) await socket.hears(Uint8Array.of(byte));
    expect(dialler.connection).toBeUndefined();
    await socket.hears(welcome.subarray(-1), Buffer.from('pages'));
    await socket.hears(Buffer.from(' and more'));
    expect(Buffer.concat(read).toString()).toBe('pages and more');
  });

  it('is lost once, with what ended it', async () => {
    const { dialler, dials, lost } = fakes();
    const socket = await dials[0]!.isWelcomed();
    socket.destroy(new Error('reset by the peer'));
    await settled();
    expect(lost.map(({ message }) => message)).toEqual(['a page connection was lost: reset by the peer']);
    expect(dialler.connection).toBeUndefined();
  });

  it('is lost when the source hangs up', async () => {
    const { dials, lost } = fakes();
    const socket = await dials[0]!.isWelcomed();
    socket.destroy();
    await settled();
    expect(lost.map(({ message }) => message)).toEqual(['a page connection was closed by the source']);
  });

  it('is lost when the source does not welcome it in time, and not when it does', async () => {
    const { dialler, dials, lost } = fakes();
    await dials[0]!.isWelcomed();
    vi.advanceTimersByTime(GREETING_MS);
    expect(lost).toEqual([]);
    dialler.renew();
    const unwelcome = await dials[1]!.comesUp();
    vi.advanceTimersByTime(GREETING_MS);
    expect(lost.map(({ code }) => code)).toEqual(['CONNECTION_LOST']);
    expect(unwelcome.destroyed).toBe(true);
  });

  it.each([
    ['a refusal', encodeMessage(REFUSAL)],
    ['another message than an answer', encodeMessage({ name: 'FAREWELL' })],
    ['noise', [Buffer.alloc(100, 0xa5)]],
  ])('is lost by %s', async (_, said) => {
    const { dials, lost } = fakes();
    const socket = await dials[0]!.comesUp();
    await socket.hears(...said);
    expect(lost).toHaveLength(1);
    expect(['REFUSED', 'PROTOCOL', 'INSUFFICIENT_MEMORY', 'VERSION_MISMATCH']).toContain(lost[0]!.code);
    expect(socket.destroyed).toBe(true);
  });

  it('that is given up is closed and told, once', async () => {
    const { dialler, dials, lost } = fakes();
    const socket = await dials[0]!.isWelcomed();
    const still = new MicrostunError('CONNECTION_LOST', 'nothing came');
    dialler.giveUp(still);
    dialler.giveUp(still);
    await settled();
    expect(lost).toEqual([still]);
    expect(socket.destroyed).toBe(true);
  });

  it('on which the peer asks and asks and takes no answer is given up, whatever is queued until then', async () => {
    const { dialler, dials, lost } = fakes();
    answerOn(dialler, Buffer.alloc(20));
    const socket = await dials[0]!.isWelcomed();
    const saidBefore = socket.said.length;
    answerOn(dialler, Buffer.alloc(20));
    expect(socket.said).toHaveLength(saidBefore + 1);
    socket.isFull = true;
    let answers = 0;
    for (; lost.length === 0 && answers < 1e6; answers++) answerOn(dialler, Buffer.alloc(20));
    expect(lost[0]?.message).toBe('the peer asks more and more, and takes no answer');
    expect(answers * 20).toBeLessThanOrEqual(ANSWERS_QUEUED.highBytes + 40);
    expect(socket.destroyed).toBe(true);
  });

  it('that comes up after the end is closed', async () => {
    const { dialler, dials, welcomed, lost } = fakes();
    dialler.close();
    const late = await dials[0]!.comesUp();
    expect(late.destroyed).toBe(true);
    expect([welcomed, lost]).toEqual([[], []]);
  });
});
