// Guest memory of a guest in segments, as one vCPU sees it: an address is looked up by its region before its page.
// Hot path: two plain loads and a branch; see docs/memory-model.md for why that is enough.
import type { GuestMemory } from './guest-memory.js';
import type { MemoryViews } from './layout.js';
import { createPageDoor, type PageEvents } from './page-door.js';
import { PAGE_BYTES, PAGE_SHIFT, PageState, REGION_BYTES, REGION_PAGE_SHIFT } from './pages.js';
import { SlotMaker, type RegionDirectory } from './regions.js';
import { pageBytes, SEGMENT_SLOTS } from './segments.js';

/** A region's share of a byte: multiplied, and not divided by REGION_BYTES, because that is what V8 makes of it. */
const REGION_SHARE = 1 / REGION_BYTES;
const SLOT_MASK = SEGMENT_SLOTS - 1;
const PAGE_MASK = REGION_BYTES / PAGE_BYTES - 1;

// Of a gpa, a double, `gpa | 0` are the low 32 bits, and with them what lies within its region. A region that has no slot,
// or is none, is looked up as slot 0, whose pages are OUTSIDE: nobody has to check for it.
export function createSegmentedMemory(
  views: MemoryViews,
  regions: RegionDirectory,
  events: PageEvents,
): GuestMemory {
  const { memoryBytes, pageTable, segments } = views;
  // From the 0 on that lies before the first region's: an address right below 0 is looked up there, and not as region 0.
  const directory = new Int32Array(regions.words.directory.buffer);
  const { fire, settle, checkWord, checkRange } = createPageDoor(views, events);
  const maker = new SlotMaker(regions, (bytes) => events.awaitRoom?.(bytes));
  const bytes = segments.map(({ buffer }) => new Uint8Array(buffer));
  const halves = segments.map(({ buffer }) => new Uint16Array(buffer));
  const words = segments.map(({ buffer }) => new Int32Array(buffer));
  const longs = segments.map(({ buffer }) => new BigInt64Array(buffer));
  const doubles = segments.map(({ buffer }) => new Float64Array(buffer));
  // The first segments as constants: V8 knows then where they lie, and a lookup in an array costs as much as a store.
  const [bytes0, bytes1] = firstTwo(bytes);
  const [halves0, halves1] = firstTwo(halves);
  const [words0, words1] = firstTwo(words);
  const [longs0, longs1] = firstTwo(longs);
  const [doubles0, doubles1] = firstTwo(doubles);

  const bytesAt = (slot: number): Uint8Array =>
    slot < SEGMENT_SLOTS ? bytes0 : slot < 2 * SEGMENT_SLOTS ? bytes1 : bytes[slot >>> 11]!;
  const halvesAt = (slot: number): Uint16Array =>
    slot < SEGMENT_SLOTS ? halves0 : slot < 2 * SEGMENT_SLOTS ? halves1 : halves[slot >>> 11]!;
  const wordsAt = (slot: number): Int32Array =>
    slot < SEGMENT_SLOTS ? words0 : slot < 2 * SEGMENT_SLOTS ? words1 : words[slot >>> 11]!;
  const longsAt = (slot: number): BigInt64Array =>
    slot < SEGMENT_SLOTS ? longs0 : slot < 2 * SEGMENT_SLOTS ? longs1 : longs[slot >>> 11]!;
  const doublesAt = (slot: number): Float64Array =>
    slot < SEGMENT_SLOTS ? doubles0 : slot < 2 * SEGMENT_SLOTS ? doubles1 : doubles[slot >>> 11]!;

  // Off the fast path: a region that was never touched, a page that is not quite here, no address, a misaligned word.
  // Answers the slot to load from: that of nobody, which is zero, while the region has none.
  function slowLoad(gpa: number, width: number): number {
    checkWord(gpa, width);
    const slot = regions.slotOf(Math.floor(gpa * REGION_SHARE));
    if (slot !== 0) settle(pageIn(slot, gpa));
    return slot;
  }

  function slowStore(gpa: number, width: number): number {
    checkWord(gpa, width);
    const slot = maker.slotFor(Math.floor(gpa * REGION_SHARE));
    const page = pageIn(slot, gpa);
    settle(page);
    if (pageTable[page] === PageState.TRACED) fire(page);
    return slot;
  }

  // As for a guest in one piece all pages of a block are checked before it is moved, and all again after a wait.
  function prepareLoads(gpa: number, byteCount: number): void {
    checkRange(gpa, byteCount);
    for (let at = gpa; at < gpa + byteCount; at = pageEnd(at)) {
      const slot = regions.slotOf(Math.floor(at * REGION_SHARE));
      if (slot !== 0 && settle(pageIn(slot, at))) at = gpa - PAGE_BYTES;
    }
  }

  function prepareStores(gpa: number, byteCount: number): void {
    checkRange(gpa, byteCount);
    // A wait for room counts as being in no slice, as one for a page does: no page is checked before the last of them.
    for (let at = gpa; at < gpa + byteCount; at = regionEnd(at)) maker.slotFor(Math.floor(at * REGION_SHARE));
    for (let at = gpa; at < gpa + byteCount; at = pageEnd(at)) {
      const page = pageIn(regions.slotOf(Math.floor(at * REGION_SHARE)), at);
      if (pageTable[page] === PageState.PRESENT) continue;
      if (settle(page)) at = gpa - PAGE_BYTES;
      else if (pageTable[page] === PageState.TRACED) fire(page);
    }
  }

  // Of a block the part that lies in one region, piece by piece; what was never stored to is the zero slot's.
  function forEachPiece(gpa: number, byteCount: number, take: (piece: Uint8Array, at: number) => void): void {
    const end = gpa + byteCount;
    for (let at = gpa; at < end; at = regionEnd(at)) {
      const region = Math.floor(at * REGION_SHARE);
      const first = regions.slotOf(region) << REGION_PAGE_SHIFT;
      const from = at - region * REGION_BYTES;
      const pastLast = Math.min(end, regionEnd(at)) - region * REGION_BYTES;
      take(pageBytes(views, first, first + PAGE_MASK + 1).subarray(from, pastLast), at - gpa);
    }
  }

  function read(gpa: number, target: Uint8Array): void {
    prepareLoads(gpa, target.byteLength);
    forEachPiece(gpa, target.byteLength, (piece, at) => {
      target.set(piece, at);
    });
  }

  function write(gpa: number, source: Uint8Array): void {
    prepareStores(gpa, source.byteLength);
    forEachPiece(gpa, source.byteLength, (piece, at) => {
      piece.set(source.subarray(at, at + piece.length));
    });
  }

  return {
    memoryBytes,
    pageCount: memoryBytes / PAGE_BYTES,
    load8(gpa) {
      const low = gpa | 0;
      let slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
      if ((pageTable[(slot << 9) | ((low >>> 12) & 511)]! & 0xfe) !== 0) slot = slowLoad(gpa, 1);
      return bytesAt(slot)[(((slot & SLOT_MASK) << 21) | (low & 0x1fffff)) >>> 0]!;
    },
    load16(gpa) {
      const low = gpa | 0;
      let slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
      if (((pageTable[(slot << 9) | ((low >>> 12) & 511)]! & 0xfe) | (low & 1)) !== 0)
        slot = slowLoad(gpa, 2);
      return halvesAt(slot)[((slot & SLOT_MASK) << 20) | ((low >>> 1) & 0xfffff)]!;
    },
    load32(gpa) {
      const low = gpa | 0;
      let slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
      if (((pageTable[(slot << 9) | ((low >>> 12) & 511)]! & 0xfe) | (low & 3)) !== 0)
        slot = slowLoad(gpa, 4);
      return wordsAt(slot)[((slot & SLOT_MASK) << 19) | ((low >>> 2) & 0x7ffff)]!;
    },
    load64(gpa) {
      const low = gpa | 0;
      let slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
      if (((pageTable[(slot << 9) | ((low >>> 12) & 511)]! & 0xfe) | (low & 7)) !== 0)
        slot = slowLoad(gpa, 8);
      return longsAt(slot)[((slot & SLOT_MASK) << 18) | ((low >>> 3) & 0x3ffff)]!;
    },
    loadF64(gpa) {
      const low = gpa | 0;
      let slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
      if (((pageTable[(slot << 9) | ((low >>> 12) & 511)]! & 0xfe) | (low & 7)) !== 0)
        slot = slowLoad(gpa, 8);
      return doublesAt(slot)[((slot & SLOT_MASK) << 18) | ((low >>> 3) & 0x3ffff)]!;
    },
    store8(gpa, value) {
      const low = gpa | 0;
      let slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
      if (pageTable[(slot << 9) | ((low >>> 12) & 511)] !== 0) slot = slowStore(gpa, 1);
      bytesAt(slot)[(((slot & SLOT_MASK) << 21) | (low & 0x1fffff)) >>> 0] = value;
    },
    store16(gpa, value) {
      const low = gpa | 0;
      let slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
      if ((pageTable[(slot << 9) | ((low >>> 12) & 511)]! | (low & 1)) !== 0) slot = slowStore(gpa, 2);
      halvesAt(slot)[((slot & SLOT_MASK) << 20) | ((low >>> 1) & 0xfffff)] = value;
    },
    store32(gpa, value) {
      const low = gpa | 0;
      let slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
      if ((pageTable[(slot << 9) | ((low >>> 12) & 511)]! | (low & 3)) !== 0) slot = slowStore(gpa, 4);
      wordsAt(slot)[((slot & SLOT_MASK) << 19) | ((low >>> 2) & 0x7ffff)] = value;
    },
    store64(gpa, value) {
      const low = gpa | 0;
      let slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
      if ((pageTable[(slot << 9) | ((low >>> 12) & 511)]! | (low & 7)) !== 0) slot = slowStore(gpa, 8);
      longsAt(slot)[((slot & SLOT_MASK) << 18) | ((low >>> 3) & 0x3ffff)] = value;
    },
    storeF64(gpa, value) {
      const low = gpa | 0;
      let slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
      if ((pageTable[(slot << 9) | ((low >>> 12) & 511)]! | (low & 7)) !== 0) slot = slowStore(gpa, 8);
      doublesAt(slot)[((slot & SLOT_MASK) << 18) | ((low >>> 3) & 0x3ffff)] = value;
    },
    ...atomicsOf({ directory, pageTable, wordsAt, slowLoad, slowStore }),
    fill(gpa, byteCount, value) {
      prepareStores(gpa, byteCount);
      forEachPiece(gpa, byteCount, (piece) => {
        piece.fill(value);
      });
    },
    // Through a copy: the ranges may overlap, and each may lie in several regions.
    move(toGpa, fromGpa, byteCount) {
      const moved = new Uint8Array(byteCount);
      read(fromGpa, moved);
      write(toGpa, moved);
    },
    read,
    write,
  };
}

function atomicsOf({
  directory,
  pageTable,
  wordsAt,
  slowLoad,
  slowStore,
}: {
  readonly directory: Int32Array;
  readonly pageTable: Uint8Array;
  readonly wordsAt: (slot: number) => Int32Array;
  readonly slowLoad: (gpa: number, width: number) => number;
  readonly slowStore: (gpa: number, width: number) => number;
}): Pick<
  GuestMemory,
  'atomicLoad32' | 'atomicStore32' | 'atomicAdd32' | 'atomicExchange32' | 'atomicCompareExchange32'
> {
  function slotToStore(gpa: number): number {
    const low = gpa | 0;
    const slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
    const state = pageTable[(slot << 9) | ((low >>> 12) & 511)]!;
    return (state | (low & 3)) === 0 ? slot : slowStore(gpa, 4);
  }
  const indexIn = (slot: number, gpa: number): number =>
    ((slot & SLOT_MASK) << 19) | (((gpa | 0) >>> 2) & 0x7ffff);

  return {
    atomicLoad32(gpa) {
      const low = gpa | 0;
      let slot = directory[(gpa * REGION_SHARE + 1) | 0]! | 0;
      if (((pageTable[(slot << 9) | ((low >>> 12) & 511)]! & 0xfe) | (low & 3)) !== 0)
        slot = slowLoad(gpa, 4);
      return Atomics.load(wordsAt(slot), indexIn(slot, gpa));
    },
    atomicStore32(gpa, value) {
      const slot = slotToStore(gpa);
      Atomics.store(wordsAt(slot), indexIn(slot, gpa), value);
    },
    atomicAdd32(gpa, delta) {
      const slot = slotToStore(gpa);
      return Atomics.add(wordsAt(slot), indexIn(slot, gpa), delta);
    },
    atomicExchange32(gpa, value) {
      const slot = slotToStore(gpa);
      return Atomics.exchange(wordsAt(slot), indexIn(slot, gpa), value);
    },
    atomicCompareExchange32(gpa, expected, value) {
      const slot = slotToStore(gpa);
      return Atomics.compareExchange(wordsAt(slot), indexIn(slot, gpa), expected, value);
    },
  };
}

function firstTwo<T>(all: readonly T[]): [T, T] {
  return [all[0]!, all[1] ?? all[0]!];
}

/** The page of `gpa`, whose region lies at `slot`. */
export function pageIn(slot: number, gpa: number): number {
  return (slot << REGION_PAGE_SHIFT) | (((gpa | 0) >>> PAGE_SHIFT) & PAGE_MASK);
}

/** Where the page or the region of an address ends. */
function pageEnd(gpa: number): number {
  return (Math.floor(gpa / PAGE_BYTES) + 1) * PAGE_BYTES;
}

function regionEnd(gpa: number): number {
  return (Math.floor(gpa * REGION_SHARE) + 1) * REGION_BYTES;
}
