// Records over guest memory: where their fields lie, and what is read and written there.
import { describe, expect, it } from 'vitest';
import { atomicI32, f64, i32, i64, record, room, u16, u32, u8 } from '../../src/shared/guest/state/record.js';
import { memoryOf } from './state-fixtures.js';

const Everything = record({
  flags: u8,
  port: u16,
  count: u32,
  delta: i32,
  turns: atomicI32,
  balance: f64,
  total: i64,
  lock: room(12, 4),
  last: u8,
});

describe('a record', () => {
  it('has each field on its alignment, in the order in which they are named', () => {
    const { flags, port, count, delta, turns, balance, total, lock, last } = Everything;
    expect(
      [flags, port, count, delta, turns, balance, total, lock, last].map(({ offset }) => offset),
    ).toEqual([0, 2, 4, 8, 12, 16, 24, 32, 44]);
    expect([Everything.byteCount, Everything.alignment]).toEqual([48, 8]);
    expect(Everything.at(4096, 3)).toBe(4096 + 144);
    expect(lock.gpa(4096)).toBe(4128);
    expect(record({ a: u8, b: u16 }).byteCount).toBe(4);
  });

  it('reads what was written, and nothing of the fields beside it', () => {
    const memory = memoryOf(65536);
    const at = 4096;
    memory.fill(at, 96, 0xff);
    Everything.flags.store(memory, at, 200);
    Everything.port.store(memory, at, 6379);
    Everything.count.store(memory, at, 2 ** 32 - 2);
    Everything.delta.store(memory, at, -2);
    Everything.turns.store(memory, at, -3);
    Everything.balance.store(memory, at, 0.1);
    Everything.total.store(memory, at, -(2n ** 62n));
    expect(Everything.flags.load(memory, at)).toBe(200);
    expect(Everything.port.load(memory, at)).toBe(6379);
    expect(Everything.count.load(memory, at)).toBe(2 ** 32 - 2);
    expect(Everything.delta.load(memory, at)).toBe(-2);
    expect(Everything.turns.load(memory, at)).toBe(-3);
    expect(memory.atomicAdd32(Everything.turns.gpa(at), 5)).toBe(-3);
    expect(Everything.balance.load(memory, at)).toBe(0.1);
    expect(Everything.total.load(memory, at)).toBe(-(2n ** 62n));
    expect(Everything.last.load(memory, at)).toBe(255);
    expect(Everything.flags.load(memory, Everything.at(at, 1))).toBe(255);
  });

  it('has no field whose name is its own, and no value where there is only room', () => {
    expect(() => record({ at: u8 } as never)).toThrow('no field of a record can be called at');
    expect(() => Everything.lock.load(memoryOf(65536), 0)).toThrow('room in a record is no value');
  });
});
