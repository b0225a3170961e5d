import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/shared/errors.js';
import { bodyOf, decode, decodeFields, fieldsOf, plain } from './message-bodies.js';
import { examples } from './message-examples.js';

describe('a nested map', () => {
  const [{ guest }] = examples.PREPARE;
  const prepare = fieldsOf(examples.PREPARE[0]);

  it('is accepted as it is', () => {
    expect(decodeFields('PREPARE', prepare)).toMatchObject({ guest });
  });

  it('is checked as its message is', () => {
    const without = Object.fromEntries(Object.entries(guest).filter(([field]) => field !== 'seed'));
    for (const wrong of [
      without,
      { ...guest, more: 1 },
      { ...guest, vcpus: 0 },
      { ...guest, vcpus: 1.5 },
      [guest],
    ]) {
      expect(() => decodeFields('PREPARE', { ...prepare, guest: wrong })).toThrow(ProtocolError);
    }
  });

  it('may hold an endless rate and no rate that is not a number', () => {
    const flatOut = decodeFields('PREPARE', { ...prepare, guest: { ...guest, writeRate: Infinity } });
    expect(flatOut).toMatchObject({ guest: { writeRate: Infinity } });
    for (const writeRate of [NaN, -1, -Infinity, '1']) {
      expect(() => decodeFields('PREPARE', { ...prepare, guest: { ...guest, writeRate } })).toThrow(
        ProtocolError,
      );
    }
  });
});

describe('the head of HAND_OVER', () => {
  const [example] = examples.HAND_OVER;

  it('is followed by a bitmap of any bytes, which are the bitmap and nothing else', () => {
    for (const bitmap of [[], [0], [0x80, 0x80], Array<number>(5000).fill(0xc1)].map((bytes) =>
      Uint8Array.from(bytes),
    )) {
      const back = decode('HAND_OVER', bodyOf({ ...example, bitmap }));
      expect(plain(back)).toEqual(plain({ ...example, bitmap }));
    }
  });

  it('is refused when it ends past its body', () => {
    const body = bodyOf({ ...example, bitmap: new Uint8Array(0) });
    for (const headBytes of [body.length - 3, body.length, 2 ** 31, 2 ** 32 - 1, 0]) {
      const changed = Buffer.from(body);
      changed.writeUInt32BE(headBytes);
      expect(() => decode('HAND_OVER', changed), String(headBytes)).toThrow(ProtocolError);
    }
  });

  it('keeps every bit of a register', () => {
    const registers = [new Float64Array([NaN, -0, Infinity, 5e-324, Number.MAX_VALUE, 0.1])];
    const back = decode('HAND_OVER', bodyOf({ ...example, registers }));
    expect(plain(back)).toEqual(plain({ ...example, registers }));
  });

  it('is refused when a register is cut', () => {
    for (const register of [Buffer.alloc(7), Buffer.alloc(33 * 8)]) {
      const head = { ...fieldsOf(example), registers: [register] };
      expect(() => decodeFields('HAND_OVER', head)).toThrow(ProtocolError);
    }
  });
});
