// The lock, the condition and the set of vCPUs in guest memory, one vCPU after the other;
// state-interleavings.test.ts has them at the same time.
import { describe, expect, it } from 'vitest';
import { Condition, CONDITION_BYTES } from '../../src/shared/guest/state/condition.js';
import { Mutex, MUTEX_BYTES } from '../../src/shared/guest/state/mutex.js';
import { VcpuSet } from '../../src/shared/guest/state/vcpu-set.js';
import type { GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { memoryOf } from './state-fixtures.js';

const AT = 4096;

const vcpu = (id: number) => ({ id, nowUs: () => 1000, haltUntil: () => undefined });

describe('a mutex', () => {
  // Made anew for each use: nothing of it may be anywhere but in guest memory.
  const lockOf = (memory: GuestMemory): Mutex => new Mutex(memory, AT);

  it('is free when its memory is zero, is held by one, and says by whom', () => {
    const memory = memoryOf(65536);
    expect(lockOf(memory).owner).toBe(-1);
    expect(lockOf(memory).lock(vcpu(63))).toBe(true);
    expect(lockOf(memory).owner).toBe(63);
    expect(lockOf(memory).tryLock(vcpu(0))).toBe(false);
    expect(lockOf(memory).isAwaitedBy(vcpu(0))).toBe(false);
    lockOf(memory).unlock(vcpu(63));
    expect(lockOf(memory).owner).toBe(-1);
    expect(new Uint8Array(MUTEX_BYTES).every((_, index) => memory.load8(AT + index) === 0)).toBe(true);
  });

  it('is handed to those who wait in turn, and to nobody twice while another waits', () => {
    const memory = memoryOf(65536);
    lockOf(memory).lock(vcpu(10));
    for (const id of [5, 40, 63, 0, 31, 32]) expect(lockOf(memory).lock(vcpu(id))).toBe(false);
    const order: number[] = [];
    for (let holder = 10; order.length < 14; holder = order.at(-1)!) {
      lockOf(memory).unlock(vcpu(holder));
      order.push(lockOf(memory).owner);
      expect(lockOf(memory).lock(vcpu(order.at(-1)!))).toBe(true);
      expect(lockOf(memory).isAwaitedBy(vcpu(order.at(-1)!))).toBe(false);
      expect(lockOf(memory).lock(vcpu(holder))).toBe(false);
    }
    const turn = [31, 32, 40, 63, 0, 5, 10];
    expect(order).toEqual([...turn, ...turn]);
  });

  it('that was handed to a vCPU is free for nobody else until it came for it', () => {
    const memory = memoryOf(65536);
    lockOf(memory).lock(vcpu(0));
    lockOf(memory).lock(vcpu(1));
    lockOf(memory).unlock(vcpu(0));
    expect(lockOf(memory).owner).toBe(1);
    expect(lockOf(memory).tryLock(vcpu(0))).toBe(false);
    expect(() => {
      lockOf(memory).unlock(vcpu(1));
    }).toThrow('vCPU 1 does not hold the lock at gpa 0x1000');
    expect(lockOf(memory).tryLock(vcpu(1))).toBe(true);
    lockOf(memory).unlock(vcpu(1));
    expect(lockOf(memory).owner).toBe(-1);
  });

  it('says so when its owner takes it again, and when another lets it go', () => {
    const memory = memoryOf(65536);
    lockOf(memory).lock(vcpu(2));
    expect(() => lockOf(memory).lock(vcpu(2))).toThrow('vCPU 2 holds the lock at gpa 0x1000 already');
    expect(() => {
      lockOf(memory).unlock(vcpu(3));
    }).toThrow('vCPU 3 does not hold the lock at gpa 0x1000: vCPU 2 does');
    lockOf(memory).unlock(vcpu(2));
    expect(() => {
      lockOf(memory).unlock(vcpu(2));
    }).toThrow('nobody does');
  });
});

describe('a condition', () => {
  it('lets the lock go, and wakes each who waits in turn, or all', () => {
    const memory = memoryOf(65536);
    const mutex = new Mutex(memory, AT);
    const condition = (): Condition => new Condition(memory, AT + MUTEX_BYTES);
    expect(CONDITION_BYTES % 4).toBe(0);
    for (const id of [0, 33, 7]) {
      expect(condition().isWaiting(vcpu(id))).toBe(false);
      expect(mutex.lock(vcpu(id))).toBe(true);
      condition().wait(vcpu(id), mutex);
      expect(mutex.owner).toBe(-1);
    }
    const waiting = (): number[] => [0, 7, 33].filter((id) => condition().isWaiting(vcpu(id)));
    expect(waiting()).toEqual([0, 7, 33]);
    condition().signal();
    expect(waiting()).toEqual([0, 33]);
    condition().signal();
    expect(waiting()).toEqual([0]);
    condition().signal();
    condition().signal();
    expect(waiting()).toEqual([]);
    for (const id of [1, 40]) {
      mutex.lock(vcpu(id));
      condition().wait(vcpu(id), mutex);
    }
    condition().broadcast();
    expect([1, 40].some((id) => condition().isWaiting(vcpu(id)))).toBe(false);
  });

  it('asks a vCPU that waits to halt, and not for long', () => {
    const memory = memoryOf(65536);
    const halts: number[] = [];
    const halting = { ...vcpu(1), haltUntil: (us: number) => void halts.push(us) };
    const mutex = new Mutex(memory, AT);
    const condition = new Condition(memory, AT + MUTEX_BYTES);
    mutex.lock(halting);
    condition.wait(halting, mutex);
    condition.isWaiting(halting);
    expect(halts).toEqual([1500, 1500]);
  });
});

describe('a set of vCPUs', () => {
  it('takes out the next one round and round, wherever it begins', () => {
    const memory = memoryOf(65536);
    for (const ids of [[], [0], [63], [31, 32], [0, 31, 32, 63], [5, 9, 40]]) {
      for (let from = 0; from < 64; from++) {
        const set = new VcpuSet(memory, AT);
        for (const id of ids) set.add(id);
        const after = [...ids.filter((id) => id > from), ...ids.filter((id) => id <= from)];
        const taken: number[] = [];
        for (let next = from; (next = set.takeAfter(next)) >= 0;) taken.push(next);
        // Of those in the other word those above come first as well.
        expect(taken, `${ids.join()} after ${from}`).toEqual(after);
        expect(set.isEmpty()).toBe(true);
      }
    }
  });
});
