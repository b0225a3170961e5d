import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/shared/errors.js';
import { encodeFrame, FrameReader, type FrameName } from '../../src/shared/wire/frames.js';
import { decodeMessage } from '../../src/shared/wire/messages.js';

function decode(name: FrameName, body: Buffer): void {
  for (const frame of new FrameReader().consume(Buffer.concat(encodeFrame(name, [body]))))
    decodeMessage(frame);
}

describe('a hostile message body', () => {
  it('is refused before nested lists that announce the rest of it are allocated', () => {
    const packed = Buffer.alloc(300_000);
    for (let at = 0; at + 5 <= packed.length; at += 5) {
      packed[at] = 0xdd;
      packed.writeUInt32BE(packed.length - at - 5, at + 1);
    }
    expect(() => {
      decode('AUDITED', packed);
    }).toThrow(ProtocolError);
  });

  const key = Buffer.concat([Buffer.of(0xa6), Buffer.from('sentAt')]);
  it.each([
    ['a __proto__ key', [Buffer.of(0x82), key, Buffer.of(1, 0xa9), Buffer.from('__proto__'), Buffer.of(5)]],
    ['a list as key', [Buffer.of(0x81, 0x91), key, Buffer.of(1)]],
    ['a key twice', [Buffer.of(0x82), key, Buffer.of(1), key, Buffer.of(2)]],
    ['a number in a longer form than it needs', [Buffer.of(0x81), key, Buffer.of(0xcd, 0, 1)]],
  ])('is refused with %s', (_what, parts) => {
    expect(() => {
      decode('PING', Buffer.concat(parts));
    }).toThrow(ProtocolError);
  });
});
