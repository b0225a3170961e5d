// Writes the planned forms of a block's nodes.
// Knows addresses in the kernels' own memory; docs/protocol.md has the format, and unpacking.ts reads it.
import { writeFolded } from './folded';
import {
  BITS,
  BLOCK_SHIFT,
  FAN,
  FAN_SHIFT,
  FIRST_LEAF,
  HOLES,
  KINDS,
  KINDS_BYTES,
  LEAF_PAGES,
  LEAF_SHIFT,
  NUMBERS,
  pagesOfChild,
  POSITIONS,
  RAW,
  RUN_LENGTHS,
  RUNS,
  SETS,
  SPLIT,
} from './room';

/** Writes the block that was planned last at `to`, but for the root's kind, and answers where it ends. */
export function packBlock(pages: u32, to: usize): usize {
  return packNode(0, BLOCK_SHIFT, 0, pages, to);
}

function packNode(node: u32, shift: u32, first: u32, pages: u32, to: usize): usize {
  const kind: u32 = load<u8>(KINDS + node);
  const set = load<u32>(SETS + 4 * node);
  switch (kind) {
    case RAW:
      memory.copy(to, BITS + (first >>> 3), (pages + 7) >>> 3);
      return to + ((pages + 7) >>> 3);
    case POSITIONS:
      return packPositions(first, pages, set, 0, to);
    case HOLES:
      return packPositions(first, pages, pages - set, <u64>-1, to);
    case RUN_LENGTHS: {
      const halves = load<u32>(RUNS + 4 * node);
      return packRuns(first, pages, set, (halves >>> 1) + (halves & 1), to);
    }
    case SPLIT:
      return packChildren(node, shift - FAN_SHIFT, first, pages, to);
    default:
      return to;
  }
}

function packChildren(node: u32, shift: u32, first: u32, pages: u32, to: usize): usize {
  const child = node * FAN + 1;
  let kinds: u64 = 0;
  for (let nth: u32 = 0; nth < FAN; nth++) kinds |= (<u64>load<u8>(KINDS + child + nth)) << (3 * nth);
  store<u32>(to, <u32>kinds);
  store<u16>(to + 4, <u16>(kinds >>> 32));
  to += KINDS_BYTES;
  for (let nth: u32 = 0; nth < FAN; nth++)
    to = packNode(child + nth, shift, first + (nth << shift), pagesOfChild(pages, nth, shift), to);
  return to;
}

function packPositions(first: u32, pages: u32, count: u32, flip: u64, to: usize): usize {
  to = writeNumber(to, count);
  collectPositions(first, pages, flip);
  return to + ((writeFolded(NUMBERS, count, pages - count, to, 0) + 7) >>> 3);
}

// Of the bits that differ from `flip`: how many of the others lie before each.
function collectPositions(first: u32, pages: u32, flip: u64): void {
  let to = NUMBERS;
  for (let leaf: u32 = 0; leaf < pages; leaf += LEAF_PAGES) {
    const set = load<u32>(SETS + 4 * (FIRST_LEAF + ((first + leaf) >>> LEAF_SHIFT)));
    const end = min<u32>(pages, leaf + LEAF_PAGES);
    const count = flip == 0 ? set : end - leaf - set;
    const past = to + 4 * <usize>count;
    for (let page = leaf; to < past; page += 64) {
      let bits = load<u64>(BITS + ((first + page) >>> 3)) ^ flip;
      if (page + 64 > end) bits &= ((<u64>1) << (end - page)) - 1;
      to = storeBits(to, bits, page);
    }
  }
  let nth = i32x4(0, 1, 2, 3);
  for (let at = NUMBERS; at < to; at += 16) {
    v128.store(at, i32x4.sub(v128.load(at), nth));
    nth = i32x4.add(nth, i32x4.splat(4));
  }
}

function packRuns(first: u32, pages: u32, set: u32, runs: u32, to: usize): usize {
  to = writeNumber(writeNumber(to, set), runs);
  const lengths = NUMBERS + 4 * <usize>runs;
  collectRuns(first, pages, lengths);
  const bit = writeFolded(NUMBERS, runs, pages - set - (runs - 1), to, 0);
  return to + ((writeFolded(lengths, runs - 1, set - runs, to, bit) + 7) >>> 3);
}

// How many clear pages lie before each run, and how many set ones up to its end; less those that must be there anyhow.
function collectRuns(first: u32, pages: u32, lengths: usize): void {
  collectEdges(first, pages, lengths);
  let set: u32 = 0;
  for (let nth: u32 = 0, at = NUMBERS, to = lengths; at < lengths; at += 4, to += 4) {
    const start = load<u32>(at);
    store<u32>(at, start - set - nth);
    set += load<u32>(to) - start;
    store<u32>(to, set - ++nth);
  }
}

// Where each run begins, and behind them where each ends, but for one that ends with the node.
function collectEdges(first: u32, pages: u32, ends: usize): void {
  let starts = NUMBERS;
  let before: u64 = 0;
  for (let page: u32 = 0; page < pages; page += 64) {
    if ((page & (LEAF_PAGES - 1)) == 0 && before == 0) {
      while (page < pages && load<u32>(SETS + 4 * (FIRST_LEAF + ((first + page) >>> LEAF_SHIFT))) == 0)
        page += LEAF_PAGES;
      if (page >= pages) break;
    }
    const bits = load<u64>(BITS + ((first + page) >>> 3));
    const shifted = (bits << 1) | before;
    before = bits >>> 63;
    if (bits == shifted) continue;
    ends = storeBits(ends, shifted & ~bits, page);
    starts = storeBits(starts, bits & ~shifted, page);
  }
}

// Stores which bits are set, counted from `page` on, and answers where they end.
function storeBits(to: usize, bits: u64, page: u32): usize {
  for (; bits != 0; to += 4, bits &= bits - 1) store<u32>(to, page + <u32>ctz(bits));
  return to;
}

function writeNumber(to: usize, value: u32): usize {
  while (value >= 0x80) {
    store<u8>(to++, <u8>(value | 0x80));
    value >>>= 7;
  }
  store<u8>(to, <u8>value);
  return to + 1;
}
