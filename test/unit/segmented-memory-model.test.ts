// Guest memory in segments beside a plain map of bytes: every operation at every border of regions and segments, while
// pages change their states. What is not in the map is zero, and has no slot.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_BYTES, PageState, REGION_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { SegmentedGuest } from '../support/segmented-guest.js';

const { PRESENT, TRACED, ARRIVED, ABSENT } = PageState;
const MEMORY_BYTES = 2 ** 45 - REGION_BYTES + 3 * PAGE_BYTES;
const SLOTS = 4128;

/** Regions that have these slots, if they are placed before they are touched: neighbours on both sides of a border. */
const placed = [
  [2047, 2 ** 20],
  [2048, 2 ** 20 + 1],
  [4095, 2 ** 19 - 1],
  [4096, 2 ** 19],
  [4000, 0],
] as const;

/** Where addresses are interesting: around the borders of regions, of numbers of 32 bits, and of pages. */
const borders = [
  REGION_BYTES,
  2 ** 31,
  2 ** 32,
  2 ** 40,
  2 ** 41,
  2 ** 41 + REGION_BYTES,
  2 ** 44,
  (2 ** 31 - 1) * PAGE_BYTES,
  (2 ** 32 + 1) * PAGE_BYTES,
] as const;

class Model {
  readonly bytes = new Map<number, number>();
  /** States of pages of the regions that have a slot; PRESENT where there is none. */
  readonly states = new Map<number, number>();
  readonly regions = new Set<number>();
  fires = 0;
  readonly waits: number[] = [];

  touch(gpa: number, byteCount: number, isStore: boolean): void {
    if (byteCount === 0) return;
    const end = gpa + byteCount;
    for (let at = Math.floor(gpa / REGION_BYTES); isStore && at * REGION_BYTES < end; at++)
      this.regions.add(at);
    for (let page = Math.floor(gpa / PAGE_BYTES); page * PAGE_BYTES < end; page++) {
      if (!this.regions.has(Math.floor(page / REGION_PAGES))) continue;
      const state = this.states.get(page) ?? PRESENT;
      if (state === ABSENT) {
        this.waits.push(page);
        this.states.set(page, ARRIVED);
      }
      if (isStore && state === TRACED) {
        this.states.set(page, PRESENT);
        this.fires++;
      }
    }
  }

  get(gpa: number, byteCount: number): Uint8Array {
    return Uint8Array.from({ length: byteCount }, (_, at) => this.bytes.get(gpa + at) ?? 0);
  }

  set(gpa: number, bytes: Uint8Array): void {
    bytes.forEach((byte, at) => this.bytes.set(gpa + at, byte));
  }
}

interface Both {
  readonly model: Model;
  readonly real: SegmentedGuest;
}

type Operation = (both: Both) => readonly [expected: unknown, answered: unknown];

const gpas = fc
  .tuple(
    fc.constantFrom(0, ...borders, MEMORY_BYTES),
    fc.integer({ min: -2 * PAGE_BYTES, max: 2 * PAGE_BYTES }),
  )
  .map(([border, offset]) => Math.min(MEMORY_BYTES - 1, Math.max(0, border + offset)));

const aligned = (width: number): fc.Arbitrary<number> => gpas.map((gpa) => gpa - (gpa % width));
const numbers = fc.integer({ min: -(2 ** 31), max: 2 ** 32 - 1 });
const longs = fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n });

/** A word of the model: read, or written and then read back as what a load of this width answers. */
function wordOf(width: number, write: (view: DataView) => void): Uint8Array {
  const view = new DataView(new ArrayBuffer(width));
  write(view);
  return new Uint8Array(view.buffer);
}

function loading<T>(
  width: number,
  ofModel: (view: DataView) => T,
  ofReal: (real: SegmentedGuest, gpa: number) => T,
): fc.Arbitrary<Operation> {
  return aligned(width).map((gpa) => ({ model, real }) => {
    model.touch(gpa, width, false);
    return [ofModel(new DataView(model.get(gpa, width).buffer)), ofReal(real, gpa)];
  });
}

function storing<T>(
  width: number,
  values: fc.Arbitrary<T>,
  toModel: (view: DataView, value: T) => void,
  toReal: (real: SegmentedGuest, gpa: number, value: T) => void,
): fc.Arbitrary<Operation> {
  return fc.tuple(aligned(width), values).map(([gpa, value]) => ({ model, real }) => {
    model.touch(gpa, width, true);
    model.set(
      gpa,
      wordOf(width, (view) => {
        toModel(view, value);
      }),
    );
    toReal(real, gpa, value);
    return [undefined, undefined];
  });
}

const words: readonly fc.Arbitrary<Operation>[] = [
  loading(
    1,
    (view) => view.getUint8(0),
    ({ memory }, gpa) => memory.load8(gpa),
  ),
  loading(
    2,
    (view) => view.getUint16(0, true),
    ({ memory }, gpa) => memory.load16(gpa),
  ),
  loading(
    4,
    (view) => view.getInt32(0, true),
    ({ memory }, gpa) => memory.load32(gpa),
  ),
  loading(
    4,
    (view) => view.getInt32(0, true),
    ({ memory }, gpa) => memory.atomicLoad32(gpa),
  ),
  loading(
    8,
    (view) => view.getBigInt64(0, true),
    ({ memory }, gpa) => memory.load64(gpa),
  ),
  loading(
    8,
    (view) => view.getFloat64(0, true),
    ({ memory }, gpa) => memory.loadF64(gpa),
  ),
  storing(
    1,
    numbers,
    (view, value) => {
      view.setUint8(0, value);
    },
    ({ memory }, gpa, value) => {
      memory.store8(gpa, value);
    },
  ),
  storing(
    2,
    numbers,
    (view, value) => {
      view.setUint16(0, value, true);
    },
    ({ memory }, gpa, value) => {
      memory.store16(gpa, value);
    },
  ),
  storing(
    4,
    numbers,
    (view, value) => {
      view.setInt32(0, value, true);
    },
    ({ memory }, gpa, value) => {
      memory.store32(gpa, value);
    },
  ),
  storing(
    4,
    numbers,
    (view, value) => {
      view.setInt32(0, value, true);
    },
    ({ memory }, gpa, value) => {
      memory.atomicStore32(gpa, value);
    },
  ),
  storing(
    8,
    longs,
    (view, value) => {
      view.setBigInt64(0, value, true);
    },
    ({ memory }, gpa, value) => {
      memory.store64(gpa, value);
    },
  ),
  storing(
    8,
    fc.double(),
    (view, value) => {
      view.setFloat64(0, value, true);
    },
    ({ memory }, gpa, value) => {
      memory.storeF64(gpa, value);
    },
  ),
];

const atomics = fc
  .record({
    gpa: aligned(4),
    value: fc.integer(),
    expected: fc.constantFrom(0, 1, -1),
    name: fc.constantFrom('add', 'exchange', 'compareExchange'),
  })
  .map(({ gpa, value, expected, name }): Operation => ({ model, real: { memory } }) => {
    model.touch(gpa, 4, true);
    const old = new DataView(model.get(gpa, 4).buffer).getInt32(0, true);
    const after = name === 'add' ? old + value : name === 'exchange' || old === expected ? value : old;
    model.set(
      gpa,
      wordOf(4, (view) => {
        view.setInt32(0, after, true);
      }),
    );
    if (name === 'add') return [old, memory.atomicAdd32(gpa, value)];
    if (name === 'exchange') return [old, memory.atomicExchange32(gpa, value)];
    return [old, memory.atomicCompareExchange32(gpa, expected, value)];
  });

const blocks = fc
  .record({
    name: fc.constantFrom('fill', 'move', 'read', 'write'),
    gpa: gpas,
    from: gpas,
    wanted: fc.oneof(fc.nat({ max: 16 }), fc.nat({ max: 3 * PAGE_BYTES })),
    value: fc.nat({ max: 255 }),
  })
  .map(({ name, gpa, from, wanted, value }): Operation => ({ model, real: { memory } }) => {
    const byteCount = Math.min(wanted, MEMORY_BYTES - gpa, MEMORY_BYTES - from);
    const written = Uint8Array.from({ length: byteCount }, (_, index) => value + index);
    if (name === 'move') model.touch(from, byteCount, false);
    model.touch(gpa, byteCount, name !== 'read');
    switch (name) {
      case 'fill':
        model.set(gpa, new Uint8Array(byteCount).fill(value));
        memory.fill(gpa, byteCount, value);
        break;
      case 'move':
        model.set(gpa, model.get(from, byteCount));
        memory.move(gpa, from, byteCount);
        break;
      case 'write':
        model.set(gpa, written);
        memory.write(gpa, written);
        break;
      case 'read':
        memory.read(gpa, written);
        return [model.get(gpa, byteCount), written];
    }
    return [undefined, undefined];
  });

/** The tracer and the receivers at work. */
const changes = fc
  .tuple(gpas, fc.constantFrom(PRESENT, TRACED, TRACED, ARRIVED, ABSENT))
  .map(([gpa, state]): Operation => ({ model, real }) => {
    const page = Math.floor(gpa / PAGE_BYTES);
    if (model.regions.has(Math.floor(page / REGION_PAGES))) {
      model.states.set(page, state);
      real.views.pageTable[real.frameAt(gpa)] = state;
    }
    return [undefined, undefined];
  });

/** All that is somewhere is in the map, and the other way round. */
function expectSame({ model, real }: Both): void {
  const { regions, views } = real;
  const here: number[] = [];
  let bytesHere = 0;
  for (let slot = regions.first; slot < regions.count; slot++) {
    const region = regions.regionAt(slot);
    if (region === undefined) continue;
    here.push(region);
    const bytes = real.slotBytes(slot);
    const words = new Int32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4);
    for (let word = 0; word < words.length; word++) {
      if (words[word] === 0) continue;
      for (let at = 4 * word; at < 4 * word + 4; at++) {
        if (bytes[at] !== 0) bytesHere++;
        if (bytes[at] !== (model.bytes.get(region * REGION_BYTES + at) ?? 0))
          expect.fail(`byte ${at} of region ${region} is ${bytes[at]}`);
      }
    }
  }
  expect(here.sort((one, other) => one - other)).toEqual(
    [...model.regions].sort((one, other) => one - other),
  );
  expect(bytesHere).toBe([...model.bytes.values()].filter((byte) => byte !== 0).length);
  for (const [page, state] of model.states)
    if (views.pageTable[real.frameAt(page * PAGE_BYTES)] !== state)
      expect.fail(`page ${page} is not ${state}`);
}

describe('guest memory in segments', () => {
  const real = new SegmentedGuest(MEMORY_BYTES, SLOTS);

  it('does what a map of bytes with a page table beside it does, at every width and border', () => {
    fc.assert(
      fc.property(
        fc.boolean(),
        fc.array(fc.oneof(...words, atomics, atomics, blocks, blocks, changes), {
          maxLength: 60,
          size: 'max',
        }),
        (isPlaced, operations) => {
          real.reset();
          const both: Both = { model: new Model(), real };
          if (isPlaced)
            for (const [slot, region] of placed) {
              real.regions.place(slot, region);
              both.model.regions.add(region);
            }
          for (const operation of operations) {
            const [expected, answered] = operation(both);
            expect(answered).toEqual(expected);
            expect(real.events.pageFires).toBe(both.model.fires);
          }
          expect(real.waits).toEqual(both.model.waits.map((page) => real.frameAt(page * PAGE_BYTES)));
          expectSame(both);
        },
      ),
      { numRuns: 80 },
    );
    expect(real.slotBytes(0).every((byte) => byte === 0)).toBe(true);
  });
});
