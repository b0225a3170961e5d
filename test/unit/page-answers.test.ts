// Answers to remote page faults: to whom, when, and how many before the peer has read some.
import { describe, expect, it } from 'vitest';
import { PageAnswers, type AnswerConnection } from '../../src/source/faults/page-answers.js';
import { ProtocolError } from '../../src/shared/errors.js';
import { FaultWatch } from '../../src/shared/memory/fault-words.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { FRAME_HEADER_BYTES, FrameReader, type Frame } from '../../src/shared/wire/frames.js';
import { decodePageSent, encodeMark } from '../../src/shared/wire/page-frames.js';
import { framesIn, guestOf, isSameBytes, pageOf, write } from './page-fixtures.js';
import { REQUESTS_MAX } from '../../src/shared/limits.js';

const PAGES = 200;

// A connection that takes answers when it is told to.
class FakeConnection implements AnswerConnection {
  isOpen = true;
  isPaused = false;
  readonly answers: Uint8Array[] = [];
  readonly #waiting: (() => void)[] = [];

  write(parts: readonly Uint8Array[], taken: () => void): number {
    this.answers.push(...parts);
    this.#waiting.push(taken);
    return parts.reduce((total, part) => total + part.length, 0);
  }

  pause(): void {
    this.isPaused = true;
  }

  resume(): void {
    this.isPaused = false;
  }

  takes(count: number): void {
    for (const sent of this.#waiting.splice(0, count)) sent();
  }
}

function fakes() {
  const guest = guestOf(PAGES);
  for (let page = 0; page < PAGES; page++) write(guest, page, 1);
  const dirty = new PageBitmap(PAGES, guest.dirtyWords);
  dirty.fill();
  const connection = new FakeConnection();
  const state = { isHandedOver: true };
  const answers = new PageAnswers(guest, connection, () => state.isHandedOver, undefined);
  const take = (frames: readonly Frame[]): void => {
    for (const frame of frames) answers.take(frame);
  };
  return { guest, dirty, connection, state, take, answers };
}

const requests = (from: number, to: number): Frame[] =>
  framesIn(
    Buffer.concat(
      Array.from({ length: to - from }, (_, index) => encodeMark('PAGE_WANTED', from + index, 0)),
    ),
  );

describe('pages that go ahead', () => {
  it('are sent in their order with their bytes, and stay pages that the push brings', () => {
    const { guest, dirty, connection, answers } = fakes();
    answers.sendAhead([9, 4]);
    const frames = new FrameReader(['PAGE_SENT']).consume(Buffer.concat(connection.answers));
    const sent = frames.map(({ body }) => decodePageSent(body, PAGES));
    expect(sent.map(({ page }) => page)).toEqual([9, 4]);
    expect(isSameBytes(sent[1]!.bytes, pageOf(guest, 4))).toBe(true);
    expect(dirty.count()).toBe(PAGES);
  });

  it('are none where a bandwidth is to be kept: what is asked for would wait behind them', () => {
    const guest = guestOf(PAGES);
    const connection = new FakeConnection();
    const paced = { take: () => Promise.resolve() };
    new PageAnswers(guest, connection, () => true, paced).sendAhead([9, 4]);
    expect(connection.answers).toEqual([]);
  });
});

describe('a request for a page', () => {
  it('is answered with its bytes, and the push need not bring it', () => {
    const { guest, dirty, connection, take } = fakes();
    take(requests(3, 6));
    const frames = new FrameReader(['PAGE_SENT']).consume(Buffer.concat(connection.answers));
    expect(frames.map(({ body }) => decodePageSent(body, PAGES).page)).toEqual([3, 4, 5]);
    expect(isSameBytes(decodePageSent(frames[0]!.body, PAGES).bytes, pageOf(guest, 3))).toBe(true);
    expect([dirty.count(), dirty.has(4)]).toEqual([PAGES - 3, false]);
  });

  it('is refused before the guest is handed over, and clears no dirty bit', () => {
    const { dirty, connection, state, take } = fakes();
    state.isHandedOver = false;
    expect(() => {
      take(requests(3, 4));
    }).toThrow(ProtocolError);
    expect([connection.answers.length, dirty.count()]).toEqual([0, PAGES]);
  });

  it('is refused when the guest has no such page', () => {
    const { take } = fakes();
    expect(() => {
      take(requests(PAGES, PAGES + 1));
    }).toThrow(ProtocolError);
  });
});

describe('what is outstanding', () => {
  it('holds back the push from the request until the kernel has its answer, and no longer than the connection lives', () => {
    const { guest, connection, take } = fakes();
    const watch = new FaultWatch(guest);
    const holdsBack = (): boolean => watch.holdBack() > 1;
    expect(holdsBack()).toBe(false);
    take(requests(3, 5));
    expect([holdsBack(), watch.takeAsked()]).toEqual([true, 4]);
    connection.takes(1);
    expect(holdsBack()).toBe(true);
    connection.takes(1);
    expect(holdsBack()).toBe(false);
    take(requests(6, 7));
    connection.isOpen = false;
    const next = new FakeConnection();
    new PageAnswers(guest, next, () => true, undefined).take(requests(8, 9)[0]!);
    next.takes(1);
    connection.takes(1);
    expect(holdsBack()).toBe(false);
  });
});

describe('a peer that asks and does not read', () => {
  it('gets as many answers as the protocol allows requests, and is read no further until it takes some', () => {
    const { connection, take } = fakes();
    take(requests(0, REQUESTS_MAX));
    expect([connection.answers.length, connection.isPaused]).toEqual([REQUESTS_MAX, false]);
    take(requests(REQUESTS_MAX, REQUESTS_MAX + 10));
    expect([connection.answers.length, connection.isPaused]).toEqual([REQUESTS_MAX, true]);
    connection.takes(4);
    expect([connection.answers.length, connection.isPaused]).toEqual([REQUESTS_MAX + 4, true]);
    connection.takes(100);
    expect([connection.answers.length, connection.isPaused]).toEqual([REQUESTS_MAX + 10, false]);
  });

  it('gets nothing more once it is gone', () => {
    const { connection, take } = fakes();
    take(requests(0, REQUESTS_MAX + 10));
    connection.isOpen = false;
    connection.takes(100);
    expect(connection.answers).toHaveLength(REQUESTS_MAX);
    expect(connection.answers[0]).toHaveLength(FRAME_HEADER_BYTES + 8 + 4096);
  });
});
