// Copies between arrays and guest memory, short and long, on words and beside them.
import { expect, it } from 'vitest';
import { copyIn, copyOut, holdsBytes } from '../../src/shared/guest/state/key-bytes.js';
import { memoryOf } from './state-fixtures.js';

it('copies and compares as many bytes as it is told to, wherever they lie', () => {
  const memory = memoryOf(65536);
  const source = Uint8Array.from({ length: 300 }, (_, index) => (index * 37 + 129) & 0xff);
  for (let length = 0; length < 200; length += length < 20 ? 1 : 13) {
    for (let shift = 0; shift < 5; shift++) {
      const gpa = 4096 + shift;
      memory.fill(4000, 600, 0xaa);
      copyIn(memory, gpa, source, shift, length);
      const around = new Uint8Array(length + 2);
      memory.read(gpa - 1, around);
      expect(around.subarray(1, -1)).toEqual(source.subarray(shift, shift + length));
      expect([around[0], around.at(-1)]).toEqual([0xaa, 0xaa]);
      const target = new Uint8Array(length + 10).fill(7);
      copyOut(memory, gpa, target, 3, length);
      expect(target.subarray(3, 3 + length)).toEqual(source.subarray(shift, shift + length));
      expect([target[2], target[3 + length]]).toEqual([7, 7]);
      if (shift % 4 !== 0) continue;
      expect(holdsBytes(memory, gpa, source, shift, length)).toBe(true);
      if (length > 0) memory.store8(gpa + length - 1, memory.load8(gpa + length - 1) ^ 0x80);
      expect(holdsBytes(memory, gpa, source, shift, length)).toBe(length === 0);
    }
  }
});
