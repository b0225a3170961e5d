// The hash map in guest memory, against a Map; its growth, its walk, and what it says when it is used wrongly.
import { describe, expect, it } from 'vitest';
import { HashMap } from '../../src/shared/guest/state/hash-map.js';
import { Heap } from '../../src/shared/guest/state/heap.js';
import { hashOfBytes } from '../../src/shared/guest/state/key-bytes.js';
import { AllocatorFullError } from '../../src/shared/guest/state/state-error.js';
import { below, nextRandom, seedRandom } from '../../src/shared/guest/programs/random.js';
import type { GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { SegmentedGuest } from '../support/segmented-guest.js';
import { bytesOf, memoryOf, textAt } from './state-fixtures.js';

const SEED = Number(process.env['STATE_SEED'] ?? 1);
const MIB = 1 << 20;

function mapOf(byteCount = 8 * MIB, memory = memoryOf(byteCount)): { memory: GuestMemory; map: HashMap } {
  return { memory, map: HashMap.create(memory, Heap.create(memory, 0, byteCount), 42) };
}

const keyText = (memory: GuestMemory, map: HashMap, entry: number): string =>
  textAt(memory, map.keyGpa(entry), map.keyLength(entry));
const valueText = (memory: GuestMemory, map: HashMap, entry: number): string =>
  textAt(memory, map.valueGpa(entry), map.valueLength(entry));

function set(map: HashMap, key: string, value: string): number {
  const keyBytes = bytesOf(key);
  return map.set(keyBytes, 0, keyBytes.length, bytesOf(value));
}

function fill(map: HashMap, from: number, to: number): void {
  for (let n = from; n < to; n++) set(map, `key ${n}`, `${n}`);
}

function walk(
  memory: GuestMemory,
  map: HashMap,
  between: (step: number) => void = () => undefined,
): string[] {
  const keys: string[] = [];
  let cursor = 0;
  let step = 0;
  do {
    cursor = map.scan(cursor, (entry) => {
      keys.push(keyText(memory, map, entry));
    });
    between(step++);
  } while (cursor !== 0);
  return keys;
}

/** Sets, resizes, finds and removes at random, and compares with a Map. */
function hammer(memory: GuestMemory, gpa: number, seed: number): void {
  const model = new Map<string, string>();
  let random = seedRandom(seed, 0);
  const draw = (count: number): number => below((random = nextRandom(random)), count);
  for (let step = 0; step < 8000; step++) {
    const map = new HashMap(memory, gpa);
    const key = `${'k'.repeat(draw(9))}${draw(700)}`;
    const keyBytes = bytesOf(key);
    const known = model.get(key);
    const entry = map.find(keyBytes);
    expect(entry !== 0).toBe(known !== undefined);
    if (known !== undefined) expect(valueText(memory, map, entry)).toBe(known);
    const choice = draw(4);
    if (choice === 0) expect(map.remove(keyBytes)).toBe(model.delete(key));
    else if (choice === 1 && known !== undefined) {
      const resized = map.resize(entry, draw(known.length + 1));
      model.set(key, known.slice(0, map.valueLength(resized)));
    } else {
      const value = String(step).repeat(draw(3) === 0 ? draw(200) : draw(4));
      set(map, key, value);
      model.set(key, value);
    }
    expect(map.count).toBe(model.size);
  }
  const map = new HashMap(memory, gpa);
  expect(walk(memory, map).sort()).toEqual([...model.keys()].sort());
  expect(map.heap.findFault()).toBeUndefined();
  while (!map.clear(100)) expect(map.count).toBeGreaterThan(0);
  map.destroy();
  expect(map.heap.usedBlocks).toBe(0);
}

describe('a hash map', () => {
  it(`holds what a Map does, and gives all of it back (STATE_SEED=${SEED})`, () => {
    const { memory, map } = mapOf();
    hammer(memory, map.gpa, SEED);
  });

  it('lies above 4 GiB as well', () => {
    const { memory } = new SegmentedGuest(2 ** 40, 8);
    const map = HashMap.create(memory, Heap.create(memory, 2 ** 39, 2 ** 38), 7);
    hammer(memory, map.gpa, SEED + 1);
  });

  it('grows by one or two buckets an insert, and finds everything in between', () => {
    const { memory, map } = mapOf();
    for (let n = 0; n < 3000; n++) {
      const buckets = map.buckets;
      set(map, `key ${n}`, `${n}`);
      expect(map.buckets - buckets).toBeLessThanOrEqual(2);
      const other = bytesOf(`key ${Math.floor(n / 2)}`);
      expect(valueText(memory, map, map.find(other))).toBe(`${Math.floor(n / 2)}`);
    }
    expect(map.buckets).toBeGreaterThanOrEqual(4000);
  });

  it('gives up buckets as its entries go, when it is asked to shrink, and finds those that are left', () => {
    const { memory, map } = mapOf();
    const fresh = map.heap.usedBlocks;
    for (let n = 0; n < 3000; n++) set(map, `key ${n}`, `${n}`);
    for (let n = 0; n < 2990; n++) {
      map.remove(bytesOf(`key ${n}`));
      map.shrink();
      const other = (n + 3000) >>> 1;
      if (other > n) expect(valueText(memory, map, map.find(bytesOf(`key ${other}`)))).toBe(`${other}`);
    }
    expect(map.buckets).toBeLessThanOrEqual(100);
    expect(walk(memory, map)).toHaveLength(10);
    for (let n = 2990; n < 3000; n++) {
      map.remove(bytesOf(`key ${n}`));
      map.shrink();
    }
    expect(map.heap.usedBlocks).toBe(fresh);
    expect(map.heap.findFault()).toBeUndefined();
  });

  it('misses nothing in a walk while it shrinks', () => {
    const { memory, map } = mapOf();
    for (let n = 0; n < 2000; n++) set(map, `key ${n}`, '');
    const seen = new Set<string>();
    let cursor = 0;
    let next = 0;
    do {
      cursor = map.scan(cursor, (entry) => {
        const key = new Uint8Array(map.keyLength(entry));
        memory.read(map.keyGpa(entry), key);
        seen.add(Buffer.from(key).toString());
      });
      for (let n = 0; n < 2 && next < 1990; n++) map.remove(bytesOf(`key ${next++}`));
      map.shrink();
    } while (cursor !== 0);
    for (let n = 1990; n < 2000; n++) expect(seen).toContain(`key ${n}`);
  });

  it('finds a key in the middle of an array, whatever lies around it', () => {
    const { memory, map } = mapOf();
    const line = bytesOf('SET name value');
    const entry = map.set(line, 4, 4, line, 9);
    expect([keyText(memory, map, entry), valueText(memory, map, entry)]).toEqual(['name', 'value']);
    expect(map.find(bytesOf('name'))).toBe(entry);
    expect(map.find(bytesOf('a name'), 2)).toBe(entry);
    for (const other of ['nam', 'names', 'Name', 'namE', '']) expect(map.find(bytesOf(other))).toBe(0);
    expect(map.find(set(map, '', 'empty') === 0 ? line : new Uint8Array())).not.toBe(0);
  });

  it('lets a value be changed in place, on 8 bytes', () => {
    const { memory, map } = mapOf();
    for (const key of ['a', 'longer', 'longer than that']) {
      const bytes = bytesOf(key);
      const entry = map.insert(bytes, 0, bytes.length, 8);
      expect(map.valueGpa(entry) % 8).toBe(0);
      memory.storeF64(map.valueGpa(entry), bytes.length);
    }
    fill(map, 0, 1000);
    expect(memory.loadF64(map.valueGpa(map.find(bytesOf('longer'))))).toBe(6);
  });

  it('keeps an entry where it is while its value fits, and gives room back that a value no longer needs', () => {
    const { map } = mapOf();
    const entry = set(map, 'key', 'x'.repeat(100));
    expect(map.resize(entry, 10)).toBe(entry);
    expect(map.resize(entry, map.valueCapacity(entry))).toBe(entry);
    const grown = map.resize(entry, 1000, 5000);
    expect(map.resize(grown, 5000)).toBe(grown);
    const usedBytes = map.heap.usedBytes;
    const shrunk = map.resize(grown, 10);
    expect(map.heap.usedBytes).toBeLessThan(usedBytes - 4500);
    expect([map.find(bytesOf('key')), map.valueLength(shrunk)]).toEqual([shrunk, 10]);
  });

  it('walks over every entry that is there all the time exactly once, while it grows and shrinks in between', () => {
    const { memory, map } = mapOf();
    fill(map, 0, 500);
    const buckets = map.buckets;
    const seen = walk(memory, map, (step) => {
      if (step < 200) fill(map, 1000 + 10 * step, 1010 + 10 * step);
      if (step < 50) map.remove(bytesOf(`key ${step}`));
    });
    expect(map.buckets).toBeGreaterThan(4 * buckets);
    expect(new Set(seen).size).toBe(seen.length);
    for (let n = 50; n < 500; n++) expect(seen).toContain(`key ${n}`);
  });

  it('walks from anywhere, and lets the walk remove what it visits', () => {
    const { map } = mapOf();
    fill(map, 0, 500);
    for (const cursor of [1, 2 ** 31, 2 ** 32 - 1])
      expect(map.scan(cursor, () => undefined)).toBeLessThan(2 ** 32);
    let cursor = 0;
    do {
      cursor = map.scan(cursor, (entry) => {
        map.removeEntry(entry);
      });
    } while (cursor !== 0);
    expect(map.count).toBe(0);
  });

  it('is as it was when its heap has no room', () => {
    const { memory, map } = mapOf(64 * 1024);
    const entry = set(map, 'key', 'value');
    let inserted = 1;
    expect(() => {
      for (; ; inserted++) set(map, `key ${inserted}`, 'v'.repeat(1000));
    }).toThrow(AllocatorFullError);
    expect(() => set(map, 'key', 'v'.repeat(2000))).toThrow(AllocatorFullError);
    expect(map.count).toBe(inserted);
    expect(valueText(memory, map, map.find(bytesOf('key')))).toBe('value');
    expect(map.find(bytesOf('key'))).toBe(entry);
    // A value that shrinks needs no room.
    set(map, 'key 1', 'short');
    expect(map.heap.findFault()).toBeUndefined();
  });

  it('says so when an entry was removed or lies elsewhere', () => {
    const { map } = mapOf();
    const entry = set(map, 'key', 'value');
    map.resize(entry, 1000);
    expect(() => {
      map.removeEntry(entry);
    }).toThrow(/gpa 0x.* is no entry of this map: it was removed, or resized and lies elsewhere/);
    expect(() => {
      map.destroy();
    }).toThrow('is not empty: clear it first');
    expect(() => new HashMap(memoryOf(MIB), 64)).toThrow('there is no map at gpa 0x40');
    expect(() => map.insert(new Uint8Array(1), 0, 1, 2 ** 31)).toThrow(
      'an entry cannot have 1 bytes of key and',
    );
  });
});

describe('the hash of a key', () => {
  it('is MurmurHash3', () => {
    const hash = (text: string, seed: number): number => {
      const bytes = bytesOf(text);
      return hashOfBytes(bytes, 0, bytes.length, seed) >>> 0;
    };
    expect(hash('', 1)).toBe(0x514e28b7);
    expect(hash('aaaa', 0x9747b28c)).toBe(0x5a97808a);
    expect(hash('abc', 0x9747b28c)).toBe(0xc84a62dd);
    expect(hash('Hello, world!', 0x9747b28c)).toBe(0x24884cba);
  });
});
