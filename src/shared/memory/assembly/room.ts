// What lies where in the memory of the bitmaps' kernels, and the tree of nodes that a block is cut into.
// Knows sizes only. The TypeScript side reads the addresses from here.

/** A block has 2^20 pages; each node of the upper two levels has 16 children. */
export const BLOCK_SHIFT: u32 = 20;
export const FAN_SHIFT: u32 = 4;
export const FAN: u32 = 1 << FAN_SHIFT;
export const LEAF_SHIFT: u32 = BLOCK_SHIFT - 2 * FAN_SHIFT;
export const LEAF_PAGES: u32 = 1 << LEAF_SHIFT;
export const LEAF_BYTES: u32 = LEAF_PAGES / 8;
export const LEAVES: u32 = FAN * FAN;

/** Nodes are numbered as in a heap: the root is 0, the children of `n` are 16 n + 1 to 16 n + 16. */
export const NODES: u32 = 1 + FAN + LEAVES;
export const FIRST_LEAF: u32 = 1 + FAN;

/** The bits of a block. */
export const BITS: usize = 0;
export const BLOCK_BYTES: usize = 1 << (BLOCK_SHIFT - 3);
/** Of each node its set pages and its runs, u32 each, and its kind, u8; then the kinds that an encoded block states. */
export const SETS: usize = BITS + BLOCK_BYTES + 64;
export const RUNS: usize = SETS + 4 * NODES;
export const KINDS: usize = RUNS + 4 * NODES;
export const STATED: usize = KINDS + NODES;
/** The numbers of one node, u32 each: fewer than half as many as a block has bytes. */
export const NUMBERS: usize = (STATED + NODES + 63) & ~63;
export const PACKED: usize = NUMBERS + 2 * BLOCK_BYTES + 64;

/** The form of a node. */
export const CLEAR: u32 = 0;
export const SET: u32 = 1;
export const RAW: u32 = 2;
export const POSITIONS: u32 = 3;
export const HOLES: u32 = 4;
export const RUN_LENGTHS: u32 = 5;
export const SPLIT: u32 = 6;
/** Bytes of the kinds of a node's children, three bits each. */
export const KINDS_BYTES: u32 = (3 * FAN) / 8;

/** How many of `pages` pages are left from the `nth` child of 2^`shift` pages on, up to one child's worth. */
export function pagesOfChild(pages: u32, nth: u32, shift: u32): u32 {
  const from = nth << shift;
  if (from >= pages) return 0;
  return min<u32>(pages - from, 1 << shift);
}
