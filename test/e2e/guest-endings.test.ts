// A guest that ends in whatever way, in whatever phase of its migration: a part of the matrix every day, more of it in the
// long run, all of it with MICROSTUN_ENDINGS=all; MICROSTUN_ENDINGS=<text> runs the cells whose names contain it.
import { beforeAll, describe, expect, it } from 'vitest';
import { runEnding } from '../support/ending-cell.js';
import { allEndings, nameOfEnding, type EndingCell } from '../support/ending-matrix.js';

const AT_A_TIME = 4;
const CELL_MS_MAX = 200_000;
/** One of so many cells; none of them divides the count of endings, so each is met. */
const EVERY_DAY = 16;
const IN_THE_LONG_RUN = 5;

const chosen = process.env['MICROSTUN_ENDINGS'] ?? '';
const share = process.env['MICROSTUN_TESTS'] === 'long' ? IN_THE_LONG_RUN : EVERY_DAY;
const cells = allEndings().filter((cell, at) =>
  chosen === '' ? at % share === 0 : chosen === 'all' || nameOfEnding(cell).includes(chosen),
);

const results = new Map<EndingCell, string | Error>();

beforeAll(async () => {
  const waiting = [...cells];
  const work = async (): Promise<void> => {
    for (let cell = waiting.shift(); cell !== undefined; cell = waiting.shift())
      results.set(cell, await runEnding(cell).catch((error: unknown) => error as Error));
  };
  await Promise.all(Array.from({ length: AT_A_TIME }, work));
}, CELL_MS_MAX * 4);

describe('both sides say what came of a guest that ends by', () => {
  it.each(cells.map((cell) => [nameOfEnding(cell), cell] as const))('%s', (_name, cell) => {
    const result = results.get(cell);
    if (result instanceof Error) throw result;
    expect(result).toBeDefined();
  });
});
