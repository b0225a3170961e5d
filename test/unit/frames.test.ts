import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { BODY_BYTES_MAX } from '../../src/shared/frame-limits.js';
import { ProtocolError } from '../../src/shared/errors.js';
import {
  decodeHeader,
  encodeFrame,
  encodeHeader,
  FRAME_HEADER_BYTES,
  FrameReader,
  FrameType,
  type Frame,
  type FrameName,
} from '../../src/shared/wire/frames.js';
import { decodeMessage, encodeMessage, type Message } from '../../src/shared/wire/messages.js';
import { releaseUnusedMemory } from '../../src/cli/unused-memory.js';
import { examples } from './message-examples.js';

const frameNames = Object.keys(FrameType) as FrameName[];
const types = new Set<number>(Object.values(FrameType));

/** A header written by hand, whose check is right for an empty body. */
function header(type: number, flags: number, reserved: number, bodyBytes: number): Buffer {
  const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
  bytes.writeUInt8(type, 0);
  bytes.writeUInt8(flags, 1);
  bytes.writeUInt16BE(reserved, 2);
  bytes.writeUInt32BE(bodyBytes, 4);
  bytes.writeUInt32BE(crc32(bytes.subarray(0, 8)), 8);
  return bytes;
}

const messages: readonly Message[] = [
  examples.PING[0],
  examples.FAREWELL[0],
  examples.CANCEL[0],
  examples.RESUMED[0],
  examples.PONG[0],
];
const stream = Buffer.concat(messages.flatMap((message) => encodeMessage(message)));

/** Frames as values, so that those of two readings compare whatever buffers they lie in. */
function valuesOf(frames: readonly Frame[]): unknown[] {
  return frames.map(({ header: { name, flags, bodyBytes }, body }) => [
    name,
    flags,
    bodyBytes,
    body.toString('hex'),
  ]);
}

const whole = valuesOf(new FrameReader().consume(stream));

describe('a header', () => {
  it.each(frameNames)('of %s reads back as it was written', (name) => {
    for (const flags of [0, 1, 255]) {
      expect(decodeHeader(encodeHeader(name, 7, flags, []))).toMatchObject({ name, flags, bodyBytes: 7 });
    }
    expect(encodeHeader(name, 7, 1, [])).toEqual(header(FrameType[name], 1, 0, 7));
  });

  it('is read at the offset that it is at', () => {
    const bytes = Buffer.concat([Buffer.alloc(5, 0xff), encodeHeader('PING', 9, 0, [])]);
    expect(decodeHeader(bytes, 5)).toMatchObject({ name: 'PING', flags: 0, bodyBytes: 9 });
  });

  it('is refused for each type that is none, zero first', () => {
    for (let type = 0; type < 256; type++) {
      if (types.has(type)) continue;
      expect(() => decodeHeader(header(type, 0, 0, 0)), `type ${type}`).toThrow(ProtocolError);
    }
    expect(types.has(0)).toBe(false);
  });

  it('is refused for each reserved bit', () => {
    for (let bit = 0; bit < 16; bit++) {
      expect(() => decodeHeader(header(FrameType.PING, 0, 1 << bit, 0)), `bit ${bit}`).toThrow(ProtocolError);
    }
  });

  it.each(frameNames)('of %s is refused for a body over its limit', (name) => {
    for (const bodyBytes of [BODY_BYTES_MAX[name] + 1, 2 ** 31, 2 ** 32 - 1]) {
      expect(() => decodeHeader(header(FrameType[name], 0, 0, bodyBytes))).toThrow(ProtocolError);
      expect(() => encodeHeader(name, bodyBytes, 0, [])).toThrow('over its limit');
    }
  });

  it('is never written for a body that the peer would refuse', () => {
    for (const name of frameNames) {
      for (let bodyBytes = 1; bodyBytes < 2 ** 32; bodyBytes = bodyBytes * 2 + 1) {
        const bytes = header(FrameType[name], 0, 0, bodyBytes);
        if (throws(() => decodeHeader(bytes))) expect(() => encodeHeader(name, bodyBytes, 0, [])).toThrow();
        else expect(encodeHeader(name, bodyBytes, 0, [])).toEqual(bytes);
      }
    }
  });
});

describe('the check of a frame', () => {
  const parts = [Buffer.from('one'), Buffer.alloc(0), Buffer.from(' two')];

  it('is the CRC-32 of the header before it and of the body', () => {
    const frame = Buffer.concat(encodeFrame('CANCEL', parts, 3));
    const own = frame.subarray(0, 8);
    expect(frame.readUInt32BE(8)).toBe(crc32(Buffer.concat([own, Buffer.from('one two')])));
    expect(frame.toString('latin1', FRAME_HEADER_BYTES)).toBe('one two');
  });

  it('does not mind how the body was cut into parts', () => {
    const frame = Buffer.concat(encodeFrame('CANCEL', parts));
    expect(Buffer.concat(encodeFrame('CANCEL', [Buffer.concat(parts)]))).toEqual(frame);
  });

  it('finds every bit that was flipped: no frame with one is ever answered', () => {
    const frame = Buffer.concat(encodeMessage({ name: 'CANCEL', code: 'CANCELLED', reason: 'no' }));
    for (let bit = 0; bit < frame.length * 8; bit++) {
      const damaged = Buffer.from(frame);
      damaged[bit >>> 3]! ^= 1 << (bit & 7);
      const reader = new FrameReader();
      let frames: Frame[] = [];
      try {
        frames = reader.consume(damaged);
      } catch (error) {
        expect(error, `bit ${bit}`).toBeInstanceOf(ProtocolError);
      }
      expect(frames, `bit ${bit}`).toEqual([]);
    }
  });
});

describe('a frame reader', () => {
  it('finds all frames of a stream that comes at once', () => {
    expect(whole).toHaveLength(messages.length);
    const names = new FrameReader().consume(stream).map((frame) => decodeMessage(frame).name);
    expect(names).toEqual(messages.map(({ name }) => name));
  });

  it('finds the same frames wherever the stream is cut in two', () => {
    for (let cut = 0; cut <= stream.length; cut++) {
      const reader = new FrameReader();
      const frames = [...reader.consume(stream.subarray(0, cut)), ...reader.consume(stream.subarray(cut))];
      expect(valuesOf(frames), `cut at byte ${cut}`).toEqual(whole);
      expect(reader.pendingBytes).toBe(0);
    }
  });

  it('finds the same frames in chunks of every small size', () => {
    for (let chunkBytes = 1; chunkBytes <= 2 * FRAME_HEADER_BYTES + 1; chunkBytes++) {
      const reader = new FrameReader();
      const frames: Frame[] = [];
      for (let at = 0; at < stream.length; at += chunkBytes) {
        frames.push(...reader.consume(stream.subarray(at, at + chunkBytes)));
      }
      expect(valuesOf(frames), `chunks of ${chunkBytes}`).toEqual(whole);
    }
  });

  it('answers a frame with its last byte and not before', () => {
    const reader = new FrameReader();
    const ping = Buffer.concat(encodeMessage({ name: 'PING', sentAt: 1 }));
    for (let at = 0; at < ping.length - 1; at++) {
      expect(reader.consume(ping.subarray(at, at + 1))).toEqual([]);
      expect(reader.pendingBytes).toBe(at + 1);
    }
    expect(reader.consume(ping.subarray(-1))).toHaveLength(1);
    expect(reader.pendingBytes).toBe(0);
  });

  it('answers a body that stays as it was while later chunks come', () => {
    const reader = new FrameReader();
    const [first] = reader.consume(stream.subarray(0, 40));
    const before = first?.body.toString('hex');
    expect(before).toBeDefined();
    reader.consume(stream.subarray(40));
    expect(first?.body.toString('hex')).toBe(before);
  });

  it('holds what has come of a frame and no more, however small the pieces are that it came in', () => {
    const frame = Buffer.concat(encodeFrame('AUDITED', [Buffer.alloc(BODY_BYTES_MAX.AUDITED)]));
    const reader = new FrameReader();
    releaseUnusedMemory();
    const before = process.memoryUsage().heapUsed;
    // Each its own memory, as those are that a socket reads.
    for (const byte of frame.subarray(0, -1)) reader.consume(Buffer.from(Uint8Array.of(byte).buffer));
    releaseUnusedMemory();
    expect(reader.pendingBytes).toBe(frame.length - 1);
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(8 << 20);
  });

  it.each([
    ['type 0', header(0, 0, 0, 4)],
    ['an unknown type', header(255, 0, 0, 4)],
    ['reserved bits', header(FrameType.PING, 0, 0x8000, 4)],
    ['a PING of 65 bytes', header(FrameType.PING, 0, 0, 65)],
    ['a HAND_OVER of 4 GiB', header(FrameType.HAND_OVER, 0, 0, 2 ** 32 - 1)],
  ])('refuses %s with the last byte of the header, before any of the body', (_, bytes) => {
    const reader = new FrameReader();
    expect(reader.consume(bytes.subarray(0, FRAME_HEADER_BYTES - 1))).toEqual([]);
    expect(() => reader.consume(bytes.subarray(-1))).toThrow(ProtocolError);
  });

  it('refuses a bad header behind a good frame', () => {
    const good = Buffer.concat(encodeMessage({ name: 'FAREWELL' }));
    expect(() => new FrameReader().consume(Buffer.concat([good, header(0, 0, 0, 0)]))).toThrow(ProtocolError);
  });
});

function throws(act: () => unknown): boolean {
  try {
    act();
    return false;
  } catch {
    return true;
  }
}

describe('a connection that expects some frames', () => {
  it('takes those, and refuses another by its header alone', () => {
    const ping = Buffer.concat(encodeFrame('PING', [Buffer.alloc(3)]));
    expect(new FrameReader(['PING', 'PONG']).consume(ping)).toHaveLength(1);
    const reader = new FrameReader(['PONG']);
    expect(() => reader.consume(ping.subarray(0, FRAME_HEADER_BYTES))).toThrow(
      'a PING frame does not belong on this connection',
    );
  });
});
