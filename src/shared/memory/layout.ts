// Where guest memory, page table, region summary and bitmaps lie in the shared buffers of a guest: all in one, or the
// tables in one and the pages in segments. Knows typed arrays only; who may write which word and in what order is
// docs/memory-model.md.
import { FAULT_WORDS } from './fault-words.js';
import { pageKernelsOf, type PageKernels } from './page-kernels.js';
import { PAGE_BYTES, PageState, REGION_BYTES, REGION_PAGES } from './pages.js';
import { RegionDirectory, regionsInOnePiece, type Regions } from './regions.js';
import { VCPUS_MAX } from './safepoint-words.js';
import { reserveSegments, viewSegment, type Segment, type Segmented } from './segments.js';

/** The page table of a guest in one piece has an entry for each page of 4 GiB: a gpa needs no bounds check of its own. */
const PAGE_TABLE_BYTES = 1 << 20;
const PAGES_OFFSET = 2 << 20;

const WASM_PAGE_BYTES = 65536;
const ALIGNMENT = 4096;

/** The largest guest in one piece: its memory and what lies beside it share one buffer of at most 4 GiB. */
export const PIECE_BYTES_MAX = 4 * 1024 ** 3 - PAGES_OFFSET;

/** The largest address space, 4 PiB: the number of a region is then a 31-bit number, and the directory takes 8 GiB at most. */
export const MEMORY_BYTES_MAX = 2 ** 52;

/** More slots than this (8 TiB of memory) have frames whose numbers are no 31-bit numbers. */
const SLOTS_MAX = 1 << 22;

/** Slots beyond what fits: that of nobody, and one that each vCPU and the device thread may keep spare. */
const SLOTS_ASIDE = 1 + VCPUS_MAX + 1;

/** A guest's shared memory as it is handed from thread to thread. */
export interface MemoryHandle {
  /** The tables; and, of a guest in one piece, its pages. */
  readonly memory: WebAssembly.Memory;
  /** The guest's address space: a multiple of PAGE_BYTES. */
  readonly memoryBytes: number;
  /** Of a guest in segments. */
  readonly segments?: SegmentsHandle;
}

/** What a guest in segments has besides its tables. */
export interface SegmentsHandle {
  readonly memories: readonly WebAssembly.Memory[];
  /** A 0, then of each region its slot, or 0: regions.ts. */
  readonly directory: SharedArrayBuffer;
  /** Slots that there are. */
  readonly slots: number;
}

/** The same memory as typed arrays, one set a thread. */
export interface MemoryViews extends Segmented {
  /** The guest's address space. */
  readonly memoryBytes: number;
  /** Pages that the tables have room for: all of a guest in one piece, all frames of one in segments. */
  readonly pageCount: number;
  readonly regions: Regions;
  /** Entries of PageState; of a guest in one piece 2^20, those past its end OUTSIDE. */
  readonly pageTable: Uint8Array<SharedArrayBuffer>;
  /** One byte a region: not 0 when a page of the region may have fired since the last harvest. */
  readonly summary: Uint8Array<SharedArrayBuffer>;
  /** One bit a page (word `page >>> 5`, bit `page & 31`): what the last harvest took. */
  readonly dirtyWords: Int32Array<SharedArrayBuffer>;
  /** As `dirtyWords`: the pages that were dirtied after what the bitmap that went ahead names. */
  readonly lateWords: Int32Array<SharedArrayBuffer>;
  /** Of the push and the faults beside it: fault-words.ts. */
  readonly faultWords: Int32Array<SharedArrayBuffer>;
  /** As `dirtyWords`: for a moment, a bitmap from elsewhere whose pages are marked absent. */
  readonly scratchWords: Int32Array<SharedArrayBuffer>;
  /** What goes over the tables in place. */
  readonly kernels: PageKernels;
}

/** Where each table begins in the buffer that holds them, and where the last one ends. */
interface Tables {
  /** Entries of the page table. */
  readonly entries: number;
  readonly summaryOffset: number;
  readonly bitmapOffsets: readonly [dirty: number, late: number, scratch: number];
  readonly faultOffset: number;
  readonly endOffset: number;
}

function tablesOf(entries: number): Tables {
  const summaryOffset = align(entries);
  const bitmapsOffset = summaryOffset + align(entries / REGION_PAGES);
  const bitmapBytes = align(entries / 8);
  const bitmapAt = (index: number): number => bitmapsOffset + index * bitmapBytes;
  const faultOffset = bitmapAt(3);
  return {
    entries,
    summaryOffset,
    bitmapOffsets: [bitmapAt(0), bitmapAt(1), bitmapAt(2)],
    // Words that threads wait on lie away from what is scanned.
    faultOffset,
    endOffset: faultOffset + ALIGNMENT,
  };
}

function align(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}

/**
 * Allocates a guest's memory: all pages zero and PRESENT. A guest of more than PIECE_BYTES_MAX lies in segments: it has
 * slots for as much as the host can have, and takes of the host what it touches.
 * @throws RangeError when `memoryBytes` is not a whole number of pages within the limits, or the host has no room.
 */
export function allocateMemory(memoryBytes: number, hostBytes = 4 * PIECE_BYTES_MAX): MemoryHandle {
  if (!Number.isSafeInteger(memoryBytes) || memoryBytes <= 0 || memoryBytes % PAGE_BYTES !== 0) {
    throw new RangeError(
      `guest memory must be a whole number of ${PAGE_BYTES}-byte pages, not ${memoryBytes} bytes`,
    );
  }
  if (memoryBytes > MEMORY_BYTES_MAX) {
    throw new RangeError(`guest memory is at most ${MEMORY_BYTES_MAX} bytes, not ${memoryBytes}`);
  }
  if (memoryBytes <= PIECE_BYTES_MAX) return layOut(reserveMemory(memoryBytes), memoryBytes);
  const fitting = Math.ceil(Math.min(memoryBytes, hostBytes) / REGION_BYTES);
  return layOutSegments(memoryBytes, Math.min(SLOTS_MAX, fitting + SLOTS_ASIDE));
}

/**
 * Memory with room for a guest in one piece of `memoryBytes`, all zero.
 * @throws RangeError when the host has no room.
 */
export function reserveMemory(memoryBytes: number): WebAssembly.Memory {
  return newMemory(PAGES_OFFSET + memoryBytes);
}

function newMemory(bytes: number): WebAssembly.Memory {
  const wasmPages = Math.ceil(bytes / WASM_PAGE_BYTES);
  return new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages, shared: true });
}

/** A guest of `memoryBytes` in one piece in `memory`, which is all zero, and has room for it. */
export function layOut(memory: WebAssembly.Memory, memoryBytes: number): MemoryHandle {
  const handle = { memory, memoryBytes };
  const { pageTable, pageCount } = viewMemory(handle);
  pageTable.fill(PageState.OUTSIDE, pageCount);
  return handle;
}

/** A guest of `memoryBytes` in segments, with so many slots, which is what it can ever have touched. */
export function layOutSegments(memoryBytes: number, slots: number): MemoryHandle {
  const { endOffset } = segmentTablesOf(slots);
  const handle: MemoryHandle = {
    memory: newMemory(endOffset),
    memoryBytes,
    segments: {
      memories: reserveSegments(slots),
      directory: new SharedArrayBuffer(4 * (1 + Math.ceil(memoryBytes / REGION_BYTES))),
      slots,
    },
  };
  const { pageTable, regions } = viewMemory(handle);
  pageTable.fill(PageState.OUTSIDE, 0, REGION_PAGES);
  if (regions instanceof RegionDirectory) Atomics.store(regions.words.used, 0, regions.first);
  return handle;
}

/** All that a guest in one piece can have written to: its memory and what lies beside it. */
export function occupiedBytes({ memory, memoryBytes }: MemoryHandle): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(memory.buffer, 0, PAGES_OFFSET + memoryBytes);
}

/** The typed arrays over a guest's memory; cheap, and every thread makes its own. */
export function viewMemory(handle: MemoryHandle): MemoryViews {
  return handle.segments === undefined ? viewPiece(handle) : viewSegments(handle, handle.segments);
}

function viewPiece({ memory, memoryBytes }: MemoryHandle): MemoryViews {
  const { buffer } = memory;
  const pageCount = memoryBytes / PAGE_BYTES;
  const kernels = pageKernelsOf(memory);
  const bytes = new Uint8Array(buffer, PAGES_OFFSET, memoryBytes);
  return {
    ...viewTables(buffer, tablesOf(PAGE_TABLE_BYTES), pageCount),
    memoryBytes,
    regions: regionsInOnePiece(pageCount),
    segments: [{ memory, buffer, pagesOffset: PAGES_OFFSET, bytes, kernels }],
    kernels,
  };
}

function viewSegments({ memory, memoryBytes }: MemoryHandle, of: SegmentsHandle): MemoryViews {
  const { buffer } = memory;
  const { ownersOffset, usedOffset, ...tables } = segmentTablesOf(of.slots);
  const views = viewTables(buffer, tables, tables.entries);
  const { pageTable, summary } = views;
  const regions = new RegionDirectory({
    directory: new Int32Array(of.directory, 4),
    owners: new Uint32Array(buffer, ownersOffset, of.slots),
    used: new Int32Array(buffer, usedOffset, 1),
    pageTable,
    summary,
    memoryBytes,
  });
  const segments: Segment[] = of.memories.map(viewSegment);
  return { ...views, memoryBytes, regions, segments, kernels: pageKernelsOf(memory) };
}

/** The tables of a guest in segments: behind the others, whose each slot is, and how many are in use. */
function segmentTablesOf(
  slots: number,
): Tables & { readonly ownersOffset: number; readonly usedOffset: number } {
  const tables = tablesOf(slots * REGION_PAGES);
  const ownersOffset = tables.endOffset;
  const usedOffset = ownersOffset + align(4 * slots);
  return { ...tables, ownersOffset, usedOffset, endOffset: usedOffset + ALIGNMENT };
}

function viewTables(
  buffer: SharedArrayBuffer,
  { entries, summaryOffset, bitmapOffsets, faultOffset }: Tables,
  pageCount: number,
): Omit<MemoryViews, 'memoryBytes' | 'regions' | 'segments' | 'kernels'> {
  const wordCount = Math.ceil(pageCount / 32);
  const [dirtyWords, lateWords, scratchWords] = bitmapOffsets.map(
    (offset) => new Int32Array(buffer, offset, wordCount),
  ) as [Int32Array<SharedArrayBuffer>, Int32Array<SharedArrayBuffer>, Int32Array<SharedArrayBuffer>];
  return {
    pageCount,
    pageTable: new Uint8Array(buffer, 0, entries),
    summary: new Uint8Array(buffer, summaryOffset, entries / REGION_PAGES),
    dirtyWords,
    lateWords,
    scratchWords,
    faultWords: new Int32Array(buffer, faultOffset, FAULT_WORDS),
  };
}
