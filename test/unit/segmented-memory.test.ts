// Guest memory in segments: what is an address and what is none, at every border that there is, and what an access
// leaves behind. Beside a plain map of bytes it is tried in segmented-memory-model.test.ts.
import { describe, expect, it } from 'vitest';
import type { GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { GuestMemoryError } from '../../src/shared/memory/page-door.js';
import { PAGE_BYTES, PageState, REGION_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { NoSlotError } from '../../src/shared/memory/regions.js';
import { SegmentedGuest } from '../support/segmented-guest.js';

const { PRESENT, TRACED, ABSENT } = PageState;
const GIB = 2 ** 30;

type Access = readonly [name: string, width: number, run: (memory: GuestMemory, gpa: number) => unknown];

const loads: readonly Access[] = [
  ['load8', 1, (memory, gpa) => memory.load8(gpa)],
  ['load16', 2, (memory, gpa) => memory.load16(gpa)],
  ['load32', 4, (memory, gpa) => memory.load32(gpa)],
  ['load64', 8, (memory, gpa) => memory.load64(gpa)],
  ['loadF64', 8, (memory, gpa) => memory.loadF64(gpa)],
  ['atomicLoad32', 4, (memory, gpa) => memory.atomicLoad32(gpa)],
];
function storing(name: string, width: number, run: (memory: GuestMemory, gpa: number) => unknown): Access {
  return [name, width, run];
}
const stores: readonly Access[] = [
  storing('store8', 1, (memory, gpa) => {
    memory.store8(gpa, 0x81);
  }),
  storing('store16', 2, (memory, gpa) => {
    memory.store16(gpa, 0x8001);
  }),
  storing('store32', 4, (memory, gpa) => {
    memory.store32(gpa, -2);
  }),
  storing('store64', 8, (memory, gpa) => {
    memory.store64(gpa, -3n);
  }),
  storing('storeF64', 8, (memory, gpa) => {
    memory.storeF64(gpa, 0.1);
  }),
  storing('atomicStore32', 4, (memory, gpa) => {
    memory.atomicStore32(gpa, 5);
  }),
  storing('atomicAdd32', 4, (memory, gpa) => memory.atomicAdd32(gpa, 5)),
  storing('atomicExchange32', 4, (memory, gpa) => memory.atomicExchange32(gpa, 5)),
  storing('atomicCompareExchange32', 4, (memory, gpa) => memory.atomicCompareExchange32(gpa, 0, 5)),
];

/** Sizes of address spaces: whole regions and not, and what is a number of 32 bits and what is none. */
const sizes = [
  4 * GIB,
  4 * GIB - REGION_BYTES + PAGE_BYTES,
  2 ** 40 + 5 * PAGE_BYTES,
  2 ** 44,
  2 ** 44 + REGION_BYTES - PAGE_BYTES,
] as const;

/** Nothing that a store could have written, and no slot that it could have made, is there. */
function expectUntouched({ regions, views, events }: SegmentedGuest, made: number): void {
  expect([regions.count, events.pageFires]).toEqual([regions.first + made, 0]);
  expect([...views.summary.subarray(regions.first + made)].every((mark) => mark === 0)).toBe(true);
}

function isZero(bytes: Uint8Array): boolean {
  return Buffer.compare(bytes, Buffer.alloc(bytes.length)) === 0;
}

describe.each([...loads, ...stores])('%s of a guest in segments', (name, width, run) => {
  it.each(sizes)('goes ahead at both ends of %d bytes, and is refused outside', (memoryBytes) => {
    const guest = new SegmentedGuest(memoryBytes, 6);
    const { memory } = guest;
    // Both ends have a slot: it is not for want of one that an address is refused.
    memory.store8(0, 1);
    memory.store8(memoryBytes - 1, 1);
    const outside = [
      memoryBytes,
      memoryBytes + PAGE_BYTES,
      Math.ceil(memoryBytes / REGION_BYTES) * REGION_BYTES - 8,
      Math.ceil(memoryBytes / REGION_BYTES) * REGION_BYTES,
      memoryBytes + 4 * GIB,
      2 ** 52 - 8,
      2 ** 52,
      2 ** 52 + 8,
      -8,
      -PAGE_BYTES,
      -REGION_BYTES,
      -REGION_BYTES - 8,
      -(2 ** 31),
      -(2 ** 32),
      -memoryBytes,
    ].filter((gpa) => gpa < 0 || gpa >= memoryBytes);
    for (const gpa of outside) expect(() => run(memory, gpa), `${name}(${gpa})`).toThrow(GuestMemoryError);
    expectUntouched(guest, 2);
    expect(memory.load8(0)).toBe(1);
    expect(isZero(guest.slotBytes(1).subarray(1))).toBe(true);
    expect(isZero(guest.slotBytes(0))).toBe(true);
    expect(isZero(guest.slotBytes(2).subarray(0, (memoryBytes - 1) % REGION_BYTES))).toBe(true);
    expect(isZero(guest.slotBytes(2).subarray(((memoryBytes - 1) % REGION_BYTES) + 1))).toBe(true);
    run(memory, 0);
    run(memory, memoryBytes - width);
  });

  it('is refused off its natural alignment, touched or not, and takes no slot', () => {
    const guest = new SegmentedGuest(2 ** 44, 6);
    guest.memory.store32(2 ** 33, 0);
    for (const from of [2 ** 33, 2 ** 40, 2 ** 31, 2 ** 44 - 16])
      for (let gpa = from; gpa < from + 2 * width; gpa++)
        if (gpa % width !== 0)
          expect(() => run(guest.memory, gpa), `${name}(${gpa})`).toThrow(GuestMemoryError);
    expectUntouched(guest, 1);
    expect(isZero(guest.slotBytes(1))).toBe(true);
  });
});

const interesting = [2 ** 31, 2 ** 32, 2 ** 40, 2 ** 44 - REGION_BYTES, 0] as const;
/** What [2^20, 2^31, 2^32] pages are in bytes, and one less and more. */
const pageBorders = [2 ** 20, 2 ** 31, 2 ** 32].flatMap((page) =>
  [page - 1, page, page + 1].map((one) => one * PAGE_BYTES),
);

describe('memory that nobody stored to', () => {
  it.each([...loads])('is zero and takes no slot: %s', (_, width, run) => {
    const guest = new SegmentedGuest(2 ** 45, 6);
    for (const gpa of [...interesting, ...pageBorders]) {
      expect(Number(run(guest.memory, gpa))).toBe(0);
      expect(Number(run(guest.memory, gpa + REGION_BYTES - width))).toBe(0);
    }
    expectUntouched(guest, 0);
    expect(guest.waits).toEqual([]);
  });

  it('is zero where a block is read, beside what was stored, and takes no slot', () => {
    const guest = new SegmentedGuest(2 ** 44, 6);
    const from = 2 ** 40 - 3;
    guest.memory.store8(2 ** 40, 7);
    const target = new Uint8Array(2 * REGION_BYTES).fill(9);
    guest.memory.read(from, target);
    expect(target[3]).toBe(7);
    target[3] = 0;
    expect(isZero(target)).toBe(true);
    expectUntouched(guest, 1);
  });

  it('takes no slot when it is moved from, and one when it is moved to, all of it', () => {
    const guest = new SegmentedGuest(2 ** 44, 6);
    guest.memory.fill(2 ** 32 - 2, 4, 0xff);
    guest.memory.move(2 ** 32 - 1, 2 ** 40, 2);
    expect([-2, -1, 0, 1].map((at) => guest.memory.load8(2 ** 32 + at))).toEqual([0xff, 0, 0, 0xff]);
    expectUntouched(guest, 2);
  });
});

describe('a block outside of the guest', () => {
  it.each(sizes)('of %d bytes is refused whole, and nothing of it is written', (memoryBytes) => {
    const guest = new SegmentedGuest(memoryBytes, 6);
    const { memory } = guest;
    memory.store8(memoryBytes - 1, 1);
    const two = new Uint8Array(2).fill(3);
    const wrong = [memoryBytes - 1, memoryBytes, -1, -2, -REGION_BYTES, NaN, 2 ** 52 - 1, 2 ** 53];
    for (const gpa of wrong) {
      expect(() => {
        memory.write(gpa, two);
      }, `write ${gpa}`).toThrow(GuestMemoryError);
      expect(() => {
        memory.read(gpa, two);
      }, `read ${gpa}`).toThrow(GuestMemoryError);
      expect(() => {
        memory.fill(gpa, 2, 3);
      }, `fill ${gpa}`).toThrow(GuestMemoryError);
      expect(() => {
        memory.move(gpa, 0, 2);
      }, `move to ${gpa}`).toThrow(GuestMemoryError);
      expect(() => {
        memory.move(0, gpa, 2);
      }, `move from ${gpa}`).toThrow(GuestMemoryError);
    }
    expect(() => {
      memory.fill(0, -1, 3);
    }).toThrow(GuestMemoryError);
    expect(() => {
      memory.fill(0, memoryBytes + 1, 3);
    }).toThrow(GuestMemoryError);
    expectUntouched(guest, 1);
    expect(memory.load8(memoryBytes - 1)).toBe(1);
    // Up to the end it goes ahead.
    memory.write(memoryBytes - 2, two);
    expect([memory.load8(memoryBytes - 2), memory.load8(memoryBytes - 1)]).toEqual([3, 3]);
  });

  it('of no bytes is nothing, wherever it lies, and takes no slot', () => {
    const guest = new SegmentedGuest(2 ** 44, 6);
    for (const gpa of [0, 2 ** 40, 2 ** 44]) {
      guest.memory.fill(gpa, 0, 1);
      guest.memory.write(gpa, new Uint8Array(0));
      guest.memory.read(gpa, new Uint8Array(0));
      guest.memory.move(gpa, 0, 0);
    }
    expectUntouched(guest, 0);
  });
});

describe('where one segment ends and the next begins', () => {
  // Slots 2047 and 2048, 4095 and 4096: a region each, side by side in the address space.
  function borderGuest(): SegmentedGuest {
    const guest = new SegmentedGuest(2 ** 44, 4100);
    const { regions } = guest;
    [2047, 2048, 4095, 4096, 4097].forEach((slot, at) => regions.place(slot, 2 ** 20 + at));
    return guest;
  }
  const from = 2 ** 20 * REGION_BYTES;

  it.each([...stores])('each region has its own bytes: %s', (_, width, run) => {
    const guest = borderGuest();
    for (let at = 0; at < 5; at++) {
      run(guest.memory, from + at * REGION_BYTES);
      run(guest.memory, from + (at + 1) * REGION_BYTES - width);
    }
    const [first, ...rest] = [2047, 2048, 4095, 4096, 4097].map((slot) => {
      const bytes = guest.slotBytes(slot);
      expect(isZero(bytes.subarray(width, -width))).toBe(true);
      return [...bytes.subarray(0, width), ...bytes.subarray(-width)];
    });
    expect(first!.some((byte) => byte !== 0)).toBe(true);
    for (const bytes of rest) expect(bytes).toEqual(first);
    expect(isZero(guest.slotBytes(1))).toBe(true);
    expect(isZero(guest.slotBytes(4098))).toBe(true);
  });

  it('a block that lies in all of them is one block', () => {
    const { memory } = borderGuest();
    const block = Uint8Array.from(
      { length: 3 * REGION_BYTES + 2 * PAGE_BYTES + 5 },
      (_, at) => (at * 7919) >>> 5,
    );
    const at = from + REGION_BYTES - PAGE_BYTES - 3;
    memory.write(at, block);
    const back = new Uint8Array(block.length);
    memory.read(at, back);
    expect(Buffer.compare(back, block)).toBe(0);
    // Over itself, in both directions.
    memory.move(at + 1000, at, block.length);
    memory.read(at + 1000, back);
    expect(Buffer.compare(back, block)).toBe(0);
    memory.move(at, at + 1000, block.length);
    memory.read(at, back);
    expect(Buffer.compare(back, block)).toBe(0);
  });
});

describe('a region that is stored to first', () => {
  it('is one of the pages that fire when it is traced, and not before', () => {
    const guest = new SegmentedGuest(2 ** 44, 6);
    guest.memory.store8(2 ** 40, 1);
    expect(guest.events.pageFires).toBe(0);
    guest.views.pageTable[guest.frameAt(2 ** 40)] = TRACED;
    guest.views.summary.fill(0);
    guest.memory.store8(2 ** 40 + 1, 1);
    expect([guest.events.pageFires, guest.views.summary[1]]).toEqual([1, 1]);
    expect(guest.views.pageTable[guest.frameAt(2 ** 40)]).toBe(PRESENT);
  });

  it('throws where there is no slot left, and what has one goes on', () => {
    const guest = new SegmentedGuest(2 ** 44, 3);
    guest.memory.store8(0, 1);
    guest.memory.store8(2 ** 40, 2);
    expect(() => {
      guest.memory.store8(2 ** 41, 3);
    }).toThrow(NoSlotError);
    expect(() => {
      guest.memory.fill(REGION_BYTES - 1, 2, 3);
    }).toThrow(NoSlotError);
    // The part that has a slot was not written either.
    expect([guest.memory.load8(REGION_BYTES - 1), guest.memory.load8(2 ** 41)]).toEqual([0, 0]);
    guest.memory.store8(2 ** 40 + 1, 4);
    expect([guest.memory.load8(0), guest.memory.load16(2 ** 40)]).toEqual([1, 0x0402]);
  });

  it('of a block has room for all of it before a page of it is looked at', () => {
    const guest = new SegmentedGuest(2 ** 44, 40);
    for (let region = 0; region < 14; region++) guest.memory.store8(region * REGION_BYTES, 1);
    const at = 14 * REGION_BYTES;
    guest.memory.store8(at, 1);
    const last = guest.frameAt(at) + REGION_PAGES - 1;
    guest.views.pageTable[last] = TRACED;
    // While it waits for room, slot 16, a harvest takes the page that it would have checked by then.
    let firesAtWait = -1;
    guest.events.awaitRoom = () => {
      firesAtWait = guest.events.pageFires;
    };
    guest.memory.fill(at + REGION_BYTES - 8, 16, 5);
    expect([firesAtWait, guest.events.pageFires]).toEqual([0, 1]);
    expect(guest.regions.slotOf(15)).toBe(16);
  });

  it('elsewhere: its pages are waited for, by their frames', () => {
    const guest = new SegmentedGuest(2 ** 44, 3000);
    guest.regions.place(2500, 2 ** 19);
    const frame = 2500 * REGION_PAGES;
    guest.views.pageTable.fill(ABSENT, frame, frame + REGION_PAGES);
    expect(guest.memory.load8(2 ** 40 + 5 * PAGE_BYTES)).toBe(0);
    guest.memory.store64(2 ** 40 + 8, 1n);
    guest.memory.fill(2 ** 40 + 3 * PAGE_BYTES - 1, 2, 1);
    expect(guest.waits).toEqual([frame + 5, frame, frame + 2, frame + 3]);
  });
});
