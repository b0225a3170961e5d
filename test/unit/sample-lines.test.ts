import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { onOneAxis } from '../../src/html/sections/sample-lines.js';

describe('sampled lines on one axis', () => {
  it('have at every instant what was measured across it', () => {
    const { x, columns } = onOneAxis(
      [
        { atMs: [0, 10, 20], values: [1, 2, 3] },
        { atMs: [5, 15, 25], values: [7, 8, 9] },
      ],
      [],
    );
    expect(x).toEqual([0, 5, 10, 15, 20, 25]);
    expect(columns).toEqual([
      [1, 2, 2, 3, 3, null],
      [null, 7, 8, 8, 9, 9],
    ]);
  });

  it('end at a gap and begin anew after it', () => {
    const { x, columns } = onOneAxis([{ atMs: [0, 10, 20, 500, 510], values: [1, 2, 3, 4, 5] }], []);
    expect(x).toEqual([0, 10, 20, 260, 500, 510]);
    expect(columns).toEqual([[1, 2, 3, null, 4, 5]]);
  });

  it('are not joined across a gap by what another line was doing meanwhile', () => {
    const other = Array.from({ length: 60 }, (_, at) => 10 * at);
    const { x, columns } = onOneAxis(
      [
        { atMs: [0, 10, 20, 500, 510], values: [1, 2, 3, 4, 5] },
        { atMs: other, values: other },
      ],
      [],
    );
    const within = columns[0]!.filter((_, at) => x[at]! > 20 && x[at]! < 500);
    expect(new Set(within)).toEqual(new Set([null]));
    expect(columns[1]).not.toContain(null);
  });

  it('reach to the edges, with nothing where nothing was sampled', () => {
    expect(onOneAxis([{ atMs: [], values: [] }], [-5, 70])).toEqual({ x: [-5, 70], columns: [[null, null]] });
  });

  it('keep every sample, whatever they are', () => {
    const line = fc.uniqueArray(fc.integer({ min: -1000, max: 100_000 })).map((list) => {
      const atMs = list.sort((one, other) => one - other);
      return { atMs, values: atMs.map((at) => at * 2) };
    });
    fc.assert(
      fc.property(fc.array(line, { minLength: 1, maxLength: 3 }), (lines) => {
        const { x, columns } = onOneAxis(lines, []);
        for (const [at, { atMs }] of lines.entries())
          for (const ms of atMs) expect(columns[at]![x.indexOf(ms)]).toBe(ms * 2);
        expect([...x]).toEqual([...x].sort((one, other) => one - other));
      }),
    );
  });
});
