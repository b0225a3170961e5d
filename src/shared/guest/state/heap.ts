// A free-list allocator over guest memory: two-level segregated fit (TLSF), every operation in a bounded number of steps.
// For one vCPU at a time, or under a lock; it knows nothing of what lies in the blocks.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import {
  BLOCK_BYTES_MAX,
  BLOCK_BYTES_MIN,
  CHECK_AT,
  FLAGS,
  FREE,
  FREE_LISTS_BYTES,
  FreeLists,
  HEADER_BYTES,
  IS_BEHIND_FREE,
  IS_FREE,
} from './free-lists.js';
import { AllocatorFullError, checkAligned, GuestStateError, gpaText } from './state-error.js';

const MAGIC = 0x48656170;

// Layout from the heap's gpa on. Above the first block lies what was never handed out: no byte of it is touched.
const END_AT = 8;
const TOP_AT = 16;
const USED_BYTES_AT = 24;
const USED_BLOCKS_AT = 32;
const LISTS_AT = 40;
const FIRST_BLOCK_AT = LISTS_AT + FREE_LISTS_BYTES;

const ALLOCATED = 0x5a11c0de;

/**
 * A heap. All of its state lies in guest memory: make it once, in `boot`, with `Heap.create`, and have views of it by
 * `new Heap(memory, gpa)`. Only one vCPU may use it at a time: give each its own, or hold a lock.
 */
export class Heap {
  /** Where it lies. */
  readonly gpa: number;
  readonly #memory: GuestMemory;
  readonly #lists: FreeLists;

  /** Makes a heap of `byteCount` bytes at `gpa`, which 16 divides; its first 1.7 KiB are its own. */
  static create(memory: GuestMemory, gpa: number, byteCount: number): Heap {
    checkAligned(gpa, 16, 'a heap');
    if (!(byteCount >= FIRST_BLOCK_AT + BLOCK_BYTES_MIN && gpa + byteCount <= memory.memoryBytes)) {
      throw new GuestStateError(
        `a heap at ${gpaText(gpa)} cannot have ${byteCount} bytes: at least ${FIRST_BLOCK_AT + BLOCK_BYTES_MIN}, and within guest memory`,
      );
    }
    memory.fill(gpa, FIRST_BLOCK_AT, 0);
    memory.storeF64(gpa + END_AT, gpa + byteCount);
    memory.storeF64(gpa + TOP_AT, gpa + FIRST_BLOCK_AT);
    memory.store32(gpa, MAGIC);
    return new Heap(memory, gpa);
  }

  /** The heap that was made at `gpa`. */
  constructor(memory: GuestMemory, gpa: number) {
    if (memory.load32(gpa) !== MAGIC) {
      throw new GuestStateError(`there is no heap at ${gpaText(gpa)}: make one with Heap.create in boot`);
    }
    this.#memory = memory;
    this.gpa = gpa;
    this.#lists = new FreeLists(memory, gpa + LISTS_AT);
  }

  /** Bytes in use, with the header of each block. */
  get usedBytes(): number {
    return this.#memory.loadF64(this.gpa + USED_BYTES_AT);
  }

  /** Blocks in use. */
  get usedBlocks(): number {
    return this.#memory.loadF64(this.gpa + USED_BLOCKS_AT);
  }

  /** Bytes in all. */
  get byteCount(): number {
    return this.#memory.loadF64(this.gpa + END_AT) - this.gpa - FIRST_BLOCK_AT;
  }

  /**
   * Answers the gpa of `byteCount` bytes that are yours until you free them; 16 divides it. They hold what lay there before.
   * @throws AllocatorFullError when there is no room.
   */
  allocate(byteCount: number): number {
    const gpa = this.tryAllocate(byteCount);
    if (gpa !== 0) return gpa;
    throw new AllocatorFullError(
      `the heap at ${gpaText(this.gpa)} has no room for ${byteCount} bytes (${this.usedBytes} of ${this.byteCount} are in use): make it larger, or free something`,
    );
  }

  /** As `allocate`, but answers 0 when there is no room. */
  tryAllocate(byteCount: number): number {
    if (!(byteCount >= 0)) throw new GuestStateError(`a block cannot have ${byteCount} bytes`);
    if (byteCount > BLOCK_BYTES_MAX - HEADER_BYTES) return 0;
    const memory = this.#memory;
    const { gpa } = this;
    let size = Math.max(BLOCK_BYTES_MIN, (Math.ceil(byteCount) + HEADER_BYTES + 15) & ~15);
    let block = this.#lists.takeFit(size);
    let flags = 0;
    if (block === 0) {
      block = memory.loadF64(gpa + TOP_AT);
      if (block + size > memory.loadF64(gpa + END_AT)) return 0;
      memory.storeF64(gpa + TOP_AT, block + size);
    } else {
      const word = memory.load32(block);
      const rest = (word & ~FLAGS) - size;
      flags = word & IS_BEHIND_FREE;
      // What follows a free block is never the top: that would have taken it in.
      if (rest >= BLOCK_BYTES_MIN) this.#lists.put(block + size, rest, 0);
      else {
        size += rest;
        const next = block + size;
        memory.store32(next, memory.load32(next) & ~IS_BEHIND_FREE);
      }
    }
    memory.store32(block, size | flags);
    memory.store32(block + CHECK_AT, (block + size) ^ ALLOCATED);
    memory.storeF64(gpa + USED_BYTES_AT, memory.loadF64(gpa + USED_BYTES_AT) + size);
    memory.storeF64(gpa + USED_BLOCKS_AT, memory.loadF64(gpa + USED_BLOCKS_AT) + 1);
    return block + HEADER_BYTES;
  }

  /** How many bytes the block at `gpa` really has: at least as many as were asked for. */
  usableBytes(gpa: number): number {
    const block = gpa - HEADER_BYTES;
    return this.#checkedSize(block) - HEADER_BYTES;
  }

  /**
   * Takes back what `allocate` answered.
   * @throws GuestStateError when that is no block in use: it was freed before, or something wrote over its header.
   */
  free(gpa: number): void {
    const memory = this.#memory;
    let block = gpa - HEADER_BYTES;
    let size = this.#checkedSize(block);
    memory.storeF64(this.gpa + USED_BYTES_AT, memory.loadF64(this.gpa + USED_BYTES_AT) - size);
    memory.storeF64(this.gpa + USED_BLOCKS_AT, memory.loadF64(this.gpa + USED_BLOCKS_AT) - 1);
    // Wherever this header comes to lie, it shall not pass for that of a block in use.
    memory.store32(block + CHECK_AT, FREE);
    const next = block + size;
    const isLast = next === memory.loadF64(this.gpa + TOP_AT);
    let flags = memory.load32(block) & IS_BEHIND_FREE;
    if (flags !== 0) {
      const previous = memory.loadF64(block - 8);
      const word = memory.load32(previous);
      const previousSize = word & ~FLAGS;
      if (isLast || previousSize <= BLOCK_BYTES_MAX - size) {
        this.#lists.unlink(previous, previousSize);
        block = previous;
        size += previousSize;
        flags = word & IS_BEHIND_FREE;
      }
    }
    if (isLast) {
      this.#lowerTop(block, flags);
      return;
    }
    const word = memory.load32(next);
    const nextSize = word & ~FLAGS;
    if ((word & IS_FREE) !== 0 && nextSize <= BLOCK_BYTES_MAX - size) {
      this.#lists.unlink(next, nextSize);
      size += nextSize;
    }
    this.#lists.put(block, size, flags);
  }

  /** Walks over all blocks, used and free. Answers in a sentence what is broken first; undefined when nothing is. */
  findFault(): string | undefined {
    const memory = this.#memory;
    const top = memory.loadF64(this.gpa + TOP_AT);
    let usedBytes = 0;
    let usedBlocks = 0;
    let isBehindFree = false;
    let block = this.gpa + FIRST_BLOCK_AT;
    while (block < top) {
      const word = memory.load32(block);
      const size = word & ~FLAGS;
      const isFree = (word & IS_FREE) !== 0;
      const check = (block + size) ^ (isFree ? FREE : ALLOCATED);
      if (size < BLOCK_BYTES_MIN || memory.load32(block + CHECK_AT) !== check) {
        return `the header of the block at ${gpaText(block + HEADER_BYTES)} is broken`;
      }
      if (((word & IS_BEHIND_FREE) !== 0) !== isBehindFree) {
        return `the block at ${gpaText(block + HEADER_BYTES)} is wrong about the one before it`;
      }
      if (!isFree) {
        usedBytes += size;
        usedBlocks++;
      } else if (memory.loadF64(block + size - 8) !== block) {
        return `the end of the free block at ${gpaText(block + HEADER_BYTES)} is broken`;
      }
      isBehindFree = isFree;
      block += size;
    }
    if (block !== top || isBehindFree)
      return `the last block ends at ${gpaText(block)}, not at ${gpaText(top)}`;
    if (usedBytes === this.usedBytes && usedBlocks === this.usedBlocks) return undefined;
    return `${usedBlocks} blocks of ${usedBytes} bytes are in use, and ${this.usedBlocks} of ${this.usedBytes} are counted`;
  }

  #checkedSize(block: number): number {
    const memory = this.#memory;
    if (block >= this.gpa + FIRST_BLOCK_AT && block < memory.loadF64(this.gpa + TOP_AT) && block % 16 === 8) {
      const size = memory.load32(block) & ~FLAGS;
      if (memory.load32(block + CHECK_AT) === ((block + size) ^ ALLOCATED)) return size;
    }
    throw new GuestStateError(
      `${gpaText(block + HEADER_BYTES)} is no block in use of the heap at ${gpaText(this.gpa)}: it was freed before, was never allocated, or something wrote over the 8 bytes before it`,
    );
  }

  // The top begins at `block` from now on, or before it: what is free right below the top belongs to it.
  #lowerTop(block: number, flags: number): void {
    const memory = this.#memory;
    let top = block;
    for (let word = flags; (word & IS_BEHIND_FREE) !== 0;) {
      top = memory.loadF64(top - 8);
      word = memory.load32(top);
      this.#lists.unlink(top, word & ~FLAGS);
    }
    memory.storeF64(this.gpa + TOP_AT, top);
  }
}
