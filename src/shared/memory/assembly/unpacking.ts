// Reads the forms of a block's nodes. They are hostile: nothing is written outside of the block, and only what packing.ts
// writes is taken. Knows addresses in the kernels' own memory; docs/protocol.md has the format.
import { CUT_SHORT, readFolded, WRONG_MIN } from './folded';
import { NUMBER_WEIGHT, planBlock } from './plan';
import {
  BITS,
  BLOCK_SHIFT,
  CLEAR,
  FAN,
  FAN_SHIFT,
  FIRST_LEAF,
  HOLES,
  KINDS,
  KINDS_BYTES,
  LEAF_BYTES,
  LEAF_PAGES,
  LEAF_SHIFT,
  NUMBERS,
  pagesOfChild,
  POSITIONS,
  RAW,
  RUN_LENGTHS,
  SET,
  SPLIT,
  STATED,
} from './room';

/** What is wrong with a block; the TypeScript side has the sentences. The first three are those of folded numbers. */
const NOT_SHORTEST: u32 = 4;
const NOT_THERE: u32 = 5;
const NOT_LIGHTEST: u32 = 6;
const SPARE_BITS: u32 = 7;
const UNKNOWN_KIND: u32 = 8;

let problem: u32 = 0;
let at: usize = 0;
let past: usize = 0;

/** What the last block that was refused has wrong. */
export function problemOf(): u32 {
  return problem;
}

/** And where. */
export function problemAt(): usize {
  return at;
}

/**
 * Sets the bits at BITS, to the end of a leaf, to what the block at [from, end) says, whose root is of `kind`; behind its
 * end lie eight bytes more. Answers where it ends, or 0 when it is not what packBlock writes.
 */
export function unpackBlock(from: usize, end: usize, pages: u32, kind: u32): usize {
  memory.fill(BITS, 0, ((pages + LEAF_PAGES - 1) >>> LEAF_SHIFT) * LEAF_BYTES);
  at = from;
  past = end;
  store<u8>(STATED, <u8>kind);
  if (!unpackNode(0, BLOCK_SHIFT, 0, pages)) return 0;
  if ((pages & 7) != 0 && load<u8>(BITS + (pages >>> 3)) >>> (pages & 7) != 0) return <usize>fail(SPARE_BITS);
  planBlock(pages);
  return isAsPlanned(0) ? at : <usize>fail(NOT_LIGHTEST);
}

function fail(what: u32): bool {
  problem = what;
  return false;
}

function isAsPlanned(node: u32): bool {
  const kind = load<u8>(KINDS + node);
  if (kind != load<u8>(STATED + node)) return false;
  if (kind != SPLIT) return true;
  for (let child = node * FAN + 1; child <= node * FAN + FAN; child++) if (!isAsPlanned(child)) return false;
  return true;
}

function unpackNode(node: u32, shift: u32, first: u32, pages: u32): bool {
  const kind: u32 = load<u8>(STATED + node);
  switch (kind) {
    case CLEAR:
      return true;
    case SET:
      if (pages > 0) flipBits(first, first + pages);
      return true;
    case RAW:
      return unpackRaw(first, (pages + 7) >>> 3);
    case POSITIONS:
      return unpackPositions(first, pages);
    case HOLES:
      if (pages > 0) flipBits(first, first + pages);
      return unpackPositions(first, pages);
    case RUN_LENGTHS:
      return unpackRuns(first, pages);
    case SPLIT:
      return node < FIRST_LEAF ? unpackChildren(node, shift - FAN_SHIFT, first, pages) : fail(UNKNOWN_KIND);
    default:
      return fail(UNKNOWN_KIND);
  }
}

function unpackChildren(node: u32, shift: u32, first: u32, pages: u32): bool {
  if (past - at < KINDS_BYTES) return fail(CUT_SHORT & 7);
  const child = node * FAN + 1;
  const kinds = (<u64>load<u32>(at)) | ((<u64>load<u16>(at + 4)) << 32);
  at += KINDS_BYTES;
  for (let nth: u32 = 0; nth < FAN; nth++) store<u8>(STATED + child + nth, <u8>((kinds >>> (3 * nth)) & 7));
  for (let nth: u32 = 0; nth < FAN; nth++)
    if (!unpackNode(child + nth, shift, first + (nth << shift), pagesOfChild(pages, nth, shift)))
      return false;
  return true;
}

function unpackRaw(first: u32, bytes: u32): bool {
  if (past - at < bytes) return fail(CUT_SHORT & 7);
  memory.copy(BITS + (first >>> 3), at, bytes);
  at += bytes;
  return true;
}

// Flips what is named: in a node that was clear, or in one that was set.
function unpackPositions(first: u32, pages: u32): bool {
  const count = readNumber();
  if (count == 0) return fail(problem);
  if (count >= pages) return fail(NOT_THERE);
  if (NUMBER_WEIGHT * count >= (pages + 7) >>> 3) return fail(NOT_LIGHTEST);
  const bit = readNumbers(NUMBERS, count, pages - count, 0);
  if (bit == 0 || !endsAt(bit)) return false;
  let page = first;
  for (let from = NUMBERS, end = NUMBERS + 4 * <usize>count; from < end; from += 4, page++) {
    const position = page + load<u32>(from);
    const word = BITS + ((position >>> 5) << 2);
    store<u32>(word, load<u32>(word) ^ (1 << (position & 31)));
  }
  return true;
}

function unpackRuns(first: u32, pages: u32): bool {
  const set = readNumber();
  if (set == 0) return fail(problem);
  const runs = readNumber();
  if (runs == 0) return fail(problem);
  if (set >= pages || runs > set || runs - 1 > pages - set) return fail(NOT_THERE);
  if (NUMBER_WEIGHT * 2 * runs >= (pages + 7) >>> 3) return fail(NOT_LIGHTEST);
  const lengths = NUMBERS + 4 * <usize>runs;
  let bit = readNumbers(NUMBERS, runs, pages - set - (runs - 1), 0);
  if (bit == 0) return false;
  if (runs > 1) bit = readNumbers(lengths, runs - 1, set - runs, bit);
  if (bit == 0 || !endsAt(bit)) return false;
  store<u32>(lengths + 4 * (runs - 1), set - runs);
  let before: u32 = 0;
  for (let nth: u32 = 0; nth < runs; nth++) {
    const start = first + load<u32>(NUMBERS + 4 * nth) + nth + before;
    const length = load<u32>(lengths + 4 * nth) + nth + 1 - before;
    flipBits(start, start + length);
    before += length;
  }
  return true;
}

// Answers the bit behind them, never 0, or 0.
function readNumbers(to: usize, count: u32, last: u32, bit: u32): u32 {
  const end = readFolded(count, last, at, bit, (<u32>(past - at)) << 3, to);
  if (end < WRONG_MIN) return end;
  problem = end & 7;
  return 0;
}

// The rest of the last byte is 0.
function endsAt(bit: u32): bool {
  if ((bit & 7) != 0 && load<u8>(at + (bit >>> 3)) >>> (bit & 7) != 0) return fail(SPARE_BITS);
  at += (bit + 7) >>> 3;
  return true;
}

// A number from 1 on, of up to three bytes in its shortest form; 0 when it is none.
function readNumber(): u32 {
  let value: u32 = 0;
  for (let shift: u32 = 0; shift < 21; shift += 7) {
    if (at == past) return <u32>fail(CUT_SHORT & 7);
    const byte: u32 = load<u8>(at++);
    value |= (byte & 0x7f) << shift;
    if (byte >= 0x80) continue;
    if (byte == 0) return <u32>fail(shift == 0 ? NOT_THERE : NOT_SHORTEST);
    return value;
  }
  return <u32>fail(NOT_THERE);
}

// Flips bits [first, pastLast), 64 at a time in the middle.
function flipBits(first: u32, pastLast: u32): void {
  let word = BITS + ((first >>> 6) << 3);
  const lastWord = BITS + (((pastLast - 1) >>> 6) << 3);
  const tail = (<u64>-1) >>> (63 - ((pastLast - 1) & 63));
  let mask = (<u64>-1) << (first & 63);
  for (; word < lastWord; word += 8) {
    store<u64>(word, load<u64>(word) ^ mask);
    mask = <u64>-1;
  }
  store<u64>(word, load<u64>(word) ^ (mask & tail));
}
