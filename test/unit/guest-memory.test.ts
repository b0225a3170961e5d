import { describe, expect, it } from 'vitest';
import { createGuestMemory, type GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { GuestMemoryError } from '../../src/shared/memory/page-door.js';
import { allocateMemory, viewMemory, type MemoryViews } from '../../src/shared/memory/layout.js';
import { PAGE_BYTES, PageState, REGION_PAGES } from '../../src/shared/memory/pages.js';

const { PRESENT, TRACED, ARRIVED, ABSENT, PLACING, OUTSIDE } = PageState;

interface Guest {
  readonly views: MemoryViews;
  readonly memory: GuestMemory;
  readonly fires: () => number;
  /** Pages that were waited for, in order. */
  readonly waits: number[];
}

/** A guest of `pageCount` pages whose absent pages come when they are asked for. */
function guestOf(pageCount: number, onWait: (views: MemoryViews, page: number) => void = arrive): Guest {
  const views = viewMemory(allocateMemory(pageCount * PAGE_BYTES));
  const waits: number[] = [];
  const events = {
    pageFires: 0,
    waitForPage: (page: number) => {
      waits.push(page);
      onWait(views, page);
    },
  };
  return { views, memory: createGuestMemory(views, events), fires: () => events.pageFires, waits };
}

function arrive({ pageTable }: MemoryViews, page: number): void {
  pageTable[page] = ARRIVED;
}

/** Every operation on a word, with its width in bytes. */
const loads: readonly [name: string, width: number, run: (memory: GuestMemory, gpa: number) => unknown][] = [
  ['load8', 1, (memory, gpa) => memory.load8(gpa)],
  ['load16', 2, (memory, gpa) => memory.load16(gpa)],
  ['load32', 4, (memory, gpa) => memory.load32(gpa)],
  ['load64', 8, (memory, gpa) => memory.load64(gpa)],
  ['loadF64', 8, (memory, gpa) => memory.loadF64(gpa)],
  ['atomicLoad32', 4, (memory, gpa) => memory.atomicLoad32(gpa)],
];
const stores: typeof loads = [
  [
    'store8',
    1,
    (memory, gpa) => {
      memory.store8(gpa, 0x81);
    },
  ],
  [
    'store16',
    2,
    (memory, gpa) => {
      memory.store16(gpa, 0x8001);
    },
  ],
  [
    'store32',
    4,
    (memory, gpa) => {
      memory.store32(gpa, -2);
    },
  ],
  [
    'store64',
    8,
    (memory, gpa) => {
      memory.store64(gpa, -3n);
    },
  ],
  [
    'storeF64',
    8,
    (memory, gpa) => {
      memory.storeF64(gpa, 0.1);
    },
  ],
  [
    'atomicStore32',
    4,
    (memory, gpa) => {
      memory.atomicStore32(gpa, 5);
    },
  ],
  ['atomicAdd32', 4, (memory, gpa) => memory.atomicAdd32(gpa, 5)],
  ['atomicExchange32', 4, (memory, gpa) => memory.atomicExchange32(gpa, 5)],
  ['atomicCompareExchange32', 4, (memory, gpa) => memory.atomicCompareExchange32(gpa, 0, 5)],
];

describe.each([...loads, ...stores])('%s', (_, width, run) => {
  it('goes ahead up to the last word and is refused outside of the guest', () => {
    const { memory } = guestOf(3);
    run(memory, 0);
    run(memory, memory.memoryBytes - width);
    const outside = [memory.memoryBytes, memory.memoryBytes + 8, 2 ** 32 - 8, 2 ** 31, -8, -4096, -(2 ** 31)];
    for (const gpa of outside) expect(() => run(memory, gpa), String(gpa)).toThrow(GuestMemoryError);
  });

  it('is refused off its natural alignment, and leaves memory and page table alone', () => {
    const { memory, views, fires } = guestOf(1);
    views.pageTable[0] = TRACED;
    for (let gpa = 0; gpa < 2 * width; gpa++) {
      if (gpa % width !== 0) expect(() => run(memory, gpa), String(gpa)).toThrow(GuestMemoryError);
    }
    expect(views.segments[0]!.bytes.every((byte) => byte === 0)).toBe(true);
    expect([views.pageTable[0], views.summary[0], fires()]).toEqual([TRACED, 0, 0]);
  });

  it.each([ABSENT, PLACING])(
    'waits for a page in state %d and goes ahead once its bytes are there',
    (state) => {
      const { memory, views, waits } = guestOf(3, ({ pageTable, segments }, page) => {
        segments[0]!.bytes.fill(0xff, page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
        pageTable[page] = ARRIVED;
      });
      views.pageTable[1] = state;
      const there = guestOf(3);
      there.views.segments[0]!.bytes.fill(0xff, PAGE_BYTES, 2 * PAGE_BYTES);
      const gpa = 2 * PAGE_BYTES - width;
      expect(run(memory, gpa)).toEqual(run(there.memory, gpa));
      expect(waits).toEqual([1]);
      expect(Buffer.compare(views.segments[0]!.bytes, there.views.segments[0]!.bytes)).toBe(0);
      expect(views.pageTable[1]).toBe(ARRIVED);
    },
  );

  it('waits again when it is woken for nothing', () => {
    let wakings = 0;
    const { memory, views, waits } = guestOf(1, (its, page) => {
      if (++wakings === 2) its.pageTable[page] = PLACING;
      if (wakings === 4) arrive(its, page);
    });
    views.pageTable[0] = ABSENT;
    run(memory, 0);
    expect(waits).toEqual([0, 0, 0, 0]);
  });

  it('goes ahead on a page that arrived and neither fires nor waits', () => {
    const { memory, views, fires, waits } = guestOf(1);
    views.pageTable[0] = ARRIVED;
    run(memory, 0);
    expect([views.pageTable[0], views.summary[0], fires(), waits]).toEqual([ARRIVED, 0, 0, []]);
  });
});

describe.each(loads)('%s', (_, width, run) => {
  it('never fires', () => {
    const { memory, views, fires } = guestOf(2);
    views.pageTable.fill(TRACED, 0, 2);
    for (let gpa = 0; gpa < memory.memoryBytes; gpa += width) run(memory, gpa);
    expect([...views.pageTable.subarray(0, 2), views.summary[0], fires()]).toEqual([TRACED, TRACED, 0, 0]);
  });
});

describe.each(stores)('%s', (_, width, run) => {
  it('fires exactly once on a traced page and marks the page and its region', () => {
    const pageCount = 2 * REGION_PAGES + 1;
    const { memory, views, fires } = guestOf(pageCount);
    views.pageTable.fill(TRACED, 0, pageCount);
    for (const [page, region] of [
      [0, 0],
      [REGION_PAGES - 1, 0],
      [REGION_PAGES, 1],
      [2 * REGION_PAGES, 2],
    ] as const) {
      views.summary.fill(0);
      const before = fires();
      run(memory, (page + 1) * PAGE_BYTES - width);
      run(memory, page * PAGE_BYTES);
      expect(fires() - before).toBe(1);
      expect(views.pageTable[page]).toBe(PRESENT);
      expect([...views.summary.subarray(0, 4)]).toEqual([0, 1, 2, 3].map((one) => Number(one === region)));
    }
    expect(views.pageTable.subarray(0, pageCount).filter((state) => state === PRESENT)).toHaveLength(4);
    expect(views.pageTable[pageCount]).toBe(OUTSIDE);
  });

  it('fires after the wait when the page has been traced meanwhile', () => {
    const { memory, views, fires } = guestOf(1, ({ pageTable }, page) => {
      pageTable[page] = TRACED;
    });
    views.pageTable[0] = ABSENT;
    run(memory, 0);
    expect([views.pageTable[0], views.summary[0], fires()]).toEqual([PRESENT, 1, 1]);
  });
});

describe('an atomic operation that writes', () => {
  it('returns what was there before', () => {
    const { memory } = guestOf(1);
    memory.atomicStore32(4, -7);
    expect(memory.atomicAdd32(4, 10)).toBe(-7);
    expect(memory.atomicExchange32(4, 9)).toBe(3);
    expect(memory.atomicCompareExchange32(4, 8, 1)).toBe(9);
    expect(memory.atomicLoad32(4)).toBe(9);
    expect(memory.atomicCompareExchange32(4, 9, 1)).toBe(9);
    expect(memory.atomicLoad32(4)).toBe(1);
  });

  it('wraps around at 32 bits', () => {
    const { memory } = guestOf(1);
    memory.atomicStore32(0, 2 ** 31 - 1);
    expect(memory.atomicAdd32(0, 1)).toBe(2 ** 31 - 1);
    expect(memory.load32(0)).toBe(-(2 ** 31));
  });
});

describe('guest memory', () => {
  it('says how large it is', () => {
    const { memory } = guestOf(513);
    expect([memory.memoryBytes, memory.pageCount]).toEqual([513 * PAGE_BYTES, 513]);
  });
});
