import { describe, expect, it } from 'vitest';
import { createGuestMemory, type GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { GuestMemoryError } from '../../src/shared/memory/page-door.js';
import { allocateMemory, viewMemory, type MemoryViews } from '../../src/shared/memory/layout.js';
import { PAGE_BYTES, PageState, REGION_PAGES } from '../../src/shared/memory/pages.js';

const { PRESENT, TRACED, ARRIVED, ABSENT } = PageState;

/** A guest, the pages that were fired in order of their number, and the pages that were waited for in order of time. */
function guestOf(pageCount: number, onWait: (views: MemoryViews, page: number) => void = arrive) {
  const views = viewMemory(allocateMemory(pageCount * PAGE_BYTES));
  const waits: number[] = [];
  const events = {
    pageFires: 0,
    waitForPage: (page: number) => {
      waits.push(page);
      onWait(views, page);
    },
  };
  const memory = createGuestMemory(views, events);
  const states = (): number[] => [...views.pageTable.subarray(0, pageCount)];
  return { views, memory, events, waits, states };
}

function arrive({ pageTable }: MemoryViews, page: number): void {
  pageTable[page] = ARRIVED;
}

/** Each block operation as a store to `[gpa, gpa + byteCount)`. */
const blockStores: readonly [
  name: string,
  run: (memory: GuestMemory, gpa: number, byteCount: number) => void,
][] = [
  [
    'fill',
    (memory, gpa, byteCount) => {
      memory.fill(gpa, byteCount, 7);
    },
  ],
  [
    'move',
    (memory, gpa, byteCount) => {
      memory.move(gpa, 0, byteCount);
    },
  ],
  [
    'write',
    (memory, gpa, byteCount) => {
      memory.write(gpa, new Uint8Array(Math.max(0, byteCount)).fill(7));
    },
  ],
];

/** Each block operation as a load of `[gpa, gpa + byteCount)`. */
const blockLoads: typeof blockStores = [
  [
    'move',
    (memory, gpa, byteCount) => {
      memory.move(0, gpa, byteCount);
    },
  ],
  [
    'read',
    (memory, gpa, byteCount) => {
      memory.read(gpa, new Uint8Array(Math.max(0, byteCount)));
    },
  ],
];

describe.each(blockStores)('%s, as a store', (_, run) => {
  it('fires every traced page that it touches, each once, and no other', () => {
    const { views, memory, events, states } = guestOf(6);
    views.pageTable.fill(TRACED, 2, 6);
    run(memory, 3 * PAGE_BYTES - 1, PAGE_BYTES + 2);
    expect(states().slice(2)).toEqual([PRESENT, PRESENT, PRESENT, TRACED]);
    expect([events.pageFires, views.summary[0]]).toEqual([3, 1]);
  });

  it('touches exactly the pages of its bytes where they end with a page', () => {
    const { views, memory, states } = guestOf(5);
    views.pageTable.fill(TRACED, 1, 5);
    run(memory, 2 * PAGE_BYTES, PAGE_BYTES);
    expect(states().slice(1)).toEqual([TRACED, PRESENT, TRACED, TRACED]);
  });

  it('marks each region that it touches', () => {
    const { views, memory, events } = guestOf(2 * REGION_PAGES + 2);
    views.pageTable.fill(TRACED, REGION_PAGES, 2 * REGION_PAGES + 2);
    run(memory, 2 * REGION_PAGES * PAGE_BYTES - 1, 2);
    expect([...views.summary.subarray(0, 4)]).toEqual([0, 1, 1, 0]);
    expect(events.pageFires).toBe(2);
  });

  it('checks all pages again after it had to wait: what was traced meanwhile fires again', () => {
    const { views, memory, events, waits, states } = guestOf(6, ({ pageTable }, page) => {
      // While this vCPU waits it is in no slice: a grace period ends, and the tracer takes what it had fired.
      expect(pageTable[2]).toBe(PRESENT);
      pageTable[2] = TRACED;
      pageTable[page] = ARRIVED;
    });
    views.pageTable.set([PRESENT, PRESENT, TRACED, TRACED, ABSENT, TRACED]);
    run(memory, 2 * PAGE_BYTES, 2 * PAGE_BYTES + 1);
    expect(waits).toEqual([4]);
    expect(states()).toEqual([PRESENT, PRESENT, PRESENT, PRESENT, ARRIVED, TRACED]);
    expect(events.pageFires).toBe(3);
  });

  it('waits for each absent page before it writes a byte', () => {
    const { views, memory, waits } = guestOf(6, (its, page) => {
      expect(its.segments[0]!.bytes.subarray(2 * PAGE_BYTES).every((byte) => byte === 0)).toBe(true);
      arrive(its, page);
    });
    memory.fill(0, 2 * PAGE_BYTES, 7);
    views.pageTable.fill(ABSENT, 2, 6);
    run(memory, 3 * PAGE_BYTES, 2 * PAGE_BYTES);
    expect(waits).toEqual([3, 4]);
    expect(
      views.segments[0]!.bytes.subarray(3 * PAGE_BYTES, 5 * PAGE_BYTES).every((byte) => byte === 7),
    ).toBe(true);
  });
});

describe.each(blockLoads)('%s, as a load', (_, run) => {
  it('never fires the pages that it reads', () => {
    const { views, memory, events, states } = guestOf(6);
    views.pageTable.fill(TRACED, 2, 6);
    run(memory, 3 * PAGE_BYTES - 1, PAGE_BYTES + 2);
    expect(states().slice(2)).toEqual([TRACED, TRACED, TRACED, TRACED]);
    expect(events.pageFires).toBe(0);
  });

  it('waits for each absent page, and again for one that is absent again', () => {
    let isFirst = true;
    const { views, memory, waits } = guestOf(6, (its, page) => {
      arrive(its, page);
      if (page === 4 && isFirst) {
        isFirst = false;
        its.pageTable[3] = ABSENT;
      }
    });
    views.pageTable.fill(ABSENT, 2, 6);
    run(memory, 3 * PAGE_BYTES, 2 * PAGE_BYTES);
    expect(waits).toEqual([3, 4, 3]);
  });
});

describe.each([...blockStores, ...blockLoads])('%s', (_, run) => {
  it('does nothing with no bytes, at the very end too', () => {
    const { views, memory, events, waits } = guestOf(3);
    views.pageTable.fill(ABSENT, 0, 3);
    for (const gpa of [0, PAGE_BYTES, 3 * PAGE_BYTES]) run(memory, gpa, 0);
    expect([events.pageFires, waits]).toEqual([0, []]);
  });

  it('is refused outside of the guest before it touches a page', () => {
    const { views, memory, events, states } = guestOf(3);
    views.pageTable.fill(TRACED, 0, 3);
    const end = 3 * PAGE_BYTES;
    for (const [gpa, byteCount] of [
      [end - 1, 2],
      [end, 1],
      [-1, 1],
      [-1, 2],
      [0, end + 1],
      [2 ** 32, 1],
      [NaN, 1],
    ] as const) {
      expect(() => {
        run(memory, gpa, byteCount);
      }, `${gpa} + ${byteCount}`).toThrow(GuestMemoryError);
    }
    expect(events.pageFires).toBe(0);
    expect(states()).toEqual([TRACED, TRACED, TRACED]);
  });
});

describe('a block', () => {
  it.each(['fill', 'move'] as const)('of fewer than no bytes is refused by %s', (name) => {
    const { memory } = guestOf(1);
    const run = new Map(blockStores).get(name)!;
    for (const byteCount of [-1, -4096, NaN]) {
      expect(() => {
        run(memory, 100, byteCount);
      }, String(byteCount)).toThrow(GuestMemoryError);
    }
  });

  it('moves onto itself and over itself as if by way of a copy', () => {
    const { memory } = guestOf(3);
    memory.write(PAGE_BYTES - 4, Uint8Array.of(1, 2, 3, 4, 5, 6, 7, 8));
    memory.move(PAGE_BYTES - 2, PAGE_BYTES - 4, 8);
    const after = new Uint8Array(10);
    memory.read(PAGE_BYTES - 4, after);
    expect([...after]).toEqual([1, 2, 1, 2, 3, 4, 5, 6, 7, 8]);
    memory.move(PAGE_BYTES - 4, PAGE_BYTES - 2, 8);
    memory.read(PAGE_BYTES - 4, after);
    expect([...after]).toEqual([1, 2, 3, 4, 5, 6, 7, 8, 7, 8]);
  });
});
