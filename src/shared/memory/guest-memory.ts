// The only door through which a guest (and its devices) touches memory: loads and stores that mind the page table.
// Hot path: one plain byte load and one branch; see docs/memory-model.md for why that is enough.
import type { GuestMemory } from './guest-memory-contract.js';
import type { MemoryViews } from './layout.js';
import { createPageDoor, type PageEvents } from './page-door.js';
import { PAGE_SHIFT, PageState, type PageNumber } from './pages.js';
import { RegionDirectory } from './regions.js';
import { createSegmentedMemory } from './segmented-memory.js';

/** Whoever writes a guest, or calls one, needs its type alone. */
export type { GuestMemory };

/**
 * The door to `views` for one vCPU. A closure and not a class: V8 then folds the typed arrays into the compiled
 * slice as constants, which halves the cost of a store (npm run bench, "store path").
 */
export function createGuestMemory(views: MemoryViews, events: PageEvents): GuestMemory {
  const { regions } = views;
  return regions instanceof RegionDirectory
    ? createSegmentedMemory(views, regions, events)
    : createMemoryInOnePiece(views, events);
}

function createMemoryInOnePiece(views: MemoryViews, events: PageEvents): GuestMemory {
  const { memoryBytes, pageCount, pageTable } = views;
  const { buffer, pagesOffset, bytes } = views.segments[0]!;
  const halves = new Uint16Array(buffer, pagesOffset, memoryBytes >>> 1);
  const words = new Int32Array(buffer, pagesOffset, memoryBytes >>> 2);
  const longs = new BigInt64Array(buffer, pagesOffset, memoryBytes / 8);
  const doubles = new Float64Array(buffer, pagesOffset, memoryBytes / 8);
  const { fire, settle, checkWord, checkRange } = createPageDoor(views, events);

  // Off the fast path: OUTSIDE, a page that is not quite here, or a misaligned word.
  function slowLoad(gpa: number, width: number): void {
    checkWord(gpa, width);
    settle(gpa >>> PAGE_SHIFT);
  }

  function slowStore(gpa: number, width: number): void {
    checkWord(gpa, width);
    const page = gpa >>> PAGE_SHIFT;
    settle(page);
    if (pageTable[page] === PageState.TRACED) fire(page);
  }

  // All pages of a block are checked first and moved after; a grace period cannot end in between, because the
  // slice does not. Where a check had to wait for a page, all are checked again: a waiting vCPU counts as being in
  // no slice, so nothing that it had checked before may still count.
  function prepareLoads(gpa: number, byteCount: number): void {
    checkRange(gpa, byteCount);
    const [first, last] = pagesOf(gpa, byteCount);
    for (let page = first; page <= last; page++) {
      if (pageTable[page]! > PageState.TRACED && settle(page)) page = first - 1;
    }
  }

  function prepareStores(gpa: number, byteCount: number): void {
    checkRange(gpa, byteCount);
    const [first, last] = pagesOf(gpa, byteCount);
    for (let page = first; page <= last; page++) {
      if (pageTable[page] === PageState.PRESENT) continue;
      if (settle(page)) page = first - 1;
      else if (pageTable[page] === PageState.TRACED) fire(page);
    }
  }

  // A load goes ahead on PRESENT (0) and TRACED (1): bit 0 is masked out. `| (gpa & n)` tests alignment for free.
  return {
    memoryBytes,
    pageCount,
    load8(gpa) {
      if ((pageTable[gpa >>> 12]! & 0xfe) !== 0) slowLoad(gpa, 1);
      return bytes[gpa]!;
    },
    load16(gpa) {
      if (((pageTable[gpa >>> 12]! & 0xfe) | (gpa & 1)) !== 0) slowLoad(gpa, 2);
      return halves[gpa >>> 1]!;
    },
    load32(gpa) {
      if (((pageTable[gpa >>> 12]! & 0xfe) | (gpa & 3)) !== 0) slowLoad(gpa, 4);
      return words[gpa >>> 2]!;
    },
    load64(gpa) {
      if (((pageTable[gpa >>> 12]! & 0xfe) | (gpa & 7)) !== 0) slowLoad(gpa, 8);
      return longs[gpa >>> 3]!;
    },
    loadF64(gpa) {
      if (((pageTable[gpa >>> 12]! & 0xfe) | (gpa & 7)) !== 0) slowLoad(gpa, 8);
      return doubles[gpa >>> 3]!;
    },
    store8(gpa, value) {
      if (pageTable[gpa >>> 12] !== 0) slowStore(gpa, 1);
      bytes[gpa] = value;
    },
    store16(gpa, value) {
      if ((pageTable[gpa >>> 12]! | (gpa & 1)) !== 0) slowStore(gpa, 2);
      halves[gpa >>> 1] = value;
    },
    store32(gpa, value) {
      if ((pageTable[gpa >>> 12]! | (gpa & 3)) !== 0) slowStore(gpa, 4);
      words[gpa >>> 2] = value;
    },
    store64(gpa, value) {
      if ((pageTable[gpa >>> 12]! | (gpa & 7)) !== 0) slowStore(gpa, 8);
      longs[gpa >>> 3] = value;
    },
    storeF64(gpa, value) {
      if ((pageTable[gpa >>> 12]! | (gpa & 7)) !== 0) slowStore(gpa, 8);
      doubles[gpa >>> 3] = value;
    },
    atomicLoad32(gpa) {
      if (((pageTable[gpa >>> 12]! & 0xfe) | (gpa & 3)) !== 0) slowLoad(gpa, 4);
      return Atomics.load(words, gpa >>> 2);
    },
    atomicStore32(gpa, value) {
      if ((pageTable[gpa >>> 12]! | (gpa & 3)) !== 0) slowStore(gpa, 4);
      Atomics.store(words, gpa >>> 2, value);
    },
    atomicAdd32(gpa, delta) {
      if ((pageTable[gpa >>> 12]! | (gpa & 3)) !== 0) slowStore(gpa, 4);
      return Atomics.add(words, gpa >>> 2, delta);
    },
    atomicExchange32(gpa, value) {
      if ((pageTable[gpa >>> 12]! | (gpa & 3)) !== 0) slowStore(gpa, 4);
      return Atomics.exchange(words, gpa >>> 2, value);
    },
    atomicCompareExchange32(gpa, expected, value) {
      if ((pageTable[gpa >>> 12]! | (gpa & 3)) !== 0) slowStore(gpa, 4);
      return Atomics.compareExchange(words, gpa >>> 2, expected, value);
    },
    fill(gpa, byteCount, value) {
      prepareStores(gpa, byteCount);
      bytes.fill(value, gpa, gpa + byteCount);
    },
    move(toGpa, fromGpa, byteCount) {
      prepareLoads(fromGpa, byteCount);
      prepareStores(toGpa, byteCount);
      bytes.copyWithin(toGpa, fromGpa, fromGpa + byteCount);
    },
    read(gpa, target) {
      prepareLoads(gpa, target.byteLength);
      target.set(bytes.subarray(gpa, gpa + target.byteLength));
    },
    write(gpa, source) {
      prepareStores(gpa, source.byteLength);
      bytes.set(source, gpa);
    },
  };
}

// First and last page of a block; none (last before first) when it is empty.
function pagesOf(gpa: number, byteCount: number): [first: PageNumber, last: PageNumber] {
  const first = gpa >>> PAGE_SHIFT;
  return byteCount === 0 ? [first, first - 1] : [first, (gpa + byteCount - 1) >>> PAGE_SHIFT];
}
