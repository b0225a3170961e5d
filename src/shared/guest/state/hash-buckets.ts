// The buckets of a hash map in guest memory: heads of chains, one more at a time (linear hashing), and a walk over all of
// them that survives it. Knows of an entry where it has its hash and the next of its bucket, and nothing else.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import type { Heap } from './heap.js';
import { GuestStateError, gpaText } from './state-error.js';

/** An entry begins with the gpa of the next one of its bucket, 0 for none; here is its hash. */
export const HASH_AT = 8;

/**
 * Layout: how many buckets there are, and from PARTS_AT on the parts that they lie in. Bucket b lies 8 b bytes from what its
 * part's place says: part k has the buckets from 2^k up to 2^(k+1), and the first part all before too. A part is taken from
 * the heap as a whole and touched only as its buckets come into being.
 */
const PARTS_AT = 8;
const FIRST_PART = 3;
const FIRST_BUCKETS = 2 << FIRST_PART;
/** The largest part that a block of a heap can hold is that of 2^27 buckets. */
const BUCKETS_MAX = 2 ** 28;
const SHRINK_STEPS = 9;

export const HASH_BUCKETS_BYTES = PARTS_AT + 8 * 28;

export class HashBuckets {
  readonly #memory: GuestMemory;
  readonly #gpa: number;

  static create(memory: GuestMemory, gpa: number, heap: Heap): void {
    const buckets = heap.allocate(8 * FIRST_BUCKETS);
    memory.fill(buckets, 8 * FIRST_BUCKETS, 0);
    memory.fill(gpa, HASH_BUCKETS_BYTES, 0);
    memory.storeF64(gpa + PARTS_AT + 8 * FIRST_PART, buckets);
    memory.store32(gpa, FIRST_BUCKETS);
  }

  constructor(memory: GuestMemory, gpa: number) {
    this.#memory = memory;
    this.#gpa = gpa;
  }

  /** Gives all parts back. */
  destroy(heap: Heap): void {
    for (let part = FIRST_PART, bucket = 0; bucket < this.count; bucket = 2 ** ++part) {
      heap.free(this.#gpaOfBucket(bucket));
    }
  }

  get count(): number {
    return this.#memory.load32(this.#gpa);
  }

  /** Where the gpa of the first entry of a hash's bucket stands. */
  headFor(hash: number): number {
    const memory = this.#memory;
    const buckets = memory.load32(this.#gpa);
    const mask = -1 >>> Math.clz32(buckets - 1);
    let bucket = hash & mask;
    if (bucket >= buckets) bucket &= mask >>> 1;
    return this.#gpaOfBucket(bucket);
  }

  #gpaOfBucket(bucket: number): number {
    const part = 31 - Math.clz32(bucket | (FIRST_BUCKETS - 1));
    return this.#memory.loadF64(this.#gpa + PARTS_AT + 8 * part) + 8 * bucket;
  }

  /** Where the gpa of this entry stands: in its bucket, or in the entry before it. */
  linkTo(entry: number): number {
    const memory = this.#memory;
    let link = this.headFor(memory.load32(entry + HASH_AT));
    for (;;) {
      const at = memory.loadF64(link);
      if (at === entry) return link;
      if (at === 0) {
        throw new GuestStateError(
          `${gpaText(entry)} is no entry of this map: it was removed, or resized and lies elsewhere`,
        );
      }
      link = at;
    }
  }

  /** The cursor behind the bucket that a walk is in at `cursor`; 0 behind the last. */
  cursorAfter(cursor: number): number {
    const buckets = this.count;
    const mask = -1 >>> Math.clz32(buckets - 1);
    const half = mask >>> 1;
    // Of the pairs of buckets that differ in the highest bit, the first ones are split.
    const isSplit = (hashOfCursor(cursor) & half) < buckets - half - 1;
    const bits = 32 - Math.clz32(mask) - (isSplit ? 0 : 1);
    const hashesInBucket = 2 ** (32 - bits);
    const next = (Math.floor((cursor >>> 0) / hashesInBucket) + 1) * hashesInBucket;
    return next === 2 ** 32 ? 0 : next;
  }

  /**
   * One bucket more: the oldest that was not split is, by one more bit of its entries' hashes. Only links that change are
   * stored, so that a split dirties few pages. Without room for more buckets the chains grow instead.
   */
  splitOne(heap: Heap): void {
    const memory = this.#memory;
    const bucket = this.count;
    if (bucket >= BUCKETS_MAX) return;
    const bit = 1 << (31 - Math.clz32(bucket));
    if (bucket === bit) {
      const part = heap.tryAllocate(8 * bit);
      if (part === 0) return;
      memory.storeF64(this.#gpa + PARTS_AT + 8 * (31 - Math.clz32(bit)), part - 8 * bit);
    }
    let stays = this.#gpaOfBucket(bucket - bit);
    let goes = this.#gpaOfBucket(bucket);
    let entry = memory.loadF64(stays);
    memory.storeF64(goes, 0);
    while (entry !== 0) {
      if ((memory.load32(entry + HASH_AT) & bit) === 0) {
        if (memory.loadF64(stays) !== entry) memory.storeF64(stays, entry);
        stays = entry;
      } else {
        if (memory.loadF64(goes) !== entry) memory.storeF64(goes, entry);
        goes = entry;
      }
      entry = memory.loadF64(entry);
    }
    if (memory.loadF64(stays) !== 0) memory.storeF64(stays, 0);
    if (memory.loadF64(goes) !== 0) memory.storeF64(goes, 0);
    memory.store32(this.#gpa, bucket + 1);
  }

  /** Some buckets less where there are far more than `count` entries, and faster than entries can go. */
  shrinkFor(count: number, heap: Heap): void {
    for (let step = 0; step < SHRINK_STEPS && count * 8 < this.count; step++) this.#mergeOne(heap);
  }

  /** One bucket less: the newest goes back into the one that it was split from. */
  #mergeOne(heap: Heap): void {
    const memory = this.#memory;
    const bucket = this.count - 1;
    if (bucket < FIRST_BUCKETS) return;
    const bit = 1 << (31 - Math.clz32(bucket));
    let end = this.#gpaOfBucket(bucket - bit);
    for (let entry = memory.loadF64(end); entry !== 0; entry = memory.loadF64(end)) end = entry;
    memory.storeF64(end, memory.loadF64(this.#gpaOfBucket(bucket)));
    memory.store32(this.#gpa, bucket);
    if (bucket === bit) heap.free(this.#gpaOfBucket(bucket));
  }
}

/**
 * The hash that a walk is at: its cursor with its bits in reverse order. In this order the hashes of a bucket are one piece,
 * and those of the two that it is split into are its halves, so that no split ever moves what is behind a cursor before it.
 */
export function hashOfCursor(cursor: number): number {
  let bits = cursor;
  bits = ((bits >>> 1) & 0x55555555) | ((bits & 0x55555555) << 1);
  bits = ((bits >>> 2) & 0x33333333) | ((bits & 0x33333333) << 2);
  bits = ((bits >>> 4) & 0x0f0f0f0f) | ((bits & 0x0f0f0f0f) << 4);
  bits = ((bits >>> 8) & 0x00ff00ff) | ((bits & 0x00ff00ff) << 8);
  return (bits >>> 16) | (bits << 16);
}

/** How many parts, each a block of a heap, so many buckets lie in. */
export function partsOf(buckets: number): number {
  return 31 - Math.clz32(buckets - 1) - FIRST_PART + 1;
}
