// Where the bytes of a page connection are written while connections take each other's place.
import { describe, expect, it } from 'vitest';
import { pageReads } from '../../src/destination/pages/page-reads.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { encodeFrame, FRAME_HEADER_BYTES } from '../../src/shared/wire/frames.js';
import { WINDOW_HEAD_BYTES } from '../../src/shared/wire/page-frames.js';
import { allPages, feed, guestOf, isSame, receiverOver, windowsOf, write } from './page-fixtures.js';

type Reads = ReturnType<typeof pageReads>;

// What node:net does with a stream: it asks for a buffer when the dial begins and after each read.
class FakeStream {
  readonly #reads: Reads;
  #buffer: Uint8Array;

  constructor(reads: Reads) {
    this.#reads = reads;
    this.#buffer = reads.buffer();
  }

  /** Answers whether all was taken. */
  deliver(bytes: Uint8Array): boolean {
    for (let at = 0; at < bytes.length;) {
      const length = Math.min(this.#buffer.length, bytes.length - at);
      this.#buffer.set(bytes.subarray(at, at + length));
      if (!this.#reads.callback(length, this.#buffer)) return false;
      at += length;
      this.#buffer = this.#reads.buffer();
    }
    return true;
  }
}

function attempt() {
  return { isCurrent: true, isUp: false };
}

const nothing = (): void => undefined;

describe('what comes first on a page connection', () => {
  it('never lands in guest memory, whatever the connection before it was reading when it was dialled', () => {
    const source = guestOf(3);
    for (const page of [0, 1, 2]) write(source, page, 1);
    const destination = guestOf(3);
    const { receiver, frames } = receiverOver(destination);
    const window = windowsOf(source, allPages(3), 0);
    // The old connection is in the middle of a page when the new one is dialled.
    feed(receiver, window.subarray(0, FRAME_HEADER_BYTES + WINDOW_HEAD_BYTES + PAGE_BYTES + 100));
    const fresh = attempt();
    const stream = new FakeStream(pageReads(receiver, fresh, nothing, nothing));
    const before = Buffer.from(destination.bytes);
    receiver.reset();
    fresh.isUp = true;
    const welcome = Buffer.concat(encodeFrame('WELCOME', [Buffer.alloc(40, 0xee)]));
    for (const byte of welcome) expect(stream.deliver(Uint8Array.of(byte))).toBe(true);
    expect(frames.map(({ header }) => header.name)).toEqual(['WELCOME']);
    expect(Buffer.compare(before, Buffer.from(destination.bytes))).toBe(0);
    expect(stream.deliver(window)).toBe(true);
    expect(isSame(source, destination)).toBe(true);
  });

  it('is thrown away when the connection is not the one in use', () => {
    const destination = guestOf(3);
    const { receiver, frames } = receiverOver(destination);
    const stale = new FakeStream(pageReads(receiver, attempt(), nothing, nothing));
    feed(receiver, encodeFrame('WELCOME', [Buffer.alloc(4)])[0]!.subarray(0, 6));
    expect(stale.deliver(Buffer.alloc(FRAME_HEADER_BYTES, 0xff))).toBe(false);
    feed(receiver, Buffer.concat(encodeFrame('WELCOME', [Buffer.alloc(4)])).subarray(6));
    expect(frames.map(({ header }) => header.name)).toEqual(['WELCOME']);
  });

  it('ends the connection when it makes no sense', () => {
    const { receiver } = receiverOver(guestOf(3));
    const fresh = attempt();
    const failures: unknown[] = [];
    const stream = new FakeStream(
      pageReads(receiver, fresh, nothing, (error) => {
        failures.push(error);
      }),
    );
    fresh.isUp = true;
    expect(stream.deliver(Buffer.alloc(FRAME_HEADER_BYTES))).toBe(false);
    expect(failures).toHaveLength(1);
  });
});
