// All keys of a store: what each holds, when it expires, and how what is removed is taken apart a little at a time.
// Knows no command and no connection; for one vCPU at a time.
import type { GuestMemory } from '../../../memory/guest-memory.js';
import { HashMap } from '../../state/hash-map.js';
import { Heap } from '../../state/heap.js';
import { copyIn } from '../../state/key-bytes.js';
import {
  heapGpa,
  KEY_RECORD_BYTES,
  KeyRecord,
  Kind,
  MAGIC,
  NO_JOB,
  ObjectWord,
  objectBytes,
  Root,
} from './layout.js';
import { createCollector } from './collector.js';
import { clearIndex, createSortedIndex, type SortedIndex } from './sorted-index.js';

/** A string's block that is larger than this, and four times what the string needs, is given back. */
const SPARE_BYTES_MAX = 256;

/** Everything that commands do to keys. An `entry` is one of the map of all keys, or where said one of a hash. */
export interface Keyspace {
  readonly heap: Heap;
  readonly index: SortedIndex;
  /** What the clock reads in this step; the same in all steps of one command. */
  nowMs: number;
  /** The map of all keys, which is another one after `flush`. */
  map(): HashMap;
  /** The entry of a key that has not expired; 0 when there is none. */
  find(bytes: Uint8Array, from: number, byteCount: number): number;
  /** An entry for a key that is not there, which holds nothing yet: the caller fills it, or removes it. */
  insert(bytes: Uint8Array, from: number, byteCount: number): number;
  readonly remove: (entry: number) => void;
  kind(entry: number): number;
  /** Makes an empty list, set, hash or sorted set the value of an entry that holds nothing. */
  makeObject(entry: number, kind: Kind): number;
  object(entry: number): number;
  /** The map of an object that has one. */
  mapOf(object: number): HashMap;
  /** Puts a string into an entry that holds a string or nothing; of a hash's field too. */
  setString(entry: number, bytes: Uint8Array, from: number, byteCount: number): void;
  /** As that, but says how long it is and leaves the bytes: what there was stays, and `room` is kept ready. */
  resizeString(entry: number, byteCount: number, room: number): void;
  stringGpa(entry: number): number;
  stringBytes(entry: number): number;
  /** Gives back a string of a field that is about to be removed. */
  releaseString(entry: number): void;
  /** The entry holds nothing from now on. */
  releaseValue(entry: number): void;
  /** When it expires, in milliseconds of Unix time; undefined when it does not. */
  expiry(entry: number): number | undefined;
  setExpiry(entry: number, ms: number | undefined): void;
  /** Renames an entry: one of the new name is there afterwards, with the value and the expiry of the old one. */
  rename(entry: number, bytes: Uint8Array, from: number, byteCount: number): void;
  isExpired(entry: number): boolean;
  /** Removes keys that have expired, `max` at the most. */
  expireDue(max: number): void;
  /** When the next key expires; Infinity when none does. */
  nextExpiryMs(): number;
  /** Gives up all keys at once; false when the last ones are still being taken apart: ask again. */
  flush(): boolean;
  /** Takes apart what was given up, about `max` entries; answers whether there is more. */
  collect(max: number): boolean;
  readonly random: () => number;
}

/** Prepares fresh memory for a store with so many connections: its heap ends at `endGpa`. */
export function bootKeyspace(memory: GuestMemory, connections: number, endGpa: number, seed: number): void {
  const at = heapGpa(connections);
  const heap = Heap.create(memory, at, endGpa - at);
  memory.store32(Root.RANDOM, seed === 0 ? 1 : seed);
  memory.storeF64(Root.KEYS, HashMap.create(memory, heap, seed).gpa);
  const spare = heap.allocate(objectBytes(Kind.ALL_KEYS));
  memory.store32(spare + ObjectWord.KIND, Kind.ALL_KEYS);
  memory.storeF64(spare + ObjectWord.MAP, HashMap.create(memory, heap, seed).gpa);
  memory.storeF64(Root.SPARE, spare);
  clearIndex(memory, Root.EXPIRIES);
  memory.store32(Root.JOB_SLOT, NO_JOB);
  memory.store32(Root.MAGIC, MAGIC);
}

export function openKeyspace(memory: GuestMemory, connections: number, seed: number): Keyspace {
  const heap = new Heap(memory, heapGpa(connections));
  let keys = new HashMap(memory, memory.loadF64(Root.KEYS));

  function random(): number {
    let word = memory.load32(Root.RANDOM);
    word ^= word << 13;
    word ^= word >>> 17;
    word ^= word << 5;
    memory.store32(Root.RANDOM, word);
    return word >>> 0;
  }
  const index = createSortedIndex(memory, heap, keys, random);

  function map(): HashMap {
    // Another vCPU may have flushed it.
    if (memory.loadF64(Root.KEYS) !== keys.gpa) keys = new HashMap(memory, memory.loadF64(Root.KEYS));
    return keys;
  }
  const recordOf = (entry: number): number => keys.valueGpa(entry);
  const kind = (entry: number): number => memory.load32(recordOf(entry) + KeyRecord.KIND);
  const valueOf = (entry: number): number => memory.loadF64(recordOf(entry) + KeyRecord.VALUE);

  function discard(object: number): void {
    memory.storeF64(object + ObjectWord.CURSOR, 0);
    memory.storeF64(object + ObjectWord.NEXT, memory.loadF64(Root.GARBAGE));
    memory.storeF64(Root.GARBAGE, object);
  }

  function releaseString(entry: number): void {
    const block = valueOf(entry);
    if (block !== 0) heap.free(block);
  }

  function releaseValue(entry: number): void {
    const record = recordOf(entry);
    if (kind(entry) > Kind.STRING) discard(memory.loadF64(record + KeyRecord.VALUE));
    else releaseString(entry);
    memory.store32(record + KeyRecord.KIND, 0);
    memory.store32(record + KeyRecord.BYTES, 0);
    memory.storeF64(record + KeyRecord.VALUE, 0);
  }

  function setExpiry(entry: number, ms: number | undefined): void {
    const place = recordOf(entry) + KeyRecord.EXPIRY;
    const node = memory.loadF64(place);
    const newNode = ms === undefined ? 0 : insertExpiry(entry, node, ms);
    if (node !== 0 && newNode !== node) index.remove(Root.EXPIRIES, node);
    memory.storeF64(place, newNode);
  }

  // Nothing is changed when there is no room: the old node goes last. Two nodes of one entry differ by their scores.
  function insertExpiry(entry: number, node: number, ms: number): number {
    return node !== 0 && index.score(node) === ms ? node : index.insert(Root.EXPIRIES, ms, entry);
  }

  function remove(entry: number): void {
    setExpiry(entry, undefined);
    releaseValue(entry);
    const all = map();
    all.removeEntry(entry);
    all.shrink();
  }

  function isExpired(entry: number): boolean {
    const node = memory.loadF64(recordOf(entry) + KeyRecord.EXPIRY);
    return node !== 0 && index.score(node) <= keyspace.nowMs;
  }

  function countExpired(): void {
    memory.storeF64(Root.EXPIRED, memory.loadF64(Root.EXPIRED) + 1);
  }

  function roomFor(entry: number, byteCount: number, room: number): number {
    const record = recordOf(entry);
    const block = memory.loadF64(record + KeyRecord.VALUE);
    const usable = block === 0 ? 0 : heap.usableBytes(block);
    if (block !== 0 && byteCount <= usable && (usable <= SPARE_BYTES_MAX || usable <= 4 * room)) return block;
    return heap.allocate(Math.max(byteCount, room));
  }

  function putString(entry: number, block: number, byteCount: number): void {
    const record = recordOf(entry);
    const old = memory.loadF64(record + KeyRecord.VALUE);
    if (old !== block) {
      if (old !== 0) heap.free(old);
      memory.storeF64(record + KeyRecord.VALUE, block);
    }
    memory.store32(record + KeyRecord.KIND, Kind.STRING);
    memory.store32(record + KeyRecord.BYTES, byteCount);
  }

  const collect = createCollector(memory, heap, index, { discard, seed });

  const keyspace: Keyspace = {
    heap,
    index,
    nowMs: 0,
    map,
    find(bytes, from, byteCount) {
      const entry = map().find(bytes, from, byteCount);
      if (entry === 0 || !isExpired(entry)) return entry;
      remove(entry);
      countExpired();
      return 0;
    },
    insert(bytes, from, byteCount) {
      const entry = map().insert(bytes, from, byteCount, KEY_RECORD_BYTES);
      const record = recordOf(entry);
      memory.store32(record + KeyRecord.KIND, 0);
      memory.store32(record + KeyRecord.BYTES, 0);
      memory.storeF64(record + KeyRecord.VALUE, 0);
      memory.storeF64(record + KeyRecord.EXPIRY, 0);
      return entry;
    },
    remove,
    kind,
    makeObject(entry, ofKind) {
      const object = heap.allocate(objectBytes(ofKind));
      memory.store32(object + ObjectWord.KIND, ofKind);
      memory.store32(object + ObjectWord.COUNT, 0);
      memory.storeF64(object + ObjectWord.FIRST, 0);
      if (ofKind === Kind.LIST) memory.storeF64(object + ObjectWord.LAST, 0);
      else {
        try {
          memory.storeF64(object + ObjectWord.MAP, HashMap.create(memory, heap, seed).gpa);
        } catch (error) {
          heap.free(object);
          throw error;
        }
      }
      if (ofKind === Kind.SORTED_SET) clearIndex(memory, object + ObjectWord.INDEX);
      memory.store32(recordOf(entry) + KeyRecord.KIND, ofKind);
      memory.storeF64(recordOf(entry) + KeyRecord.VALUE, object);
      return object;
    },
    object: valueOf,
    mapOf: (object) => new HashMap(memory, memory.loadF64(object + ObjectWord.MAP)),
    setString(entry, bytes, from, byteCount) {
      const block = roomFor(entry, byteCount, byteCount);
      copyIn(memory, block, bytes, from, byteCount);
      putString(entry, block, byteCount);
    },
    resizeString(entry, byteCount, room) {
      const block = roomFor(entry, byteCount, room);
      const old = valueOf(entry);
      if (old !== block && old !== 0)
        memory.move(block, old, Math.min(byteCount, memory.load32(recordOf(entry) + KeyRecord.BYTES)));
      putString(entry, block, byteCount);
    },
    stringGpa: valueOf,
    stringBytes: (entry) => memory.load32(recordOf(entry) + KeyRecord.BYTES),
    releaseString,
    releaseValue,
    expiry(entry) {
      const node = memory.loadF64(recordOf(entry) + KeyRecord.EXPIRY);
      return node === 0 ? undefined : index.score(node);
    },
    setExpiry,
    rename(entry, bytes, from, byteCount) {
      const old = map().find(bytes, from, byteCount);
      if (old === entry) return;
      const expiry = keyspace.expiry(entry);
      if (old !== 0) remove(old);
      const renamed = keyspace.insert(bytes, from, byteCount);
      if (expiry !== undefined) setExpiry(renamed, expiry);
      memory.store32(recordOf(renamed) + KeyRecord.KIND, kind(entry));
      memory.store32(recordOf(renamed) + KeyRecord.BYTES, keyspace.stringBytes(entry));
      memory.storeF64(recordOf(renamed) + KeyRecord.VALUE, valueOf(entry));
      memory.store32(recordOf(entry) + KeyRecord.KIND, 0);
      memory.storeF64(recordOf(entry) + KeyRecord.VALUE, 0);
      remove(entry);
    },
    isExpired,
    expireDue(max) {
      for (let left = max; left > 0; left--) {
        const node = index.next(Root.EXPIRIES);
        if (node === 0 || index.score(node) > keyspace.nowMs) return;
        map();
        remove(index.entry(node));
        countExpired();
      }
    },
    nextExpiryMs() {
      const node = index.next(Root.EXPIRIES);
      return node === 0 ? Infinity : index.score(node);
    },
    flush() {
      const spare = memory.loadF64(Root.SPARE);
      if (spare === 0) return false;
      const fresh = memory.loadF64(spare + ObjectWord.MAP);
      memory.storeF64(spare + ObjectWord.MAP, memory.loadF64(Root.KEYS));
      memory.storeF64(Root.KEYS, fresh);
      memory.storeF64(Root.SPARE, 0);
      discard(spare);
      clearIndex(memory, Root.EXPIRIES);
      return true;
    },
    collect,
    random,
  };
  return keyspace;
}
