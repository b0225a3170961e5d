// Which form each node of a block takes: the one that weighs the least, by exact counts.
// Knows counts of pages and of runs; the forms are written and read in packing.ts.
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
  LEAVES,
  pagesOfChild,
  POSITIONS,
  RAW,
  RUN_LENGTHS,
  RUNS,
  SET,
  SETS,
  SPLIT,
} from './room';

/** Bytes that a number weighs beside its own: what writing and reading it takes, on a link of 2.5 Gbit/s. */
export const NUMBER_WEIGHT: u32 = 2;

/** Bytes of a number as LEB128. */
export function numberBytes(value: u32): u32 {
  return value < 0x80 ? 1 : value < 0x4000 ? 2 : 3;
}

/** How many low bits are kept apart of each of `count` ascending numbers up to `last`. */
export function lowBitsOf(count: u32, last: u32): u32 {
  if (count == 0 || last < count) return 0;
  let shift = clz(count) - clz(last);
  if (count << shift > last) shift--;
  return shift;
}

/** Bits that they take: the low ones, and a unary number each of how far the rest goes up. */
export function foldedBits(count: u32, last: u32): u32 {
  if (count == 0) return 0;
  const shift = lowBitsOf(count, last);
  return count * (shift + 1) + (last >>> shift);
}

/** Bytes of the positions of `count` of `pages` pages, and how many they are. */
export function positionsBytes(count: u32, pages: u32): u32 {
  return numberBytes(count) + ((foldedBits(count, pages - count) + 7) >>> 3);
}

/** Bytes of `runs` runs of `set` of `pages` pages, and how many they are. */
export function runsBytes(set: u32, runs: u32, pages: u32): u32 {
  const bits = foldedBits(runs, pages - set - (runs - 1)) + foldedBits(runs - 1, set - runs);
  return numberBytes(set) + numberBytes(runs) + ((bits + 7) >>> 3);
}

/** Plans the block whose first `pages` bits lie at BITS, clear behind them to the end of a leaf; answers the root's kind. */
export function planBlock(pages: u32): u32 {
  countLeaves(pages);
  weigh(0, BLOCK_SHIFT, pages);
  return load<u8>(KINDS);
}

// A node's runs are those that begin in it, times 2, and in the lowest bit one that goes on into it from before.
function countLeaves(pages: u32): void {
  const leaves = (pages + LEAF_PAGES - 1) >>> LEAF_SHIFT;
  let before: u64 = 0;
  for (let leaf: u32 = 0; leaf < LEAVES; leaf++) {
    const node = FIRST_LEAF + leaf;
    const at = BITS + <usize>leaf * LEAF_BYTES;
    if (leaf >= leaves || isClear(at)) {
      store<u32>(SETS + 4 * node, 0);
      store<u32>(RUNS + 4 * node, 0);
      before = 0;
      continue;
    }
    let set: u64 = 0;
    let begins: u64 = 0;
    const goesOn = before & load<u64>(at);
    for (let word = at; word < at + LEAF_BYTES; word += 8) {
      const bits = load<u64>(word);
      set += popcnt(bits);
      begins += popcnt(bits & ~((bits << 1) | before));
      before = bits >>> 63;
    }
    store<u32>(SETS + 4 * node, <u32>set);
    store<u32>(RUNS + 4 * node, <u32>((begins << 1) | (goesOn & 1)));
  }
}

function isClear(at: usize): bool {
  let all = v128.load(at);
  for (let vector = at + 16; vector < at + LEAF_BYTES; vector += 16) all = v128.or(all, v128.load(vector));
  return !v128.any_true(all);
}

// The lightest form of a node; of two that weigh the same, the one with the lower number. Answers its weight.
function weigh(node: u32, shift: u32, pages: u32): u32 {
  const parts = node < FIRST_LEAF ? weighChildren(node, shift, pages) : 0;
  const set = load<u32>(SETS + 4 * node);
  if (set == 0) return choose(node, CLEAR, 0);
  if (set == pages) return choose(node, SET, 0);
  const halves = load<u32>(RUNS + 4 * node);
  const runs = (halves >>> 1) + (halves & 1);
  let kind = RAW;
  let least = (pages + 7) >>> 3;
  // Whatever cannot become lighter is not weighed to the end.
  if (NUMBER_WEIGHT * set + 1 < least) {
    const weight = NUMBER_WEIGHT * set + positionsBytes(set, pages);
    if (weight < least) {
      kind = POSITIONS;
      least = weight;
    }
  }
  if (NUMBER_WEIGHT * (pages - set) + 1 < least) {
    const weight = NUMBER_WEIGHT * (pages - set) + positionsBytes(pages - set, pages);
    if (weight < least) {
      kind = HOLES;
      least = weight;
    }
  }
  if (NUMBER_WEIGHT * 2 * runs + 2 < least) {
    const weight = NUMBER_WEIGHT * 2 * runs + runsBytes(set, runs, pages);
    if (weight < least) {
      kind = RUN_LENGTHS;
      least = weight;
    }
  }
  if (node < FIRST_LEAF && KINDS_BYTES + parts < least) return choose(node, SPLIT, KINDS_BYTES + parts);
  return choose(node, kind, least);
}

function choose(node: u32, kind: u32, weight: u32): u32 {
  store<u8>(KINDS + node, <u8>kind);
  return weight;
}

// Of a node's children: what they weigh together; their sums are the node's own.
function weighChildren(node: u32, shift: u32, pages: u32): u32 {
  const childShift = shift - FAN_SHIFT;
  let weight: u32 = 0;
  let set: u32 = 0;
  let begins: u32 = 0;
  for (let nth: u32 = 0; nth < FAN; nth++) {
    const child = node * FAN + 1 + nth;
    weight += weigh(child, childShift, pagesOfChild(pages, nth, childShift));
    set += load<u32>(SETS + 4 * child);
    begins += load<u32>(RUNS + 4 * child) & ~1;
  }
  store<u32>(SETS + 4 * node, set);
  store<u32>(RUNS + 4 * node, begins | (load<u32>(RUNS + 4 * (node * FAN + 1)) & 1));
  return weight;
}
