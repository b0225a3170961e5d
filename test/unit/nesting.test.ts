// How deep a body may nest and how much it may announce, byte by byte as msgpack has it.
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/shared/errors.js';
import { checkNesting } from '../../src/shared/wire/nesting.js';

/** One list of one item. */
const LIST_OF_ONE = 0x91;
const NIL = 0xc0;

const check = (...bytes: number[]) => {
  checkNesting(Buffer.from(bytes), 'TEST');
};
/** A list of `items` nils that announces `announced` of them. */
const listOf = (items: number, announced = items): Buffer =>
  Buffer.concat([Buffer.of(0xdc, announced >> 8, announced & 0xff), Buffer.alloc(items, NIL)]);

describe('a body', () => {
  it('may nest four deep and no deeper', () => {
    const nested = (depth: number): number[] => [...Array<number>(depth).fill(LIST_OF_ONE), NIL];
    check(...nested(4));
    expect(() => {
      check(...nested(5));
    }).toThrow(/nests too deep/);
  });

  it('may hold 4096 items in all, and no more', () => {
    checkNesting(listOf(4096), 'TEST');
    expect(() => {
      checkNesting(listOf(4097), 'TEST');
    }).toThrow(/announces 4097 items/);
  });

  it('is refused for what it announces and does not hold, before it is read on', () => {
    // Enough bytes for each item alone, and not for all.
    expect(() => {
      checkNesting(listOf(4, 5), 'TEST');
    }).toThrow(/announces 5 items/);
    expect(() => {
      check(0x93, NIL);
    }).toThrow(/announces 3 items/);
  });

  it.each([
    ['in a length', [0xdc, 0]],
    ['in a text', [0xa3, 65]],
    ['in bytes', [0xc4, 2, 1]],
    ['in a number', [0xcb, 0, 0]],
    ['before it begins', []],
  ])('is refused when it is cut %s', (_, bytes) => {
    expect(() => {
      check(...bytes);
    }).toThrow(ProtocolError);
  });
});
