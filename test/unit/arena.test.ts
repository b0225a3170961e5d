// The bump allocator in guest memory.
import { describe, expect, it } from 'vitest';
import { Arena } from '../../src/shared/guest/state/arena.js';
import { AllocatorFullError, GuestStateError } from '../../src/shared/guest/state/state-error.js';
import { memoryOf } from './state-fixtures.js';

describe('an arena', () => {
  it('hands out pieces that do not overlap, on 16 bytes each, to every view of it', () => {
    const memory = memoryOf(1 << 20);
    const gpas = [Arena.create(memory, 4096, 8192).allocate(1)];
    for (const byteCount of [16, 17, 100]) gpas.push(new Arena(memory, 4096).allocate(byteCount));
    expect(gpas.map((gpa) => gpa - 4096)).toEqual([16, 32, 48, 80]);
    expect(new Arena(memory, 4096).usedBytes).toBe(16 + 16 + 32 + 112);
  });

  it('refuses what it has no room for, and still has room for less', () => {
    const memory = memoryOf(1 << 20);
    const arena = Arena.create(memory, 0, 1024);
    expect(arena.freeBytes).toBe(1008);
    arena.allocate(900);
    expect(() => arena.allocate(200)).toThrow(AllocatorFullError);
    expect(arena.allocate(90)).toBe(16 + 912);
    expect(() => arena.allocate(1)).toThrow(
      'the arena at gpa 0x0 has no room for 1 bytes (0 of 1008 are free)',
    );
  });

  it('begins anew when it is reset', () => {
    const arena = Arena.create(memoryOf(1 << 20), 0, 1024);
    const first = arena.allocate(1000);
    arena.reset();
    expect(arena.allocate(1000)).toBe(first);
  });

  it('says what is wrong when there is none, and where none can be', () => {
    const memory = memoryOf(1 << 20);
    expect(() => new Arena(memory, 4096)).toThrow('there is no arena at gpa 0x1000');
    expect(() => Arena.create(memory, 8, 1024)).toThrow('an arena cannot lie at gpa 0x8');
    expect(() => Arena.create(memory, 0, 1 << 21)).toThrow(GuestStateError);
    expect(() => Arena.create(memory, 0, 16)).toThrow(GuestStateError);
  });
});
