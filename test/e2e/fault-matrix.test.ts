// Every message of the protocol, disturbed: a deterministic sample by default, all of it with MICROSTUN_MATRIX=all.
// MICROSTUN_MATRIX=<text> runs the cells whose names contain it.
import { GATEWAY_FRAMES, SERVICE_FRAMES } from '../../src/shared/wire/stream-frames.js';
import { beforeAll, describe, expect, it } from 'vitest';
import { FrameType, type FrameName } from '../../src/shared/wire/frames.js';
import { runCell, type CellResult } from '../support/fault-cell.js';
import {
  allCells,
  FAULTS,
  INSTANTS,
  nameOf,
  rowsOf,
  sampledCells,
  type Cell,
} from '../support/fault-matrix.js';

const AT_A_TIME = 4;
const CELL_MS_MAX = 240_000;

const chosen = process.env['MICROSTUN_MATRIX'] ?? '';
const cells =
  chosen === ''
    ? sampledCells()
    : allCells().filter((cell) => chosen === 'all' || nameOf(cell).includes(chosen));

const results = new Map<Cell, CellResult | Error>();

beforeAll(
  async () => {
    const waiting = [...cells];
    const work = async (): Promise<void> => {
      for (let cell = waiting.shift(); cell !== undefined; cell = waiting.shift()) {
        const result = await runCell(cell).catch((error: unknown) => error as Error);
        results.set(cell, result);
        if (chosen === '') continue;
        const said =
          result instanceof Error
            ? `FAILED: ${result.message}`
            : `${result.outcome} (${result.seconds.toFixed(1)} s)`;
        process.stderr.write(`${nameOf(cell)}: ${said}\n`);
      }
    };
    await Promise.all(Array.from({ length: AT_A_TIME }, work));
  },
  (CELL_MS_MAX * cells.length) / AT_A_TIME + CELL_MS_MAX,
);

/** Those of a gateway are of no migration. */
const ofGateways = new Set<FrameName>([...GATEWAY_FRAMES, ...SERVICE_FRAMES]);
const messages = (Object.keys(FrameType) as FrameName[]).filter((name) => !ofGateways.has(name));

describe('the fault matrix', () => {
  it('has a row for every message of the protocol', () => {
    const missing = messages.filter((message) => rowsOf(message).length === 0);
    expect(missing).toEqual([]);
  });

  it('samples every row, every fault and every instant', () => {
    const sample = sampledCells();
    expect(new Set(sample.map((cell) => cell.message))).toEqual(new Set(messages));
    expect(new Set(sample.map(({ when, what }) => `${what} ${when}`)).size).toBe(
      FAULTS.length * INSTANTS.length,
    );
  });
});

describe('one owner and a whole guest after', () => {
  it.each(cells.map((cell) => [nameOf(cell), cell] as const))('%s', (_name, cell) => {
    const result = results.get(cell);
    if (result instanceof Error) throw result;
    expect(result?.outcome).toBeDefined();
  });
});
