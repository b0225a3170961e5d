import fc from 'fast-check';
import { GATEWAY_FRAMES, SERVICE_FRAMES } from '../../src/shared/wire/stream-frames.js';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/shared/errors.js';
import { encodeBody } from '../../src/shared/wire/fields.js';
import { DURATION_MS_MAX } from '../../src/shared/units.js';
import { decodeHeader, FrameReader, FrameType, type FrameName } from '../../src/shared/wire/frames.js';
import { decodeMessage, encodeMessage, type MessageName } from '../../src/shared/wire/messages.js';
import { bodyOf, decode, decodeFields, fieldsOf, isRefused, plain } from './message-bodies.js';
import { examples, messageNames } from './message-examples.js';

/** msgpack of a map with one entry more, whose key and value are given as bytes. */
function withEntry(name: MessageName, key: string, value: readonly number[]): Buffer {
  const packed = encodeBody(fieldsOf(examples[name][0]));
  const entries = packed[0]! & 0x0f;
  expect(packed[0]! & 0xf0).toBe(0x80);
  return Buffer.concat([
    Buffer.of(0x80 | (entries + 1)),
    packed.subarray(1),
    Buffer.of(0xa0 | key.length),
    Buffer.from(key),
    Buffer.from(value),
  ]);
}

/** Frames that are none: those of page and fault connections. */
const rawFrames = [
  ...['PAGES', 'ROUND_END', 'ROUND_PLACED', 'HASHES', 'PAGE_WANTED', 'PAGE_SENT'],
  ...['ANNOUNCEMENT', 'ANNOUNCED', 'HAND_OVER', 'TAKEN_OVER'],
  'REGIONS',
  'BITMAP_CHUNK',
  ...GATEWAY_FRAMES,
  ...SERVICE_FRAMES,
] as readonly FrameName[];

describe('the table of messages', () => {
  it('has an example of every frame type that is a message', () => {
    const expected = Object.keys(FrameType).filter(
      (name) => !(rawFrames as readonly string[]).includes(name),
    );
    expect(messageNames.toSorted()).toEqual(expected.toSorted());
  });

  it.each([...new Set(rawFrames)])('does not hold %s: it is refused on a connection of messages', (name) => {
    expect(() => decode(name, Buffer.of(0x80))).toThrow(ProtocolError);
  });
});

describe.each(messageNames)('%s', (name) => {
  const [example] = examples[name];

  it('comes back as it was sent', () => {
    for (const message of examples[name]) {
      const bytes = Buffer.concat(encodeMessage(message));
      const { header, body } = new FrameReader().consume(bytes)[0]!;
      expect(header).toEqual(decodeHeader(bytes));
      const back = decodeMessage({ header, body });
      expect(plain(back)).toEqual(plain(message));
    }
  });

  it('is refused with any flag', () => {
    for (const flags of [1, 128, 255])
      expect(() => decode(name, bodyOf(example), flags)).toThrow(ProtocolError);
  });

  it('is refused when its body is cut at any byte', () => {
    const body = encodeBody(fieldsOf(example));
    for (let length = 0; length < body.length; length++) {
      expect(() => decode(name, body.subarray(0, length)), `cut at byte ${length}`).toThrow(ProtocolError);
    }
  });

  it('is refused when bytes follow its body', () => {
    const packed = encodeBody(fieldsOf(example));
    for (const more of [[0], [0x80], [0xc1], [0xff, 0xff]]) {
      const body = Buffer.concat([packed, Buffer.from(more)]);
      expect(() => decode(name, body)).toThrow(ProtocolError);
    }
  });

  it('is refused with a field that is unknown', () => {
    const fields = fieldsOf(example);
    for (const unknown of ['surprise', 'toString', 'constructor', 'name', 'x'.repeat(200)]) {
      expect(() => decodeFields(name, { ...fields, [unknown]: 1 }), unknown).toThrow(/unknown/);
    }
  });

  it('is refused without any one of its fields', () => {
    const fields = fieldsOf(example);
    for (const missing of Object.keys(fields)) {
      const rest = Object.fromEntries(Object.entries(fields).filter(([field]) => field !== missing));
      expect(() => decodeFields(name, rest), missing).toThrow(`"${name}.${missing}" is missing`);
    }
  });

  it('is refused with a field of another type', () => {
    const fields = fieldsOf(example);
    for (const field of Object.keys(fields)) {
      for (const wrong of [
        null,
        { nope: 1 },
        [[null]],
        -1.5,
        -(2 ** 40),
        NaN,
        -Infinity,
        'no such word'.repeat(999),
      ]) {
        expect(() => decodeFields(name, { ...fields, [field]: wrong }), field).toThrow(ProtocolError);
      }
      if (typeof fields[field] !== 'boolean')
        expect(() => decodeFields(name, { ...fields, [field]: true }), field).toThrow(ProtocolError);
      if (typeof fields[field] === 'number')
        expect(() => decodeFields(name, { ...fields, [field]: Infinity }), field).toThrow(ProtocolError);
    }
  });

  it('is refused with a list that is too long or holds something else', () => {
    const fields = fieldsOf(example);
    for (const [field, list] of Object.entries(fields)) {
      if (!Array.isArray(list)) continue;
      const item: unknown = list[0];
      expect(() => decodeFields(name, { ...fields, [field]: Array(5000).fill(item) })).toThrow(ProtocolError);
      for (const wrong of [null, {}, NaN, -1]) {
        expect(() => decodeFields(name, { ...fields, [field]: [...(list as unknown[]), wrong] })).toThrow(
          ProtocolError,
        );
      }
    }
  });

  it('cannot set a prototype', () => {
    // fixmap of one entry: { polluted: 1 }
    const evil = [0x81, 0xa8, ...Buffer.from('polluted'), 1];
    expect(() => decode(name, withEntry(name, '__proto__', evil))).toThrow(ProtocolError);
    expect(({} as Record<string, unknown>)['polluted']).toBeUndefined();
  });

  it('is refused when its body is another value than a map', () => {
    for (const value of [
      [0xc0],
      [0xc3],
      [7],
      [0x90],
      [0xa1, 65],
      [0xc4, 1, 0],
      [0xc1],
      [0xd4, 1, 1],
      [0xcb],
    ]) {
      expect(isRefused(name, Buffer.from(value)), String(value)).toBe(true);
    }
  });

  it('is refused when it is nested ever deeper', () => {
    for (const [opening, depth] of [
      [[0x91], 15_000],
      [[0x81, 0xa1, 0x61], 5000],
      [[0x81, 0x91], 7500],
      [[0xdc, 0, 1], 5000],
    ] as const) {
      const nested = Buffer.concat([
        ...Array.from({ length: depth }, () => Buffer.from(opening)),
        Buffer.of(0x80),
      ]);
      expect(isRefused(name, nested)).toBe(true);
    }
  });

  it('is refused when it announces more than comes', () => {
    for (const type of [0xdd, 0xdf, 0xdb, 0xc6, 0xc9]) {
      for (const length of [0xffff_ffff, 0x8000_0000, 0x01ff_ffff, 2]) {
        const announced = Buffer.alloc(5);
        announced[0] = type;
        announced.writeUInt32BE(length, 1);
        for (const packed of [announced, Buffer.concat([Buffer.of(0x81, 0xa1, 0x61), announced])]) {
          expect(isRefused(name, packed)).toBe(true);
        }
      }
    }
  });

  it('meets random bytes with ProtocolError and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 200 }), (bytes) => {
        isRefused(name, Buffer.from(bytes));
      }),
      { numRuns: 300 },
    );
  });

  it('meets a body with bytes changed with ProtocolError, or as a message that can be sent again', () => {
    const body = bodyOf(example);
    const changes = fc.array(fc.tuple(fc.nat({ max: body.length - 1 }), fc.nat({ max: 255 })), {
      minLength: 1,
      maxLength: 4,
    });
    fc.assert(
      fc.property(changes, (places) => {
        const changed = Buffer.from(body);
        for (const [at, byte] of places) changed[at] = byte;
        if (isRefused(name, changed)) return;
        const message = decode(name, changed);
        expect(plain(decode(name, bodyOf(message)))).toEqual(plain(message));
      }),
      { numRuns: 500 },
    );
  });

  it('meets any value in any field with ProtocolError and nothing else', () => {
    const fields = fieldsOf(example);
    const values = fc.anything({ maxDepth: 3, withBigInt: false });
    fc.assert(
      fc.property(fc.constantFrom(...Object.keys(fields), 'stray'), values, (field, value) => {
        let packed: Buffer;
        try {
          packed = encodeBody({ ...fields, [field]: value });
        } catch {
          return; // Not everything can be sent.
        }
        isRefused(name, packed);
      }),
      { numRuns: 300 },
    );
  });
});

describe('the time until an audit', () => {
  it.each([DURATION_MS_MAX + 1, 2 ** 60, Number.MAX_VALUE])(
    'is refused beyond a year: %d ms',
    (auditAfterMs) => {
      const fields = fieldsOf(examples.PREPARE[0]);
      expect(() => decodeFields('PREPARE', { ...fields, auditAfterMs })).toThrow(/auditAfterMs/);
    },
  );
});
