// Memory that is kept for guests, on its real thread: what one guest left, the next does not see.
import { afterEach, describe, expect, it } from 'vitest';
import { MemoryReserve } from '../../src/destination/memory/reserve.js';
import { allocateMemory, occupiedBytes, viewMemory } from '../../src/shared/memory/layout.js';
import { PAGE_BYTES, PageState } from '../../src/shared/memory/pages.js';

const RESERVED_BYTES = 8 << 20;
const nothing = (): void => undefined;
const reserves: MemoryReserve[] = [];

afterEach(async () => {
  for (const reserve of reserves.splice(0)) await reserve.close();
});

async function touchedReserve(): Promise<MemoryReserve> {
  return new Promise((resolve, reject) => {
    const reserve = new MemoryReserve(RESERVED_BYTES, Infinity, {
      touched: () => {
        resolve(reserve);
      },
      failed: reject,
    });
    reserves.push(reserve);
  });
}

describe('a reserve', () => {
  it.each([
    ['smaller', RESERVED_BYTES / 2 + PAGE_BYTES, RESERVED_BYTES / 2],
    ['larger', RESERVED_BYTES / 2, RESERVED_BYTES],
    ['equal', RESERVED_BYTES, RESERVED_BYTES],
  ])('gives a %s guest nothing of the one before it', async (_, bytesBefore, bytes) => {
    const reserve = await touchedReserve();
    const before = reserve.take(bytesBefore)!;
    // Pages, page table, summary and bitmaps, and whatever else may lie beside them.
    occupiedBytes(before).fill(0xa5);
    reserve.giveBack(before);
    await reserve.settled();
    const next = reserve.take(bytes)!;
    const { pageTable, pageCount } = viewMemory(next);
    expect(pageTable.subarray(0, pageCount).every((state) => state === PageState.PRESENT)).toBe(true);
    expect(pageTable.subarray(pageCount).every((state) => state === PageState.OUTSIDE)).toBe(true);
    const beforeTable = Buffer.from(new Uint8Array(next.memory.buffer, 0, pageTable.byteOffset));
    const pastTable = Buffer.from(
      new Uint8Array(next.memory.buffer, pageTable.byteOffset + pageTable.byteLength),
    );
    for (const rest of [beforeTable, pastTable]) expect(rest.equals(Buffer.alloc(rest.length))).toBe(true);
  });

  it('is for one guest at a time, and for the next when it is given back', async () => {
    const reserve = await touchedReserve();
    const first = reserve.take(PAGE_BYTES)!;
    expect(reserve.holds(first)).toBe(true);
    expect(reserve.take(PAGE_BYTES)).toBeUndefined();
    expect(reserve.forNextGuest).toBeUndefined();
    // Memory of a guest's own is not the reserve's.
    reserve.giveBack(allocateMemory(PAGE_BYTES));
    expect(reserve.take(PAGE_BYTES)).toBeUndefined();
    reserve.giveBack(first);
    // While it is being cleared it is nobody's.
    expect(reserve.take(PAGE_BYTES)).toBeUndefined();
    await reserve.settled();
    expect(reserve.take(PAGE_BYTES)).toBeDefined();
  });

  it('has nothing for a guest that is larger, and says what it has', async () => {
    const reserve = await touchedReserve();
    expect(reserve.take(RESERVED_BYTES + PAGE_BYTES)).toBeUndefined();
    expect(reserve.forNextGuest).toEqual({ bytes: RESERVED_BYTES, untouchedBytes: 0 });
  });

  it('changes nothing of a guest that has it while it is touched', async () => {
    let touched = nothing;
    const isTouched = new Promise<void>((resolve) => (touched = resolve));
    const reserve = new MemoryReserve(RESERVED_BYTES, Infinity, {
      touched: () => {
        touched();
      },
      failed: nothing,
    });
    reserves.push(reserve);
    const { bytes } = viewMemory(reserve.take(RESERVED_BYTES)!).segments[0]!;
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    const over = { isIt: false };
    void isTouched.then(() => (over.isIt = true));
    let value = 1;
    // Meanwhile each page's first word, which is the one that is touched, is written again and again.
    do {
      value++;
      for (let word = 0; word < words.length; word += PAGE_BYTES / 4) {
        words[word] = value;
        if (words[word] !== value) expect.fail(`a store to word ${word} was undone`);
      }
      await new Promise(setImmediate);
    } while (!over.isIt);
    for (let word = 0; word < words.length; word += PAGE_BYTES / 4) expect(words[word]).toBe(value);
  });

  it('is refused when the host has less, and says how much that is', () => {
    expect(
      () => new MemoryReserve(RESERVED_BYTES, RESERVED_BYTES - 1, { touched: nothing, failed: nothing }),
    ).toThrow(/--reserve 8\.00 MiB is more than this host has: 8\.00 MiB are available now/);
  });
});
