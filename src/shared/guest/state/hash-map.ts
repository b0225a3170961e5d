// A hash map of bytes to bytes in guest memory: chains that grow by one bucket at a time (linear hashing), so that no insert
// is ever slow. For one vCPU at a time, or under a lock; it knows nothing of what the bytes mean.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import { Heap } from './heap.js';
import { HASH_AT, HASH_BUCKETS_BYTES, HashBuckets, hashOfCursor } from './hash-buckets.js';
import { copyIn, hashOfBytes, holdsBytes } from './key-bytes.js';
import { GuestStateError, gpaText } from './state-error.js';

const MAGIC = 0x4d617020;

// Layout from the map's gpa on: the entries that it has, and then its buckets.
const SEED_AT = 4;
const COUNT_AT = 8;
/** Where `clear` is. */
const CURSOR_AT = 12;
const HEAP_AT = 16;
const BUCKETS_AT = 24;
const MAP_BYTES = BUCKETS_AT + HASH_BUCKETS_BYTES;

// An entry: the next of its bucket and its hash (hash-buckets.ts), then these, then the value, which lies on 8, then the key.
const KEY_LENGTH_AT = 12;
const VALUE_LENGTH_AT = 16;
const VALUE_CAPACITY_AT = 20;
const VALUE_AT = 24;

/** A key and a value together stay below what a block of a heap can hold. */
const ENTRY_BYTES_MAX = 2 ** 31 - 64;
/** A value that shrinks below a quarter of its room gives the rest back, where that is worth a move. */
const SHRINK_BYTES_MIN = 256;

/**
 * A hash map. All of its state lies in guest memory: make it once, in `boot`, with `HashMap.create`, and have views of it by
 * `new HashMap(memory, gpa)`. Only one vCPU may use a map and its heap at a time.
 *
 * What `find` and others answer is an *entry*: its gpa, which is good until the entry is removed or resized. Its value may
 * be read and written in place, from `valueGpa` on, which 8 divides: a counter, a record or the head of a list can lie there.
 */
export class HashMap {
  /** Where it lies. */
  readonly gpa: number;
  /** Where its entries come from. */
  readonly heap: Heap;
  readonly #memory: GuestMemory;
  readonly #buckets: HashBuckets;

  /** Makes an empty map on `heap`, which it may share with anything else; `seed` is that of its hashes. */
  static create(memory: GuestMemory, heap: Heap, seed: number): HashMap {
    const gpa = heap.allocate(MAP_BYTES);
    memory.store32(gpa + SEED_AT, seed);
    memory.store32(gpa + COUNT_AT, 0);
    memory.store32(gpa + CURSOR_AT, 0);
    HashBuckets.create(memory, gpa + BUCKETS_AT, heap);
    memory.storeF64(gpa + HEAP_AT, heap.gpa);
    memory.store32(gpa, MAGIC);
    return new HashMap(memory, gpa);
  }

  /** The map that was made at `gpa`. */
  constructor(memory: GuestMemory, gpa: number) {
    if (memory.load32(gpa) !== MAGIC) {
      throw new GuestStateError(`there is no map at ${gpaText(gpa)}: make one with HashMap.create in boot`);
    }
    this.#memory = memory;
    this.gpa = gpa;
    this.heap = new Heap(memory, memory.loadF64(gpa + HEAP_AT));
    this.#buckets = new HashBuckets(memory, gpa + BUCKETS_AT);
  }

  /** How many entries it has. */
  get count(): number {
    return this.#memory.load32(this.gpa + COUNT_AT);
  }

  /** How many buckets they are in. */
  get buckets(): number {
    return this.#buckets.count;
  }

  /** Bytes of the key of an entry. */
  keyLength(entry: number): number {
    return this.#memory.load32(entry + KEY_LENGTH_AT);
  }

  /** Where the key's bytes lie, on 8. They must not be changed. */
  keyGpa(entry: number): number {
    return entry + VALUE_AT + this.#memory.load32(entry + VALUE_CAPACITY_AT);
  }

  /** Bytes of its value. */
  valueLength(entry: number): number {
    return this.#memory.load32(entry + VALUE_LENGTH_AT);
  }

  /** Where the value's bytes lie, on 8. */
  valueGpa(entry: number): number {
    return entry + VALUE_AT;
  }

  /** How long the value can become without a move of its entry. */
  valueCapacity(entry: number): number {
    return this.#memory.load32(entry + VALUE_CAPACITY_AT);
  }

  /** The entry of the key in `length` bytes from `from` on; 0 when there is none. */
  find(key: Uint8Array, from = 0, length = key.length - from): number {
    return this.#find(
      hashOfBytes(key, from, length, this.#memory.load32(this.gpa + SEED_AT)),
      key,
      from,
      length,
    );
  }

  /**
   * Adds an entry for a key that is not there, with room for a value of `valueBytes`, which is not filled; answers it.
   * @throws AllocatorFullError when its heap has no room; nothing is changed then.
   */
  insert(key: Uint8Array, from: number, length: number, valueBytes: number): number {
    const hash = hashOfBytes(key, from, length, this.#memory.load32(this.gpa + SEED_AT));
    return this.#insert(hash, key, from, length, valueBytes);
  }

  /**
   * Gives a key a value, whether it is there or not; answers the entry.
   * @throws AllocatorFullError when its heap has no room; nothing is changed then.
   */
  set(
    key: Uint8Array,
    keyFrom: number,
    keyLength: number,
    value: Uint8Array,
    valueFrom = 0,
    valueLength = value.length - valueFrom,
  ): number {
    const hash = hashOfBytes(key, keyFrom, keyLength, this.#memory.load32(this.gpa + SEED_AT));
    let entry = this.#find(hash, key, keyFrom, keyLength);
    entry =
      entry === 0
        ? this.#insert(hash, key, keyFrom, keyLength, valueLength)
        : this.resize(entry, valueLength);
    copyIn(this.#memory, entry + VALUE_AT, value, valueFrom, valueLength);
    return entry;
  }

  /**
   * Makes an entry's value `valueBytes` long, and keeps what fits of it. Answers the entry, which may lie elsewhere now: then
   * it has room for `roomBytes`, so that a value which grows bit by bit need not move each time.
   * @throws AllocatorFullError when its heap has no room; nothing is changed then.
   */
  resize(entry: number, valueBytes: number, roomBytes = valueBytes): number {
    const memory = this.#memory;
    const capacity = memory.load32(entry + VALUE_CAPACITY_AT);
    if (
      valueBytes <= capacity &&
      (capacity < SHRINK_BYTES_MIN || Math.max(valueBytes, roomBytes) * 4 > capacity)
    ) {
      memory.store32(entry + VALUE_LENGTH_AT, valueBytes);
      return entry;
    }
    const hash = memory.load32(entry + HASH_AT);
    const keyLength = memory.load32(entry + KEY_LENGTH_AT);
    const moved = this.#allocateEntry(
      hash,
      keyLength,
      Math.max(valueBytes, roomBytes),
      valueBytes <= capacity,
    );
    if (moved === 0) {
      memory.store32(entry + VALUE_LENGTH_AT, valueBytes);
      return entry;
    }
    memory.store32(moved + VALUE_LENGTH_AT, valueBytes);
    memory.move(
      moved + VALUE_AT,
      entry + VALUE_AT,
      Math.min(valueBytes, memory.load32(entry + VALUE_LENGTH_AT)),
    );
    memory.move(this.keyGpa(moved), this.keyGpa(entry), keyLength);
    const link = this.#buckets.linkTo(entry);
    memory.storeF64(moved, memory.loadF64(entry));
    memory.storeF64(link, moved);
    this.heap.free(entry);
    return moved;
  }

  /** Removes the entry of a key; answers whether there was one. */
  remove(key: Uint8Array, from = 0, length = key.length - from): boolean {
    const entry = this.find(key, from, length);
    if (entry !== 0) this.removeEntry(entry);
    return entry !== 0;
  }

  /** Takes an entry out of the map and frees it. */
  removeEntry(entry: number): void {
    const memory = this.#memory;
    memory.storeF64(this.#buckets.linkTo(entry), memory.loadF64(entry));
    memory.store32(this.gpa + COUNT_AT, memory.load32(this.gpa + COUNT_AT) - 1);
    this.heap.free(entry);
  }

  /** Gives up some buckets where most are empty: to be called after each removal, where a map is to become small again. */
  shrink(): void {
    this.#buckets.shrinkFor(this.count, this.heap);
  }

  /**
   * One step of a walk over all entries: visits those of one bucket, and answers the cursor of the next step; 0 when the walk
   * is done. Begin with 0, or anywhere. Between steps anything may be done to the map, and it may be moved: an entry that is
   * there all the time is visited exactly once, or after a `shrink` in between perhaps twice, one that comes or goes meanwhile at most once. `visit` may remove the entry
   * that it is given, or change its value in place, and must not do anything else to the map.
   */
  scan(cursor: number, visit: (entry: number) => void): number {
    const next = this.#buckets.cursorAfter(cursor);
    let entry = this.#memory.loadF64(this.#buckets.headFor(hashOfCursor(cursor)));
    while (entry !== 0) {
      const following = this.#memory.loadF64(entry);
      visit(entry);
      entry = following;
    }
    return next;
  }

  /**
   * Removes entries, `limit` of them or a few more; answers whether the map is empty now. A large map is emptied by many
   * calls, in short slices.
   */
  clear(limit: number): boolean {
    const countMin = Math.max(0, this.count - limit);
    let cursor = this.#memory.load32(this.gpa + CURSOR_AT);
    // Empty buckets count as well: a map that has many of them and few entries takes more calls.
    for (let step = 0; step < limit && this.count > countMin; step++) {
      cursor = this.scan(cursor, (entry) => {
        this.removeEntry(entry);
      });
    }
    this.#memory.store32(this.gpa + CURSOR_AT, cursor);
    return this.count === 0;
  }

  /** Gives back to the heap all that an empty map has. There is no map then. */
  destroy(): void {
    if (this.count > 0)
      throw new GuestStateError(`the map at ${gpaText(this.gpa)} is not empty: clear it first`);
    this.#buckets.destroy(this.heap);
    this.#memory.store32(this.gpa, 0);
    this.heap.free(this.gpa);
  }

  #find(hash: number, key: Uint8Array, from: number, length: number): number {
    const memory = this.#memory;
    let entry = memory.loadF64(this.#buckets.headFor(hash));
    while (entry !== 0) {
      if (
        memory.load32(entry + HASH_AT) === hash &&
        memory.load32(entry + KEY_LENGTH_AT) === length &&
        holdsBytes(memory, entry + VALUE_AT + memory.load32(entry + VALUE_CAPACITY_AT), key, from, length)
      ) {
        return entry;
      }
      entry = memory.loadF64(entry);
    }
    return 0;
  }

  #insert(hash: number, key: Uint8Array, from: number, length: number, valueBytes: number): number {
    const memory = this.#memory;
    const entry = this.#allocateEntry(hash, length, valueBytes);
    memory.store32(entry + VALUE_LENGTH_AT, valueBytes);
    copyIn(memory, this.keyGpa(entry), key, from, length);
    const bucket = this.#buckets.headFor(hash);
    memory.storeF64(entry, memory.loadF64(bucket));
    memory.storeF64(bucket, entry);
    const count = memory.load32(this.gpa + COUNT_AT) + 1;
    memory.store32(this.gpa + COUNT_AT, count);
    // Three entries to four buckets; twice, because an insert asks for more than one bucket.
    if (count * 4 > this.buckets * 3) this.#buckets.splitOne(this.heap);
    if (count * 4 > this.buckets * 3) this.#buckets.splitOne(this.heap);
    return entry;
  }

  // Without room it answers 0 if it may, and throws if not.
  #allocateEntry(hash: number, keyLength: number, valueBytes: number, mayFail = false): number {
    if (!(keyLength + valueBytes <= ENTRY_BYTES_MAX)) {
      throw new GuestStateError(
        `an entry cannot have ${keyLength} bytes of key and ${valueBytes} of value: at most ${ENTRY_BYTES_MAX} together`,
      );
    }
    const { heap } = this;
    const memory = this.#memory;
    const keyRoom = (keyLength + 7) & ~7;
    const byteCount = VALUE_AT + ((valueBytes + 7) & ~7) + keyRoom;
    const entry = mayFail ? heap.tryAllocate(byteCount) : heap.allocate(byteCount);
    if (entry === 0) return 0;
    memory.store32(entry + HASH_AT, hash);
    memory.store32(entry + KEY_LENGTH_AT, keyLength);
    // What the block has beyond is the value's.
    memory.store32(entry + VALUE_CAPACITY_AT, heap.usableBytes(entry) - VALUE_AT - keyRoom);
    return entry;
  }
}
