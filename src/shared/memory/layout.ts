// Where guest memory, page table, region summary and bitmaps lie in the one shared buffer of a guest.
// Knows typed arrays only; who may write which word and in what order is docs/memory-model.md.
import { FAULT_WORDS } from './fault-words.js';
import { pageKernelsOf, type PageKernels } from './page-kernels.js';
import { PAGE_BYTES, PageState, regionCountOf } from './pages.js';

/** The page table always has an entry for each page of 4 GiB, so that a gpa needs no bounds check of its own. */
const PAGE_TABLE_BYTES = 1 << 20;
const SUMMARY_BYTES = 4096;
const BITMAP_BYTES = PAGE_TABLE_BYTES / 8;

const PAGE_TABLE_OFFSET = 0;
const SUMMARY_OFFSET = PAGE_TABLE_OFFSET + PAGE_TABLE_BYTES;
const BITMAP_OFFSET = SUMMARY_OFFSET + SUMMARY_BYTES;
const LATE_BITMAP_OFFSET = BITMAP_OFFSET + BITMAP_BYTES;
const SCRATCH_BITMAP_OFFSET = LATE_BITMAP_OFFSET + BITMAP_BYTES;
const PAGES_OFFSET = 2 << 20;
/** Words that threads wait on lie in the last 4 KiB before the pages, away from what is scanned. */
const FAULT_WORDS_OFFSET = PAGES_OFFSET - 4096;

const WASM_PAGE_BYTES = 65536;

/** The largest guest: its memory and what lies beside it share one buffer of at most 4 GiB. */
export const MEMORY_BYTES_MAX = 4 * 1024 ** 3 - PAGES_OFFSET;

/** A guest's shared memory as it is handed from thread to thread. */
export interface MemoryHandle {
  readonly memory: WebAssembly.Memory;
  /** A multiple of PAGE_BYTES. */
  readonly memoryBytes: number;
}

/** The same memory as typed arrays, one set a thread. */
export interface MemoryViews {
  readonly buffer: SharedArrayBuffer;
  readonly memoryBytes: number;
  readonly pageCount: number;
  readonly regionCount: number;
  /** Offset of guest page 0 in `buffer`. */
  readonly pagesOffset: number;
  /** 2^20 entries of PageState; those past the guest are OUTSIDE. */
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
  /** Guest memory itself. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** What goes over all of this in place. */
  readonly kernels: PageKernels;
}

/**
 * Allocates a guest's memory: all pages zero and PRESENT.
 * @throws RangeError when `memoryBytes` is not a whole number of pages within the limits, or the host has no room.
 */
export function allocateMemory(memoryBytes: number): MemoryHandle {
  if (!Number.isSafeInteger(memoryBytes) || memoryBytes <= 0 || memoryBytes % PAGE_BYTES !== 0) {
    throw new RangeError(
      `guest memory must be a whole number of ${PAGE_BYTES}-byte pages, not ${memoryBytes} bytes`,
    );
  }
  if (memoryBytes > MEMORY_BYTES_MAX) {
    throw new RangeError(`guest memory is at most ${MEMORY_BYTES_MAX} bytes, not ${memoryBytes}`);
  }
  return layOut(reserveMemory(memoryBytes), memoryBytes);
}

/**
 * Memory with room for a guest of `memoryBytes`, all zero.
 * @throws RangeError when the host has no room.
 */
export function reserveMemory(memoryBytes: number): WebAssembly.Memory {
  const wasmPages = Math.ceil((PAGES_OFFSET + memoryBytes) / WASM_PAGE_BYTES);
  return new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages, shared: true });
}

/** A guest of `memoryBytes` in `memory`, which is all zero, and has room for it. */
export function layOut(memory: WebAssembly.Memory, memoryBytes: number): MemoryHandle {
  const handle = { memory, memoryBytes };
  const { pageTable, pageCount } = viewMemory(handle);
  pageTable.fill(PageState.OUTSIDE, pageCount);
  return handle;
}

/** All that a guest of `memoryBytes` can have written to: its memory and what lies beside it. */
export function occupiedBytes({ memory, memoryBytes }: MemoryHandle): Uint8Array<SharedArrayBuffer> {
  return new Uint8Array(memory.buffer, 0, PAGES_OFFSET + memoryBytes);
}

/** The typed arrays over a guest's memory; cheap, and every thread makes its own. */
export function viewMemory({ memory, memoryBytes }: MemoryHandle): MemoryViews {
  const { buffer } = memory;
  const pageCount = memoryBytes / PAGE_BYTES;
  const wordCount = Math.min(BITMAP_BYTES / 4, Math.ceil(pageCount / 32));
  return {
    buffer,
    memoryBytes,
    pageCount,
    regionCount: regionCountOf(pageCount),
    pagesOffset: PAGES_OFFSET,
    pageTable: new Uint8Array(buffer, PAGE_TABLE_OFFSET, PAGE_TABLE_BYTES),
    summary: new Uint8Array(buffer, SUMMARY_OFFSET, SUMMARY_BYTES),
    dirtyWords: new Int32Array(buffer, BITMAP_OFFSET, wordCount),
    lateWords: new Int32Array(buffer, LATE_BITMAP_OFFSET, wordCount),
    faultWords: new Int32Array(buffer, FAULT_WORDS_OFFSET, FAULT_WORDS),
    scratchWords: new Int32Array(buffer, SCRATCH_BITMAP_OFFSET, wordCount),
    bytes: new Uint8Array(buffer, PAGES_OFFSET, memoryBytes),
    kernels: pageKernelsOf(memory),
  };
}
