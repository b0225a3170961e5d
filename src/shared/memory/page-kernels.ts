// The loops over a guest's page table and pages, by the kernels of assembly/pages.ts, in place.
// Knows addresses in the guest's one buffer; what lies where is layout.ts, and why it is sound docs/memory-model.md.
import { PAGES_BINARY } from './kernels-binary.js';

/** Entries, bits, summary and pages are byte addresses in the guest's buffer. */
export interface PageKernels {
  /** Takes a region of 512 entries: each PRESENT is exchanged back to TRACED, by an atomic of its own, and its bit set. */
  takeRegion(entries: number, bits: number): void;
  /** Sets the bit of each PRESENT of 512 entries. */
  readRegion(entries: number, bits: number): void;
  /** Reads each region whose summary byte is set, and clears that byte. */
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

// The first call of a function compiles it, for all instances of this thread: not within a stun.
const warm = pageKernelsOf(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));
warm.takeRegion(0, 1024);
warm.readRegion(0, 1024);
warm.readFired(0, 2048, 1, 1024);
warm.addBits(1024, 1088, 1);
warm.markPages(0, 1024, 16, 3);
warm.replaceState(0, 16, 3, 0);
warm.isZeroPage(0);
warm.moveBytes(0, 64, 64);
warm.clearBytes(0, 64);
