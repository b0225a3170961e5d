// Counts and run lengths of bitmaps, by the kernels of assembly/bitmaps.ts, in a small memory of this thread's own.
// Knows words and bytes; the form on the wire, and what is wrong with one, is compacted-bitmap.ts.
import { BITMAPS_BINARY } from './kernels-binary.js';

interface BitmapKernels {
  readonly memory: WebAssembly.Memory;
  countBits(bits: number, longs: number): number;
  countEdges(bits: number, longs: number): number;
  writeRuns(bits: number, longs: number, to: number): number;
  readRuns(from: number, end: number, bits: number, longs: number, pages: number): number;
}

const BITS_AT = 0;
const WASM_PAGE_BYTES = 65536;

const kernels = new WebAssembly.Instance(new WebAssembly.Module(BITMAPS_BINARY))
  .exports as unknown as BitmapKernels;
let words = new Int32Array(kernels.memory.buffer);
let bytes = new Uint8Array(kernels.memory.buffer);

// Room for so many bytes; it stays, so a thread holds as much as the largest bitmap that it had to do with.
function reserve(byteCount: number): void {
  if (byteCount <= bytes.length) return;
  kernels.memory.grow(Math.ceil((byteCount - bytes.length) / WASM_PAGE_BYTES));
  words = new Int32Array(kernels.memory.buffer);
  bytes = new Uint8Array(kernels.memory.buffer);
}

// Copied in, whoever's memory the words lie in: a few microseconds for 4 GiB, and no two threads share what is here.
function putWords(from: Int32Array): number {
  reserve(8 * longsOf(from.length));
  words.set(from);
  if ((from.length & 1) !== 0) words[from.length] = 0;
  return longsOf(from.length);
}

function longsOf(wordCount: number): number {
  return Math.ceil(wordCount / 2);
}

/** Set bits. */
export function countBits(from: Int32Array): number {
  return kernels.countBits(BITS_AT, putWords(from)) >>> 0;
}

/** Bits that differ from the one before them, with a clear bit before the first and one after the last. */
export function countEdges(from: Int32Array): number {
  return kernels.countEdges(BITS_AT, putWords(from)) >>> 0;
}

/**
 * The distance from edge to edge as LEB128 numbers, which are good until the next call; undefined, and nothing written,
 * when there are more than `numbersMax` of them.
 */
export function writeRuns(from: Int32Array, numbersMax: number): Uint8Array | undefined {
  const longs = putWords(from);
  const numbers = kernels.countEdges(BITS_AT, longs) >>> 0;
  if (numbers > numbersMax) return undefined;
  const runsAt = 8 * longs;
  reserve(runsAt + runBytesMax(numbers, from.length));
  return bytes.subarray(runsAt, kernels.writeRuns(BITS_AT, longs, runsAt) >>> 0);
}

// A number takes a byte more for each seven bits, and so many of 128 and more do not fit in the bitmap.
function runBytesMax(numbers: number, wordCount: number): number {
  return Math.min(5 * numbers, numbers + wordCount);
}

/** What can be wrong with runs, as assembly/bitmaps.ts numbers it. */
export const RunsProblem = {
  CUT_SHORT: 1,
  NOT_SHORTEST: 2,
  PAST_END: 3,
  TOO_LONG: 4,
  EMPTY_CLEAR: 5,
  EMPTY_SET: 6,
} as const;

/**
 * Sets `into` to what `numbers` say, all of it below bit `pages`. Answers 0, or what was wrong and, times 8, at which of
 * the numbers' bytes; then `into` is as it was.
 */
export function readRuns(numbers: Uint8Array, into: Int32Array, pages: number): number {
  const longs = longsOf(into.length);
  const runsAt = 8 * longs;
  reserve(runsAt + numbers.length);
  bytes.set(numbers, runsAt);
  const problem = kernels.readRuns(runsAt, runsAt + numbers.length, BITS_AT, longs, pages);
  if (problem === 0) into.set(words.subarray(0, into.length));
  return problem;
}

// The first call of a function compiles it, and after some work V8 compiles it again and better, on a thread that wants a
// core: not within a stun. One turn does as much as a bitmap of 4 GiB.
const WARM_TURNS = 4;
const WARM_WORDS = 1 << 15;
const warm = new Int32Array(WARM_WORDS);
for (let word = 0; word < WARM_WORDS; word += 61) warm[word] = 0b1011;
for (let turn = 0; turn < WARM_TURNS; turn++) {
  countBits(warm);
  readRuns(writeRuns(warm, Infinity)!.slice(), warm, 32 * WARM_WORDS);
}
