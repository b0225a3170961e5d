// Counts of bitmaps, and the packed form of their blocks, by the kernels of assembly/bitmaps.ts, in a small memory of this
// thread's own. Knows words and bytes; the form on the wire, and what is wrong with one, is bitmap-sections.ts.
import { BITMAPS_BINARY } from './kernels-binary.js';

interface BitmapKernels {
  readonly memory: WebAssembly.Memory;
  /** Where a packed block lies. */
  readonly PACKED: { readonly value: number };
  countBits(bits: number, longs: number): number;
  countEdges(bits: number, longs: number, before: number): number;
  planBlock(pages: number): number;
  packBlock(pages: number, to: number): number;
  unpackBlock(from: number, end: number, pages: number, kind: number): number;
  problemOf(): number;
  problemAt(): number;
}

/** A bitmap is worked on in blocks of so many pages; the last one may be shorter. */
export const BLOCK_PAGES = 2 ** 20;
export const BLOCK_WORDS = BLOCK_PAGES / 32;
/** A packed block is never longer than its bits. */
export const BLOCK_BYTES_MAX = BLOCK_PAGES / 8;

/** The forms of a block, as assembly/room.ts numbers them. */
export const BlockKind = { CLEAR: 0, SET: 1, RAW: 2, POSITIONS: 3, HOLES: 4, RUNS: 5, SPLIT: 6 } as const;

const BITS_AT = 0;

const kernels = new WebAssembly.Instance(new WebAssembly.Module(BITMAPS_BINARY))
  .exports as unknown as BitmapKernels;
const packedAt = kernels.PACKED.value;
const bytes = new Uint8Array(kernels.memory.buffer);

/** The bits of the block that was planned or unpacked last, good until the next call of any function here. */
export const blockWords = new Int32Array(kernels.memory.buffer, BITS_AT, BLOCK_WORDS);

// Copied in, whoever's memory the words lie in: a few microseconds for a block, and no two threads share what is here.
function putWords(from: Int32Array): number {
  blockWords.set(from);
  if ((from.length & 1) !== 0) blockWords[from.length] = 0;
  return Math.ceil(from.length / 2);
}

/** Set bits. */
export function countBits(from: Int32Array): number {
  let total = 0;
  for (let at = 0; at < from.length; at += BLOCK_WORDS)
    total += kernels.countBits(BITS_AT, putWords(from.subarray(at, at + BLOCK_WORDS)));
  return total;
}

/** Bits that differ from the one before them, with a clear bit before the first and one after the last. */
export function countEdges(from: Int32Array): number {
  let total = 0;
  let before = 0;
  for (let at = 0; at < from.length; at += BLOCK_WORDS) {
    const part = from.subarray(at, at + BLOCK_WORDS);
    total += kernels.countEdges(BITS_AT, putWords(part), before);
    // An odd last word is followed by a clear one here, so its last edge has been counted.
    before = (part.length & 1) === 0 ? part[part.length - 1]! >>> 31 : 0;
  }
  return total + before;
}

/** Decides upon the form of a block of `pages` pages, no bit of which is set behind them: the root's kind. */
export function planBlock(from: Int32Array, pages: number): number {
  blockWords.set(from);
  // Up to the end of a leaf (4096 pages) they are looked at.
  blockWords.fill(0, from.length, Math.min(BLOCK_WORDS, from.length + 128));
  return kernels.planBlock(pages);
}

/** The block that was planned last, but for its root's kind: good until the next call. */
export function packBlock(pages: number): Uint8Array {
  return bytes.subarray(packedAt, kernels.packBlock(pages, packedAt));
}

/** What can be wrong with a block, as assembly/unpacking.ts numbers it. */
export const BlockProblem = {
  CUT_SHORT: 1,
  NOT_ASCENDING: 2,
  NOT_SO_MANY: 3,
  NOT_SHORTEST: 4,
  NOT_THERE: 5,
  NOT_LIGHTEST: 6,
  SPARE_BITS: 7,
  UNKNOWN_KIND: 8,
} as const;

/**
 * Sets `blockWords` to what a block of `pages` pages says, whose root is of `kind`, and answers how many of the bytes it
 * takes; -1 when it is not the one form that its set of pages has: see `blockProblem`.
 */
export function unpackBlock(packed: Uint8Array, kind: number, pages: number): number {
  const given = packed.length > BLOCK_BYTES_MAX ? packed.subarray(0, BLOCK_BYTES_MAX) : packed;
  bytes.set(given, packedAt);
  const end = kernels.unpackBlock(packedAt, packedAt + given.length, pages, kind);
  return end === 0 ? -1 : end - packedAt;
}

/** What is wrong with the block that was refused last, and at which of its bytes. */
export function blockProblem(): readonly [what: number, at: number] {
  return [kernels.problemOf(), kernels.problemAt() - packedAt];
}

// The first call of a function compiles it, and after some work V8 compiles it again and better, on a thread that wants a
// core: not within a stun. A node of each kind, and as much work as brings that about.
const WARM_TURNS = 4;
warmUp();

function warmUp(): void {
  const words = new Int32Array(BLOCK_WORDS);
  const leaf = (nth: number, word: (at: number) => number): void => {
    for (let at = 128 * nth; at < 128 * (nth + 1); at++) words[at] = word(at);
  };
  for (let nth = 0; nth < 256; nth += 8) {
    leaf(nth, (at) => (at % 3 === 0 ? 1 << (at & 31) : 0));
    leaf(nth + 1, (at) => (at % 3 === 0 ? ~(1 << (at & 31)) : -1));
    leaf(nth + 2, (at) => Math.imul(at, 0x9e3779b1));
    leaf(nth + 3, (at) => (at % 5 === 0 ? 0xff0 : 0));
    leaf(nth + 4, () => -1);
  }
  for (let turn = 0; turn < WARM_TURNS; turn++) {
    countBits(words);
    countEdges(words);
    const kind = planBlock(words, BLOCK_PAGES);
    unpackBlock(packBlock(BLOCK_PAGES), kind, BLOCK_PAGES);
  }
}
