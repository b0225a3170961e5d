// Frames of a stream that is read in place: the same as frames.ts finds, wherever the stream is cut.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/shared/errors.js';
import { encodeFrame, FRAME_HEADER_BYTES, FrameReader, type Frame } from '../../src/shared/wire/frames.js';
import type { PlacedReads } from '../../src/shared/wire/intake.js';
import { PlacedFrameReader } from '../../src/shared/wire/placed-frames.js';

const CLEAR = new Uint8Array(1 << 16);
const EXPECTED = ['PAGE_SENT', 'ANNOUNCEMENT', 'HAND_OVER', 'BITMAP_CHUNK'] as const;

const valueOf = ({ header, body }: Frame): unknown => [header.name, header.bodyBytes, body.toString('hex')];

/** A reader, and the values of the frames that it has handed out: a body is valid only until then. */
function readerOver(bodyBytesMax = Infinity): { reader: PlacedFrameReader; frames: unknown[] } {
  const frames: unknown[] = [];
  const reader = new PlacedFrameReader({
    expected: EXPECTED,
    bodyBytesMax,
    known: { name: 'BITMAP_CHUNK', body: CLEAR },
    take: (frame) => frames.push(valueOf(frame)),
  });
  return { reader, frames };
}

/** As the kernel does: no more than the target takes, and `bytesMax` at a time. */
function feed(reader: PlacedReads, bytes: Uint8Array, bytesMax = Infinity): void {
  for (let at = 0; at < bytes.length;) {
    const { target } = reader;
    expect(target.length).toBeGreaterThan(0);
    const byteCount = Math.min(target.length, bytes.length - at, bytesMax);
    target.set(bytes.subarray(at, at + byteCount));
    reader.advance(byteCount);
    at += byteCount;
  }
}

const frameOf = (name: (typeof EXPECTED)[number], body: Uint8Array): Buffer =>
  Buffer.concat(encodeFrame(name, [body]));

const small = Buffer.concat([
  frameOf('PAGE_SENT', Buffer.alloc(4, 1)),
  frameOf('HAND_OVER', Buffer.alloc(0)),
  frameOf('ANNOUNCEMENT', Buffer.alloc(9, 2)),
]);
const smallFrames = new FrameReader().consume(small).map(valueOf);

describe('a reader of frames in place', () => {
  it('finds the same frames wherever the stream is cut in two', () => {
    for (let cut = 0; cut <= small.length; cut++) {
      const { reader, frames } = readerOver();
      feed(reader, small.subarray(0, cut));
      feed(reader, small.subarray(cut));
      expect(frames, `cut at byte ${cut}`).toEqual(smallFrames);
    }
  });

  it('finds the frames of any stream in reads of any size, shorter than its buffer or longer', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.tuple(fc.constantFrom(...EXPECTED.slice(0, 3)), fc.constantFrom(0, 1, 500, 70_000, 200_000)),
          {
            maxLength: 8,
          },
        ),
        fc.array(fc.integer({ min: 1, max: 150_000 }), { minLength: 1, maxLength: 5 }),
        (parts, sizes) => {
          const stream = Buffer.concat(
            parts.map(([name, length], index) =>
              frameOf(name, Buffer.alloc(name === 'PAGE_SENT' ? length % 4096 : length, index + 1)),
            ),
          );
          const { reader, frames } = readerOver();
          for (let at = 0, turn = 0; at < stream.length; turn++) {
            const size = sizes[turn % sizes.length]!;
            feed(reader, stream.subarray(at, at + size));
            at += size;
          }
          expect(frames).toEqual(new FrameReader().consume(stream).map(valueOf));
        },
      ),
      { numRuns: 60 },
    );
  });

  it('knows a body that comes often by comparing it, and refuses one that only says that it is it', () => {
    const known = frameOf('BITMAP_CHUNK', CLEAR);
    const { reader, frames } = readerOver();
    feed(reader, Buffer.concat([known, small, known]), 7000);
    expect(frames).toHaveLength(2 + smallFrames.length);
    for (const at of [FRAME_HEADER_BYTES, known.length - 1, 1, 8]) {
      const damaged = Buffer.from(known);
      damaged[at]! ^= 1;
      expect(() => {
        feed(readerOver().reader, damaged);
      }, `byte ${at}`).toThrow(ProtocolError);
    }
  });

  it('refuses with the last byte of the header what does not belong there, or is too long', () => {
    const refused = [frameOf('HAND_OVER', Buffer.alloc(101)), Buffer.concat(encodeFrame('PING', []))];
    for (const bytes of refused) {
      const { reader, frames } = readerOver(100);
      feed(reader, bytes.subarray(0, FRAME_HEADER_BYTES - 1));
      expect(() => {
        feed(reader, bytes.subarray(FRAME_HEADER_BYTES - 1, FRAME_HEADER_BYTES));
      }).toThrow(ProtocolError);
      expect(frames).toEqual([]);
    }
  });

  it('hands out no frame with a bit that was flipped', () => {
    const frame = frameOf('ANNOUNCEMENT', Buffer.alloc(9, 2));
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const damaged = Buffer.from(frame);
      damaged[bit >>> 3]! ^= 1 << (bit & 7);
      const { reader, frames } = readerOver();
      try {
        feed(reader, damaged);
      } catch (error) {
        expect(error, `bit ${bit}`).toBeInstanceOf(ProtocolError);
      }
      expect(frames, `bit ${bit}`).toEqual([]);
    }
  });
});
