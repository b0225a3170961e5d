// The ring queue in guest memory, against an array.
import { describe, expect, it } from 'vitest';
import { RingQueue } from '../../src/shared/guest/state/ring-queue.js';
import { GuestStateError } from '../../src/shared/guest/state/state-error.js';
import { below, nextRandom, seedRandom } from '../../src/shared/guest/programs/random.js';
import type { GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { bytesOf, memoryOf, textAt } from './state-fixtures.js';

const SEED = Number(process.env['STATE_SEED'] ?? 1);

function take(memory: GuestMemory, queue: RingQueue): string | undefined {
  const front = queue.front();
  if (front === 0) return undefined;
  const text = textAt(memory, front, queue.lengthOf(front));
  queue.drop();
  return text;
}

describe('a ring queue', () => {
  it(`answers what was put in, in order, and never more than it has room for (STATE_SEED=${SEED})`, () => {
    const memory = memoryOf(65536);
    for (let size = 224; size < 500; size += 24) {
      RingQueue.create(memory, 4096, size);
      memory.fill(4096 + size, 64, 0xee);
      let random = seedRandom(SEED, size);
      const draw = (count: number): number => below((random = nextRandom(random)), count);
      const model: string[] = [];
      let refused = 0;
      for (let step = 0; step < 600; step++) {
        const queue = new RingQueue(memory, 4096);
        expect(queue.isEmpty).toBe(model.length === 0);
        if (draw(2) === 0) expect(take(memory, queue)).toBe(model.shift());
        else {
          const text = String(step)
            .repeat(9)
            .slice(0, draw(queue.recordBytesMax + 1));
          if (queue.push(bytesOf(text))) model.push(text);
          else {
            refused++;
            // It may refuse for want of one piece, never when it is empty.
            expect(model).not.toEqual([]);
          }
        }
      }
      expect(refused).toBeGreaterThan(0);
      const queue = new RingQueue(memory, 4096);
      for (const text of model) expect(take(memory, queue)).toBe(text);
      const behind = new Uint8Array(64);
      memory.read(4096 + size, behind);
      expect(behind.every((byte) => byte === 0xee)).toBe(true);
    }
  });

  it('shows a record only when it is committed, which may be slices later', () => {
    const memory = memoryOf(65536);
    const queue = RingQueue.create(memory, 0, 1024);
    const gpa = queue.reserve(16);
    expect(gpa % 8).toBe(0);
    memory.storeF64(gpa, 7);
    expect(new RingQueue(memory, 0).front()).toBe(0);
    new RingQueue(memory, 0).commit();
    expect(new RingQueue(memory, 0).front()).toBe(gpa);
    expect(queue.lengthOf(gpa)).toBe(16);
  });

  it('says what never gets in, and that nothing is there to drop', () => {
    const memory = memoryOf(65536);
    const queue = RingQueue.create(memory, 0, 1024);
    expect(() => queue.push(new Uint8Array(500))).toThrow(
      /^a record of 500 bytes never gets into the ring queue at gpa 0x0: at most \d+ do$/,
    );
    expect(() => {
      queue.drop();
    }).toThrow('is empty: nothing to drop');
    expect(() => new RingQueue(memory, 4096)).toThrow('there is no ring queue at gpa 0x1000');
    expect(() => RingQueue.create(memory, 4, 1024)).toThrow(GuestStateError);
    expect(() => RingQueue.create(memory, 0, 200)).toThrow(GuestStateError);
  });
});
