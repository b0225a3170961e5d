// Takes apart what keys held that are gone, a few entries at a time, so that no command that removes is long.
// Knows how objects are laid out, and nothing of the keys that there are.
import type { GuestMemory } from '../../../memory/guest-memory.js';
import { HashMap } from '../../state/hash-map.js';
import type { Heap } from '../../state/heap.js';
import { Element, KeyRecord, Kind, ObjectWord, Root } from './layout.js';
import type { SortedIndex } from './sorted-index.js';

const IS_EMPTY = -1;

interface CollectorParts {
  /** Puts an object before all others that are to be taken apart. */
  readonly discard: (object: number) => void;
  readonly seed: number;
}

/** Answers a function that takes apart about so many entries, and answers whether there is more. */
export function createCollector(
  memory: GuestMemory,
  heap: Heap,
  index: SortedIndex,
  { discard, seed }: CollectorParts,
): (max: number) => boolean {
  function releaseBlock(gpa: number): void {
    if (gpa !== 0) heap.free(gpa);
  }

  function releaseElements(list: number, max: number): number {
    let done = 0;
    let element = memory.loadF64(list + ObjectWord.FIRST);
    for (; element !== 0 && done < max; done++) {
      const next = memory.loadF64(element + Element.NEXT);
      heap.free(element);
      element = next;
    }
    memory.storeF64(list + ObjectWord.FIRST, element);
    if (element === 0) memory.storeF64(list + ObjectWord.CURSOR, IS_EMPTY);
    return done;
  }

  function releaseEntry(map: HashMap, kind: number, entry: number): void {
    const value = map.valueGpa(entry);
    if (kind === Kind.HASH) releaseBlock(memory.loadF64(value + KeyRecord.VALUE));
    else if (kind === Kind.SORTED_SET) index.release(memory.loadF64(value));
    else if (kind === Kind.ALL_KEYS) {
      const expiry = memory.loadF64(value + KeyRecord.EXPIRY);
      if (expiry !== 0) index.release(expiry);
      const held = memory.loadF64(value + KeyRecord.VALUE);
      if (memory.load32(value + KeyRecord.KIND) > Kind.STRING) discard(held);
      else releaseBlock(held);
    }
    map.removeEntry(entry);
  }

  function releaseEntries(object: number, kind: number, max: number): number {
    const map = new HashMap(memory, memory.loadF64(object + ObjectWord.MAP));
    let cursor = memory.loadF64(object + ObjectWord.CURSOR);
    let done = 0;
    while (done < max && cursor !== IS_EMPTY) {
      cursor = map.scan(cursor, (entry) => {
        releaseEntry(map, kind, entry);
        done++;
      });
      if (cursor === 0) cursor = IS_EMPTY;
      // Empty buckets are work as well.
      done++;
    }
    memory.storeF64(object + ObjectWord.CURSOR, cursor);
    return done;
  }

  // The object is the first that is to be taken apart, and nothing is left in it.
  function finish(object: number, kind: number): void {
    memory.storeF64(Root.GARBAGE, memory.loadF64(object + ObjectWord.NEXT));
    if (kind !== Kind.LIST) new HashMap(memory, memory.loadF64(object + ObjectWord.MAP)).destroy();
    if (kind !== Kind.ALL_KEYS) {
      heap.free(object);
      return;
    }
    memory.storeF64(object + ObjectWord.MAP, HashMap.create(memory, heap, seed).gpa);
    memory.storeF64(Root.SPARE, object);
  }

  return (max) => {
    for (let left = max; left > 0;) {
      const object = memory.loadF64(Root.GARBAGE);
      if (object === 0) return false;
      const kind = memory.load32(object + ObjectWord.KIND);
      if (memory.loadF64(object + ObjectWord.CURSOR) === IS_EMPTY) {
        finish(object, kind);
        left--;
      } else left -= kind === Kind.LIST ? releaseElements(object, left) : releaseEntries(object, kind, left);
    }
    return memory.loadF64(Root.GARBAGE) !== 0;
  };
}
