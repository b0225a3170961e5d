import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/shared/errors.js';
import { decodeFields, fieldsOf } from './message-bodies.js';
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
