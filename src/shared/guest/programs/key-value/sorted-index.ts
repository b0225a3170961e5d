// Entries in order of a score, and of their keys where scores are equal: a skip list in guest memory that counts ranks.
// Sorted sets are made of it, and the order in which keys expire.
import type { GuestMemory } from '../../../memory/guest-memory.js';
import type { Heap } from '../../state/heap.js';

/** Where the key of an entry of a map lies. */
export interface KeyPlaces {
  keyGpa(entry: number): number;
  keyLength(entry: number): number;
}

/** Offsets in a node. */
const ENTRY = 0;
/** Of the head: how many nodes there are. */
const COUNT = 0;
/** The node before; of the head: the last one. */
const BACK = 8;
const SCORE = 16;
const LEVELS = 24;
/** For each level the next node, and how many nodes further it is. */
const FORWARD = 32;
const SPAN = 40;
const LEVEL_BYTES = 16;
const LEVELS_MAX = 24;
/** Bytes of an index itself: a head with all levels. */
export const INDEX_BYTES = FORWARD + LEVELS_MAX * LEVEL_BYTES;

/** Makes an empty index at `head`. */
export function clearIndex(memory: GuestMemory, head: number): void {
  memory.fill(head, INDEX_BYTES, 0);
  memory.store32(head + LEVELS, 1);
}

export interface SortedIndex {
  count(head: number): number;
  /**
   * The node that `entry` got.
   * @throws AllocatorFullError when there is no room; nothing is changed then.
   */
  insert(head: number, score: number, entry: number): number;
  /** Takes a node out and gives it back. */
  remove(head: number, node: number): void;
  /** Gives a node back whose index is given up. */
  release(node: number): void;
  score(node: number): number;
  entry(node: number): number;
  /** Neighbours; 0 beyond the ends. The first node is the one after the head. */
  next(node: number): number;
  previous(node: number): number;
  last(head: number): number;
  /** The node with so many before it; 0 when there are not as many. */
  byRank(head: number, rank: number): number;
  /** How many are before a node. */
  rank(head: number, node: number): number;
  /** How many have a score less than `score`, or, if asked, equal to it. */
  countBelow(head: number, score: number, isEqualBelow: boolean): number;
  /** What is broken of it first, as a sentence; undefined when nothing is. */
  findFault(head: number): string | undefined;
}

export function createSortedIndex(
  memory: GuestMemory,
  heap: Heap,
  places: KeyPlaces,
  random: () => number,
): SortedIndex {
  /** The last node of each level before the place looked for, and its rank. */
  const before = new Float64Array(LEVELS_MAX);
  const ranks = new Int32Array(LEVELS_MAX);

  const forward = (node: number, level: number): number =>
    memory.loadF64(node + FORWARD + level * LEVEL_BYTES);
  const span = (node: number, level: number): number => memory.load32(node + SPAN + level * LEVEL_BYTES);
  const setForward = (node: number, level: number, next: number): void => {
    memory.storeF64(node + FORWARD + level * LEVEL_BYTES, next);
  };
  const setSpan = (node: number, level: number, nodes: number): void => {
    memory.store32(node + SPAN + level * LEVEL_BYTES, nodes);
  };
  const scoreOf = (node: number): number => memory.loadF64(node + SCORE);
  const entryOf = (node: number): number => memory.loadF64(node + ENTRY);
  const nodeBytes = (levels: number): number => FORWARD + levels * LEVEL_BYTES;

  // Byte by byte, as memcmp does; a shorter one that the other begins with is less.
  function compareKeys(entry: number, other: number): number {
    const length = places.keyLength(entry);
    const otherLength = places.keyLength(other);
    const common = Math.min(length, otherLength);
    const key = places.keyGpa(entry);
    const otherKey = places.keyGpa(other);
    let at = 0;
    while (at + 4 <= common && memory.load32(key + at) === memory.load32(otherKey + at)) at += 4;
    for (; at < common; at++) {
      const difference = memory.load8(key + at) - memory.load8(otherKey + at);
      if (difference !== 0) return difference;
    }
    return length - otherLength;
  }

  function isBefore(node: number, score: number, entry: number): boolean {
    const own = scoreOf(node);
    return own === score ? compareKeys(entryOf(node), entry) < 0 : own < score;
  }

  function findPlace(head: number, score: number, entry: number): void {
    let node = head;
    let rank = 0;
    for (let level = memory.load32(head + LEVELS) - 1; level >= 0; level--) {
      let next = forward(node, level);
      while (next !== 0 && isBefore(next, score, entry)) {
        rank += span(node, level);
        node = next;
        next = forward(node, level);
      }
      before[level] = node;
      ranks[level] = rank;
    }
  }

  function randomLevels(): number {
    let levels = 1;
    for (let bits = random(); levels < LEVELS_MAX && (bits & 3) === 0; levels++)
      bits = levels % 15 === 0 ? random() : bits >>> 2;
    return levels;
  }

  function raiseHead(head: number, levels: number): void {
    for (let level = memory.load32(head + LEVELS); level < levels; level++) {
      before[level] = head;
      ranks[level] = 0;
      setForward(head, level, 0);
      setSpan(head, level, memory.load32(head + COUNT));
      memory.store32(head + LEVELS, level + 1);
    }
  }

  function link(head: number, node: number, levels: number): void {
    const headLevels = memory.load32(head + LEVELS);
    for (let level = 0; level < headLevels; level++) {
      const previous = before[level]!;
      if (level >= levels) {
        setSpan(previous, level, span(previous, level) + 1);
        continue;
      }
      const skipped = ranks[0]! - ranks[level]!;
      setForward(node, level, forward(previous, level));
      setSpan(node, level, span(previous, level) - skipped);
      setForward(previous, level, node);
      setSpan(previous, level, skipped + 1);
    }
    const next = forward(node, 0);
    const first = before[0]!;
    memory.storeF64(node + BACK, first === head ? 0 : first);
    memory.storeF64((next === 0 ? head : next) + BACK, node);
    memory.store32(head + COUNT, memory.load32(head + COUNT) + 1);
  }

  function unlink(head: number, node: number): void {
    findPlace(head, scoreOf(node), entryOf(node));
    let levels = memory.load32(head + LEVELS);
    for (let level = 0; level < levels; level++) {
      const previous = before[level]!;
      if (forward(previous, level) !== node) {
        setSpan(previous, level, span(previous, level) - 1);
        continue;
      }
      setSpan(previous, level, span(previous, level) + span(node, level) - 1);
      setForward(previous, level, forward(node, level));
    }
    const next = forward(node, 0);
    memory.storeF64((next === 0 ? head : next) + BACK, memory.loadF64(node + BACK));
    while (levels > 1 && forward(head, levels - 1) === 0) levels--;
    memory.store32(head + LEVELS, levels);
    memory.store32(head + COUNT, memory.load32(head + COUNT) - 1);
  }

  function byRank(head: number, rank: number): number {
    let node = head;
    let left = rank + 1;
    for (let level = memory.load32(head + LEVELS) - 1; level >= 0; level--) {
      let next = forward(node, level);
      while (next !== 0 && span(node, level) <= left) {
        left -= span(node, level);
        node = next;
        next = forward(node, level);
      }
      if (left === 0) return node;
    }
    return 0;
  }

  function countBelow(head: number, score: number, isEqualBelow: boolean): number {
    let node = head;
    let rank = 0;
    for (let level = memory.load32(head + LEVELS) - 1; level >= 0; level--) {
      for (let next = forward(node, level); next !== 0; next = forward(node, level)) {
        const own = scoreOf(next);
        if (!(own < score || (isEqualBelow && own === score))) break;
        rank += span(node, level);
        node = next;
      }
    }
    return rank;
  }

  function findFault(head: number): string | undefined {
    let count = 0;
    let previous = 0;
    for (let node = forward(head, 0); node !== 0; node = forward(node, 0)) {
      if (memory.loadF64(node + BACK) !== previous)
        return `node ${count} does not lead back to the one before`;
      if (previous !== 0 && !isBefore(previous, scoreOf(node), entryOf(node)))
        return `nodes ${count - 1} and ${count} are not in order`;
      if (byRank(head, count) !== node) return `the spans do not lead to node ${count}`;
      previous = node;
      count++;
    }
    if (memory.loadF64(head + BACK) !== previous) return 'the last node is not the one that the head tells';
    if (count !== memory.load32(head + COUNT))
      return `${count} nodes are linked, and ${memory.load32(head + COUNT)} are counted`;
    return undefined;
  }

  return {
    count: (head) => memory.load32(head + COUNT),
    insert(head, score, entry) {
      const levels = randomLevels();
      const node = heap.allocate(nodeBytes(levels));
      memory.storeF64(node + ENTRY, entry);
      memory.storeF64(node + SCORE, score);
      memory.store32(node + LEVELS, levels);
      findPlace(head, score, entry);
      raiseHead(head, levels);
      link(head, node, levels);
      return node;
    },
    remove(head, node) {
      unlink(head, node);
      heap.free(node);
    },
    release(node) {
      heap.free(node);
    },
    score: scoreOf,
    entry: entryOf,
    next: (node) => forward(node, 0),
    previous: (node) => memory.loadF64(node + BACK),
    last: (head) => memory.loadF64(head + BACK),
    byRank,
    rank(head, node) {
      findPlace(head, scoreOf(node), entryOf(node));
      return ranks[0]!;
    },
    countBelow,
    findFault,
  };
}
