import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { createGuestMemory, type GuestMemory } from '../../src/shared/memory/guest-memory.js';
import { allocateMemory, viewMemory, type MemoryViews } from '../../src/shared/memory/layout.js';
import { PAGE_BYTES, PageState } from '../../src/shared/memory/pages.js';

const { PRESENT, TRACED, ARRIVED, ABSENT } = PageState;
const PAGES = 4;
const BYTES = PAGES * PAGE_BYTES;

/** What a guest's memory must be: bytes, states of pages, and what has happened to them. */
interface Model {
  readonly bytes: DataView<ArrayBuffer>;
  readonly states: number[];
  fires: number;
  waits: number[];
}

interface Real {
  readonly views: MemoryViews;
  readonly memory: GuestMemory;
  readonly events: { pageFires: number; waitForPage(page: number): void };
  readonly waits: number[];
}

const shared = viewMemory(allocateMemory(BYTES));

/** The one guest of this file, as if it were new. */
function freshGuest(): Real {
  shared.segments[0]!.bytes.fill(0);
  shared.summary.fill(0);
  shared.pageTable.fill(PRESENT, 0, PAGES);
  const waits: number[] = [];
  const events = {
    pageFires: 0,
    waitForPage: (page: number) => {
      waits.push(page);
      shared.pageTable[page] = ARRIVED;
    },
  };
  return { views: shared, memory: createGuestMemory(shared, events), events, waits };
}

// The model's page table: a wait makes a page ARRIVED, a store on a traced page makes it PRESENT and counts.
function touch(model: Model, gpa: number, byteCount: number, isStore: boolean): void {
  if (byteCount === 0) return;
  for (let page = Math.floor(gpa / PAGE_BYTES); page * PAGE_BYTES < gpa + byteCount; page++) {
    if (model.states[page] === ABSENT) {
      model.waits.push(page);
      model.states[page] = ARRIVED;
    }
    if (isStore && model.states[page] === TRACED) {
      model.states[page] = PRESENT;
      model.fires++;
    }
  }
}

/** A command that runs on both, and after which both must agree. */
function command(
  name: string,
  onModel: (model: Model) => unknown,
  onReal: (real: Real) => unknown,
): fc.Command<Model, Real> {
  return {
    check: () => true,
    run(model, real) {
      const expected = onModel(model);
      expect(onReal(real)).toEqual(expected);
      expect([...real.views.pageTable.subarray(0, PAGES)]).toEqual(model.states);
      expect(real.events.pageFires).toBe(model.fires);
      expect(real.views.summary[0]).toBe(Number(model.fires > 0));
      expect(real.waits).toEqual(model.waits);
      if (Buffer.compare(real.views.segments[0]!.bytes, new Uint8Array(model.bytes.buffer)) !== 0)
        expect.fail(`memory differs after ${name}`);
    },
    toString: () => name,
  };
}

/** Operations on words of one width: a load and a store of the model beside those of guest memory. */
function words<T extends number | bigint>(
  width: number,
  values: fc.Arbitrary<T>,
  load: [name: 'load8' | 'load16' | 'load32' | 'load64' | 'loadF64', of: (bytes: DataView, gpa: number) => T],
  store: [
    name: string,
    of: (bytes: DataView, gpa: number, value: T) => void,
    to: (memory: GuestMemory, gpa: number, value: T) => void,
  ],
): fc.Arbitrary<fc.Command<Model, Real>>[] {
  const gpas = fc.nat({ max: BYTES / width - 1 }).map((index) => index * width);
  return [
    gpas.map((gpa) =>
      command(
        `${load[0]}(${gpa})`,
        (model) => {
          touch(model, gpa, width, false);
          return load[1](model.bytes, gpa);
        },
        ({ memory }) => memory[load[0]](gpa),
      ),
    ),
    fc.tuple(gpas, values).map(([gpa, value]) =>
      command(
        `${store[0]}(${gpa}, ${String(value)})`,
        (model) => {
          touch(model, gpa, width, true);
          store[1](model.bytes, gpa, value);
        },
        ({ memory }) => {
          store[2](memory, gpa, value);
        },
      ),
    ),
  ];
}

/** Values that do not fit are cut to the width, as a store of a processor does. */
const numbers = fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 });

const wordCommands = [
  ...words(
    1,
    numbers,
    ['load8', (bytes, gpa) => bytes.getUint8(gpa)],
    [
      'store8',
      (bytes, gpa, value) => {
        bytes.setUint8(gpa, value);
      },
      (memory, gpa, value) => {
        memory.store8(gpa, value);
      },
    ],
  ),
  ...words(
    2,
    numbers,
    ['load16', (bytes, gpa) => bytes.getUint16(gpa, true)],
    [
      'store16',
      (bytes, gpa, value) => {
        bytes.setUint16(gpa, value, true);
      },
      (memory, gpa, value) => {
        memory.store16(gpa, value);
      },
    ],
  ),
  ...words(
    4,
    numbers,
    ['load32', (bytes, gpa) => bytes.getInt32(gpa, true)],
    [
      'store32',
      (bytes, gpa, value) => {
        bytes.setInt32(gpa, value, true);
      },
      (memory, gpa, value) => {
        memory.store32(gpa, value);
      },
    ],
  ),
  ...words(
    8,
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }),
    ['load64', (bytes, gpa) => bytes.getBigInt64(gpa, true)],
    [
      'store64',
      (bytes, gpa, value) => {
        bytes.setBigInt64(gpa, value, true);
      },
      (memory, gpa, value) => {
        memory.store64(gpa, value);
      },
    ],
  ),
  ...words(
    8,
    fc.double(),
    ['loadF64', (bytes, gpa) => bytes.getFloat64(gpa, true)],
    [
      'storeF64',
      (bytes, gpa, value) => {
        bytes.setFloat64(gpa, value, true);
      },
      (memory, gpa, value) => {
        memory.storeF64(gpa, value);
      },
    ],
  ),
];

const atomicCommands = fc
  .record({
    gpa: fc.nat({ max: BYTES / 4 - 1 }).map((index) => index * 4),
    value: fc.integer(),
    expected: fc.constantFrom(0, 1, -1),
    name: fc.constantFrom('add', 'exchange', 'compareExchange'),
  })
  .map(({ gpa, value, expected, name }) =>
    command(
      `${name}(${gpa}, ${value}, ${expected})`,
      (model) => {
        touch(model, gpa, 4, true);
        const old = model.bytes.getInt32(gpa, true);
        if (name === 'add') model.bytes.setInt32(gpa, old + value, true);
        else if (name === 'exchange' || old === expected) model.bytes.setInt32(gpa, value, true);
        return old;
      },
      ({ memory }) => {
        if (name === 'add') return memory.atomicAdd32(gpa, value);
        if (name === 'exchange') return memory.atomicExchange32(gpa, value);
        return memory.atomicCompareExchange32(gpa, expected, value);
      },
    ),
  );

const blockCommands = fc
  .record({
    name: fc.constantFrom('fill', 'move', 'read', 'write'),
    gpa: fc.nat({ max: BYTES }),
    fromGpa: fc.nat({ max: BYTES }),
    byteCount: fc.oneof(fc.nat({ max: 16 }), fc.nat({ max: BYTES })),
    value: fc.nat({ max: 255 }),
  })
  .map(({ name, gpa, fromGpa, byteCount: wanted, value }) => {
    const byteCount = Math.min(wanted, BYTES - gpa, BYTES - fromGpa);
    const written = Uint8Array.from({ length: byteCount }, (_, index) => value + index);
    return command(
      `${name}(${gpa}, ${fromGpa}, ${byteCount}, ${value})`,
      (model) => {
        const bytes = new Uint8Array(model.bytes.buffer);
        if (name === 'move') touch(model, fromGpa, byteCount, false);
        touch(model, gpa, byteCount, name !== 'read');
        if (name === 'fill') bytes.fill(value, gpa, gpa + byteCount);
        if (name === 'move') bytes.copyWithin(gpa, fromGpa, fromGpa + byteCount);
        if (name === 'write') bytes.set(written, gpa);
        return name === 'read' ? bytes.slice(gpa, gpa + byteCount) : undefined;
      },
      ({ memory }) => {
        const target = new Uint8Array(byteCount);
        if (name === 'fill') memory.fill(gpa, byteCount, value);
        if (name === 'move') memory.move(gpa, fromGpa, byteCount);
        if (name === 'write') memory.write(gpa, written);
        if (name !== 'read') return undefined;
        memory.read(gpa, target);
        return target;
      },
    );
  });

/** The tracer and the receivers at work: a page changes its state between two operations of the guest. */
const stateCommands = fc
  .tuple(fc.nat({ max: PAGES - 1 }), fc.constantFrom(PRESENT, TRACED, TRACED, ARRIVED, ABSENT))
  .map(([page, state]) =>
    command(
      `page ${page} becomes ${state}`,
      (model) => {
        model.states[page] = state;
      },
      ({ views }) => {
        views.pageTable[page] = state;
      },
    ),
  );

describe('guest memory', () => {
  it('does what a plain memory with a page table beside it does, at every width', () => {
    fc.assert(
      fc.property(
        fc.commands(
          [...wordCommands, atomicCommands, atomicCommands, blockCommands, blockCommands, stateCommands],
          {
            maxCommands: 60,
            size: 'max',
          },
        ),
        (commands) => {
          fc.modelRun(() => {
            const model: Model = {
              bytes: new DataView(new ArrayBuffer(BYTES)),
              states: Array<number>(PAGES).fill(PRESENT),
              fires: 0,
              waits: [],
            };
            return { model, real: freshGuest() };
          }, commands);
        },
      ),
      { numRuns: 300 },
    );
  });
});
