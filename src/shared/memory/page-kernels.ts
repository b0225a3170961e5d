// The loops over a guest's page table and pages, by the kernels of assembly/pages.ts, in place.
// Knows addresses in the guest's one buffer; what lies where is layout.ts, and why it is sound docs/memory-model.md.
import { PAGES_BINARY } from './kernels-binary.js';

/** Entries, bits, summary and pages are byte addresses in the guest's buffer. */
export interface PageKernels {
  /** Takes a region of 512 entries: each PRESENT is exchanged back to TRACED, by an atomic of its own, and its bit set. */
  takeRegion(entries: number, bits: number): void;
  /** Clears each summary byte that is set, and sets the bit of each PRESENT of the region's 512 entries. */
  readFired(entries: number, summary: number, regions: number, bits: number): void;
  /** Adds the bits of so many words of 64 to others; answers how many were not there. */
  addBits(from: number, into: number, longs: number): number;
  /** Gives the entries a state whose bit is set in so many words, and touches no other; answers how many had another. */
  markPages(entries: number, bits: number, words: number, state: number): number;
  /** Gives every entry of [entries, end) that has one state another, and touches no other. */
  replaceState(entries: number, end: number, before: number, after: number): void;
  /** 1 when a page is zero. */
  isZeroPage(page: number): number;
  /**
   * Moves bytes; the ranges may overlap. What a typed array over shared memory moves goes word by word: in a cache, this
   * takes a seventh of its time.
   */
  moveBytes(to: number, from: number, byteCount: number): void;
  /** Makes bytes zero. */
  clearBytes(at: number, byteCount: number): void;
}

const module = new WebAssembly.Module(PAGES_BINARY);

/** The kernels of one guest, for this thread. */
export function pageKernelsOf(memory: WebAssembly.Memory): PageKernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as PageKernels;
}

// The first call of a function compiles it, for all instances of a process, and after some work V8 compiles it again and
// better, on a thread that wants a core: not within a stun.
const WARM_TURNS = 100;
warmUp(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));

// A guest in small: 32 regions of entries, a summary of them, two bitmaps, and a page of zeros.
function warmUp(memory: WebAssembly.Memory): void {
  const [entries, entriesEnd, summary, bits, moreBits, zeroPage] = [0, 16384, 16384, 20480, 24576, 28672];
  const kernels = pageKernelsOf(memory);
  const fired = new Uint8Array(memory.buffer, summary, 32);
  const sparse = new Int32Array(memory.buffer, moreBits, 512).fill(0x11111111);
  for (let turn = 0; turn < WARM_TURNS; turn++) {
    kernels.takeRegion(entries, bits);
    kernels.replaceState(entries, 4096, 1, 0);
    fired.fill(1);
    kernels.readFired(entries, summary, fired.length, bits);
    kernels.markPages(entries, moreBits, sparse.length, turn & 1);
    kernels.replaceState(entries, entriesEnd, 1, 0);
    kernels.addBits(moreBits, bits, sparse.length / 2);
    for (let page = 0; page < 5; page++) kernels.isZeroPage(zeroPage);
    kernels.moveBytes(moreBits + 2048, moreBits, 1024);
    kernels.clearBytes(zeroPage, 4096);
  }
}
