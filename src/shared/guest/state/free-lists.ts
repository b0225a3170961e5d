// The free blocks of a heap by their size: a list for each class of sizes, and bits that say which lists are not empty.
// Knows how a block is laid out; what lies between the free blocks, and which may be merged, is heap.ts's.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';

// A block: its size with two flags, its check word, and then the bytes, which lie on 16. A free one has there the next and
// the previous free block of its class, and in its last 8 bytes where it begins.
export const CHECK_AT = 4;
export const HEADER_BYTES = 8;
const NEXT_AT = 8;
const PREVIOUS_AT = 16;
export const IS_FREE = 1;
export const IS_BEHIND_FREE = 2;
export const FLAGS = 15;
export const BLOCK_BYTES_MIN = 32;
/** Sizes stay positive in a signed word. */
export const BLOCK_BYTES_MAX = 2 ** 31 - 16;

/** What the check word of a free block is made with. */
export const FREE = 0x0f4eeb10;

/** Sizes below this have a class for each 16 bytes; above, eight classes for each power of two. */
const SMALL_BYTES = 128;
const ROWS = 25;
const CLASSES_PER_ROW = 8;

// Layout: which rows have a free block, of each row which of its classes, and the first block of each class, 0 for none.
const CLASSES_AT = 8;
const HEADS_AT = CLASSES_AT + 4 * 26;

/** What the lists take: zero when there is no free block. */
export const FREE_LISTS_BYTES = HEADS_AT + 8 * CLASSES_PER_ROW * ROWS;

/** The class that holds free blocks of `size`: those of at least its smallest size. */
function classOf(size: number): number {
  if (size < SMALL_BYTES) return size >>> 4;
  const log = 31 - Math.clz32(size);
  return ((log - 6) << 3) | ((size >>> (log - 3)) & 7);
}

export class FreeLists {
  readonly #memory: GuestMemory;
  readonly #gpa: number;

  constructor(memory: GuestMemory, gpa: number) {
    this.#memory = memory;
    this.#gpa = gpa;
  }

  /**
   * Takes a free block of at least `size` bytes off its list, the smallest of those that surely fit; 0 when there is none.
   * Of the size's own class only the first is looked at: any of it may be too small.
   */
  takeFit(size: number): number {
    const memory = this.#memory;
    const gpa = this.#gpa;
    const own = classOf(size);
    const first = memory.loadF64(gpa + HEADS_AT + 8 * own);
    if (first !== 0 && (memory.load32(first) & ~FLAGS) >= size) {
      this.#unlinkFirst(first, own);
      return first;
    }
    let row = (own + 1) >>> 3;
    if (row >= ROWS) return 0;
    let classes = memory.load32(gpa + CLASSES_AT + 4 * row) & (-1 << ((own + 1) & 7));
    if (classes === 0) {
      const rows = memory.load32(gpa) & (-2 << row);
      if (rows === 0) return 0;
      row = lowestBit(rows);
      classes = memory.load32(gpa + CLASSES_AT + 4 * row);
    }
    const found = (row << 3) | lowestBit(classes);
    const block = memory.loadF64(gpa + HEADS_AT + 8 * found);
    this.#unlinkFirst(block, found);
    return block;
  }

  #unlinkFirst(block: number, ofClass: number): void {
    const memory = this.#memory;
    const next = memory.loadF64(block + NEXT_AT);
    memory.storeF64(this.#gpa + HEADS_AT + 8 * ofClass, next);
    if (next !== 0) memory.storeF64(next + PREVIOUS_AT, 0);
    else this.#clearClass(ofClass);
  }

  /** Takes a free block of `size` bytes off its list. */
  unlink(block: number, size: number): void {
    const memory = this.#memory;
    const previous = memory.loadF64(block + PREVIOUS_AT);
    if (previous === 0) {
      this.#unlinkFirst(block, classOf(size));
      return;
    }
    const next = memory.loadF64(block + NEXT_AT);
    memory.storeF64(previous + NEXT_AT, next);
    if (next !== 0) memory.storeF64(next + PREVIOUS_AT, previous);
  }

  #clearClass(ofClass: number): void {
    const memory = this.#memory;
    const row = ofClass >>> 3;
    const classesAt = this.#gpa + CLASSES_AT + 4 * row;
    const classes = memory.load32(classesAt) & ~(1 << (ofClass & 7));
    memory.store32(classesAt, classes);
    if (classes === 0) {
      memory.store32(this.#gpa, memory.load32(this.#gpa) & ~(1 << row));
    }
  }

  /** Makes `size` bytes at `block` a free block, first in the list of its class, and tells the block behind it. */
  put(block: number, size: number, flags: number): void {
    const memory = this.#memory;
    const gpa = this.#gpa;
    const ofClass = classOf(size);
    const row = ofClass >>> 3;
    const headAt = gpa + HEADS_AT + 8 * ofClass;
    const first = memory.loadF64(headAt);
    memory.store32(block, size | flags | IS_FREE);
    memory.store32(block + CHECK_AT, (block + size) ^ FREE);
    memory.storeF64(block + NEXT_AT, first);
    memory.storeF64(block + PREVIOUS_AT, 0);
    memory.storeF64(block + size - 8, block);
    memory.storeF64(headAt, block);
    if (first !== 0) memory.storeF64(first + PREVIOUS_AT, block);
    else {
      const classesAt = gpa + CLASSES_AT + 4 * row;
      memory.store32(classesAt, memory.load32(classesAt) | (1 << (ofClass & 7)));
      memory.store32(gpa, memory.load32(gpa) | (1 << row));
    }
    const next = block + size;
    memory.store32(next, memory.load32(next) | IS_BEHIND_FREE);
  }
}

function lowestBit(word: number): number {
  return 31 - Math.clz32(word & -word);
}
