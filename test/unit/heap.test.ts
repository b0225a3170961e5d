// The free-list allocator in guest memory, against a model that knows what is in use and what lies there.
import { describe, expect, it } from 'vitest';
import { Heap } from '../../src/shared/guest/state/heap.js';
import { AllocatorFullError, GuestStateError } from '../../src/shared/guest/state/state-error.js';
import { below, nextRandom, seedRandom } from '../../src/shared/guest/programs/random.js';
import type { GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { SegmentedGuest } from '../support/segmented-guest.js';
import { memoryOf } from './state-fixtures.js';

const SEED = Number(process.env['STATE_SEED'] ?? 1);
const MIB = 1 << 20;

interface Block {
  readonly gpa: number;
  readonly byteCount: number;
  readonly filling: number;
}

function expectWhole(memory: GuestMemory, { gpa, byteCount, filling }: Block): void {
  const bytes = new Uint8Array(byteCount);
  memory.read(gpa, bytes);
  expect(bytes.every((byte) => byte === filling)).toBe(true);
}

/** Allocates and frees at random, mostly small, in a heap that is full now and then; frees all in the end. */
function hammer(memory: GuestMemory, at: number, byteCount: number, seed: number): { refused: number } {
  Heap.create(memory, at, byteCount);
  const blocks: Block[] = [];
  let random = seedRandom(seed, 0);
  const draw = (count: number): number => below((random = nextRandom(random)), count);
  let refused = 0;
  for (let step = 0; step < 4000; step++) {
    // A view made anew each time: nothing of it may be anywhere but in guest memory.
    const heap = new Heap(memory, at);
    const grows = Math.floor(step / 700) % 2 === 0;
    if (draw(10) < (grows ? 7 : 3) || blocks.length === 0) {
      const asked = draw(8) === 0 ? draw(byteCount / 8) : draw(300);
      const gpa = heap.tryAllocate(asked);
      if (gpa === 0) refused++;
      else {
        expect(gpa % 16).toBe(0);
        const block = { gpa, byteCount: heap.usableBytes(gpa), filling: draw(256) };
        expect(block.byteCount).toBeGreaterThanOrEqual(asked);
        memory.fill(gpa, block.byteCount, block.filling);
        blocks.push(block);
      }
    } else {
      const index = draw(blocks.length);
      const block = blocks[index]!;
      blocks[index] = blocks.at(-1)!;
      blocks.pop();
      expectWhole(memory, block);
      heap.free(block.gpa);
    }
    if (step % 80 === 0) expect(heap.findFault()).toBeUndefined();
  }
  const heap = new Heap(memory, at);
  for (const block of blocks) {
    expectWhole(memory, block);
    heap.free(block.gpa);
  }
  expect(heap.findFault()).toBeUndefined();
  expect([heap.usedBytes, heap.usedBlocks]).toEqual([0, 0]);
  // All of it in one piece again.
  expect(heap.usableBytes(heap.allocate(heap.byteCount - 32))).toBeGreaterThanOrEqual(heap.byteCount - 32);
  return { refused };
}

describe('a heap', () => {
  it(`never hands out what is in use, and comes together again when all is free (STATE_SEED=${SEED})`, () => {
    const memory = memoryOf(4 * MIB);
    expect(hammer(memory, 4096, 256 * 1024, SEED).refused).toBeGreaterThan(0);
    hammer(memory, MIB, 3 * MIB, SEED + 1);
  });

  it('lies above 4 GiB as well', () => {
    const { memory } = new SegmentedGuest(2 ** 40, 4);
    hammer(memory, 2 ** 39 + 16, 2 * MIB, SEED + 2);
  });

  it('gives a block that was freed to the next who asks for as much', () => {
    const heap = Heap.create(memoryOf(MIB), 0, MIB);
    for (const byteCount of [1, 24, 100, 200, 1000, 5000]) {
      const gpa = heap.allocate(byteCount);
      heap.allocate(1);
      heap.free(gpa);
      expect(heap.allocate(byteCount)).toBe(gpa);
    }
  });

  it('touches nothing of what it never handed out', () => {
    const guest = new SegmentedGuest(2 ** 40, 4);
    const heap = Heap.create(guest.memory, 0, 2 ** 40);
    const used = guest.regions.words.used[0]!;
    heap.allocate(2 ** 30);
    heap.allocate(2 ** 30);
    // A header each; that of the first block lies beside the heap's own words.
    expect(guest.regions.words.used[0]! - used).toBe(1);
  });

  it('finds a block that is freed twice, an address that is none, and a header that was written over', () => {
    const memory = memoryOf(MIB);
    const heap = Heap.create(memory, 0, MIB);
    const [first, second, third] = [heap.allocate(40), heap.allocate(40), heap.allocate(40)];
    heap.free(second);
    expect(() => {
      heap.free(second);
    }).toThrow('is no block in use of the heap at gpa 0x0: it was freed before');
    for (const gpa of [first + 16, first + 1, 0, 8, MIB - 16, -16, NaN]) {
      expect(() => {
        heap.free(gpa);
      }).toThrow(GuestStateError);
    }
    memory.fill(first, 56, 0xff);
    heap.allocate(40);
    memory.fill(first, 64, 0xff);
    expect(() => {
      heap.free(second);
    }).toThrow('something wrote over the 8 bytes before it');
    expect(heap.findFault()).toMatch(/^the header of the block at gpa 0x.* is broken$/);
    heap.free(third);
  });

  it('finds a block freed twice that has been merged with others since', () => {
    const heap = Heap.create(memoryOf(MIB), 0, MIB);
    const gpas = [1, 2, 3, 4].map(() => heap.allocate(40));
    heap.allocate(40);
    for (const gpa of gpas) heap.free(gpa);
    for (const gpa of gpas) {
      expect(() => {
        heap.free(gpa);
      }).toThrow(GuestStateError);
    }
  });

  it('says how much is in use when it has no room, and goes on', () => {
    const heap = Heap.create(memoryOf(MIB), 0, 64 * 1024);
    const gpa = heap.allocate(50_000);
    expect(() => heap.allocate(50_000)).toThrow(AllocatorFullError);
    expect(() => heap.allocate(2 ** 40)).toThrow(
      /^the heap at gpa 0x0 has no room for 1099511627776 bytes \(50016 of \d+ are in use\)/,
    );
    heap.free(gpa);
    expect(heap.allocate(50_000)).toBe(gpa);
    expect(() => heap.allocate(-1)).toThrow('a block cannot have -1 bytes');
  });

  it('says what is wrong when there is none, and where none can be', () => {
    const memory = memoryOf(MIB);
    expect(() => new Heap(memory, 4096)).toThrow('there is no heap at gpa 0x1000');
    expect(() => Heap.create(memory, 8, MIB / 2)).toThrow('a heap cannot lie at gpa 0x8');
    expect(() => Heap.create(memory, 0, 1000)).toThrow('a heap at gpa 0x0 cannot have 1000 bytes');
    expect(() => Heap.create(memory, 4096, MIB)).toThrow(GuestStateError);
  });
});
