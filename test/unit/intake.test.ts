// Where the bytes of a connection are written while its readers, and the connections themselves, take each other's place.
import { describe, expect, it } from 'vitest';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { ProtocolError } from '../../src/shared/errors.js';
import { FirstFrame } from '../../src/shared/wire/first-frame.js';
import { encodeFrame, FRAME_HEADER_BYTES, type Frame } from '../../src/shared/wire/frames.js';
import { Intake } from '../../src/shared/wire/intake.js';
import { REGION_HEAD_BYTES } from '../../src/shared/wire/page-frames.js';
import { allPages, feed, guestOf, isSame, receiverOver, regionsOf, write } from './page-fixtures.js';

// What node:net does with a stream that is read in place: it asks for a buffer when the dial begins and after each read.
class FakeStream {
  readonly #intake: Intake;
  #buffer: Uint8Array;

  constructor(intake: Intake) {
    this.#intake = intake;
    this.#buffer = intake.target;
  }

  deliver(bytes: Uint8Array): void {
    for (let at = 0; at < bytes.length;) {
      const length = Math.min(this.#buffer.length, bytes.length - at);
      this.#buffer.set(bytes.subarray(at, at + length));
      this.#intake.wrote(length, this.#buffer);
      at += length;
      this.#buffer = this.#intake.target;
    }
  }
}

const welcome = Buffer.concat(encodeFrame('WELCOME', [Buffer.alloc(40, 0xee)]));

describe('what comes first on a connection that is read in place', () => {
  it('never lands in guest memory, whatever the connection before it was reading when it was dialled', () => {
    const source = guestOf(3);
    for (const page of [0, 1, 2]) write(source, page, 1);
    const destination = guestOf(3);
    const { receiver } = receiverOver(destination);
    const region = regionsOf(source, allPages(3), 0);
    // The old connection is in the middle of a page when the new one is dialled.
    feed(receiver, region.subarray(0, FRAME_HEADER_BYTES + REGION_HEAD_BYTES + PAGE_BYTES + 100));
    const intake = new Intake();
    const stream = new FakeStream(intake);
    const before = Buffer.from(destination.segments[0]!.bytes);
    receiver.reset();
    const frames: Frame[] = [];
    intake.switchTo(
      new FirstFrame(['WELCOME'], (frame) => {
        frames.push(frame);
        intake.switchTo(receiver);
      }),
    );
    for (const byte of welcome) stream.deliver(Uint8Array.of(byte));
    expect(frames.map(({ header }) => header.name)).toEqual(['WELCOME']);
    expect(Buffer.compare(before, Buffer.from(destination.segments[0]!.bytes))).toBe(0);
    stream.deliver(region);
    expect(isSame(source, destination)).toBe(true);
  });
});

describe('the first frame of a stream', () => {
  it.each([1, 5, 11, 12, 13, 40, 1000])(
    'is read to its last byte and no further, in pieces of %i bytes',
    (pieceBytes) => {
      const rest: Buffer[] = [];
      const intake = new Intake();
      const first: Frame[] = [];
      intake.switchTo(
        new FirstFrame(['WELCOME'], (frame) => {
          first.push(frame);
          intake.switchTo({ take: (chunk) => rest.push(Buffer.from(chunk)) });
        }),
      );
      const stream = Buffer.concat([welcome, Buffer.from('whatever follows')]);
      for (let at = 0; at < stream.length; at += pieceBytes)
        intake.take(stream.subarray(at, at + pieceBytes));
      expect(first.map(({ body }) => body)).toEqual([Buffer.alloc(40, 0xee)]);
      expect(Buffer.concat(rest).toString()).toBe('whatever follows');
    },
  );

  it('may have no body', () => {
    const first: Frame[] = [];
    const intake = new Intake();
    intake.switchTo(new FirstFrame(['FAREWELL'], (frame) => first.push(frame)));
    intake.take(Buffer.concat(encodeFrame('FAREWELL', [])));
    expect(first).toHaveLength(1);
  });

  it.each([
    ['another frame than those expected', Buffer.concat(encodeFrame('PING', [Buffer.alloc(4)]))],
    ['noise', Buffer.alloc(FRAME_HEADER_BYTES)],
    ['a damaged one', Buffer.from(welcome).fill(1, welcome.length - 1)],
  ])('is refused when it is %s', (_, bytes) => {
    const intake = new Intake();
    intake.switchTo(new FirstFrame(['WELCOME'], () => undefined));
    expect(() => {
      intake.take(bytes);
    }).toThrow(ProtocolError);
  });
});
