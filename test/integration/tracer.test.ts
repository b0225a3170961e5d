// The tracer against vCPUs on real threads: harvests and copies as pre-copy does, then compares every byte.
import { afterEach, describe, expect, it } from 'vitest';
import { GuestMachine } from '../../src/shared/guest/machine.js';
import { allocateMachine } from '../../src/shared/guest/shared-machine.js';
import { expand } from '../../src/shared/memory/compacted-bitmap.js';
import { allocateHandOverGate, HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { viewMemory } from '../../src/shared/memory/layout.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { Command } from '../../src/shared/memory/safepoint-words.js';
import { SafepointControl } from '../../src/shared/memory/safepoint-control.js';
import { removeTraces } from '../../src/shared/memory/tracing.js';
import { encodeMark } from '../../src/shared/wire/page-frames.js';
import { decodeAnnouncement, decodeHandOver } from '../../src/shared/wire/switch-over-frames.js';
import { TracerThread } from '../../src/source/tracer/tracer-thread.js';
import type { BitmapLogic, LastHarvest, TraceMode } from '../../src/source/tracer/tracer.js';
import { DestinationCopy } from '../support/destination-copy.js';
import { COMPACTED, faultPeerOf, IGNORED } from '../support/fault-peer.js';
import { FixtureWorkers, sharedWords, until } from '../support/fixture-threads.js';
import { TRACER_GATE_WORDS, TracerGate } from '../support/tracer-gate.js';

const MEMORY_BYTES = (4 << 20) + 3 * PAGE_BYTES;
const HARVESTS = 25;

const workers = new FixtureWorkers();
const closers: (() => Promise<void>)[] = [];

afterEach(async () => {
  for (const close of closers.splice(0).reverse()) await close();
  await workers.terminate();
});

async function startGuest(
  program: string,
  vcpus: number,
  seed: number,
  writeRate = Infinity,
): Promise<GuestMachine> {
  const failures: Error[] = [];
  const spec = {
    program,
    memoryBytes: MEMORY_BYTES,
    vcpus,
    seed,
    writeRate,
    hotSetBytes: 0,
    residentBytes: 0,
    devices: [],
  };
  const machine = new GuestMachine(spec, { failed: (error) => failures.push(error) });
  await machine.start(true);
  closers.push(async () => {
    await machine.close();
    expect(failures).toEqual([]);
  });
  return machine;
}

function startTracer(machine: GuestMachine, mode: TraceMode = 'dedicated'): TracerThread {
  const failures: Error[] = [];
  const gate = allocateHandOverGate();
  new HandOverGate(gate).open();
  const tracer = new TracerThread(machine.shared, mode, gate, {
    ...IGNORED,
    failed: (error) => failures.push(error),
  });
  closers.push(async () => {
    await tracer.close();
    expect(failures).toEqual([]);
  });
  return tracer;
}

/** Has the guest leave, parked, to a destination that takes what it is told; answers the pages that it was told of. */
async function leave(tracer: TracerThread, logic: BitmapLogic, pageCount: number): Promise<PageBitmap> {
  const peer = await faultPeerOf(tracer);
  closers.push(() => peer.leave('at once'));
  const departing = tracer.switchOver({ ...COMPACTED, logic });
  const lacking = new PageBitmap(pageCount);
  const lacks = (bitmap: Uint8Array): void => {
    for (const [index, word] of expand(bitmap, pageCount).words.entries()) lacking.words[index]! |= word;
  };
  if (logic === 'ahead') {
    const { number, bitmap } = decodeAnnouncement((await peer.hears('ANNOUNCEMENT')).body);
    lacks(bitmap);
    peer.say(encodeMark('ANNOUNCED', number, lacking.count()));
  }
  const { last, lastSliceEndAt } = await departing;
  lacks(decodeHandOver((await peer.hears('HAND_OVER')).body, lastSliceEndAt.length, 0).bitmap);
  expect(last.dirtyPages).toBe(lacking.count());
  return lacking;
}

function firstOf(bitmap: PageBitmap, pages: number): PageBitmap {
  const first = new PageBitmap(bitmap.pageCount);
  for (let page = bitmap.nextSet(0, pages); page < pages; page = bitmap.nextSet(page + 1, pages))
    first.add(page);
  return first;
}

const newSeed = (): number => Math.floor(Math.random() * 2 ** 32);

async function harvestAndCompare(
  mode: TraceMode,
  logic: BitmapLogic,
  program: string,
  vcpus: number,
): Promise<void> {
  const seed = newSeed();
  const machine = await startGuest(program, vcpus, seed);
  const tracer = startTracer(machine, mode);
  const destination = new DestinationCopy(machine.shared.memory);
  await machine.resume();

  await tracer.installTraces();
  expect(destination.copy()).toBe(destination.pageCount);
  const workAtInstall = machine.counters().work;
  for (let round = 0; round < HARVESTS; round++) {
    const { dirtyPages } = await tracer.harvest();
    expect(destination.copy()).toBe(dirtyPages);
  }
  const { work, pageFires } = machine.counters();
  expect(work).toBeGreaterThan(workAtInstall);
  expect(pageFires).toBeGreaterThan(destination.pageCount / 10);

  destination.copy(await leave(tracer, logic, destination.pageCount));
  expect(machine.safepoints.areAllParked()).toBe(true);
  expect(destination.differingPages(), `seed ${seed}`).toEqual([]);
  const audit = await machine.audit();
  expect(audit, `seed ${seed}`).toMatchObject({ passed: true });
}

describe('no mark is lost across harvests of a guest that writes flat out', () => {
  const cases = ['replay', 'hot-set'].flatMap((program) => [1, 2, 4].map((vcpus) => ({ program, vcpus })));

  it.each(cases)('$program, $vcpus vCPUs, dedicated', async ({ program, vcpus }) => {
    await harvestAndCompare('dedicated', 'compacted', program, vcpus);
  });

  it.each(cases)('$program, $vcpus vCPUs, dedicated, and the bitmap ahead', async ({ program, vcpus }) => {
    await harvestAndCompare('dedicated', 'ahead', program, vcpus);
  });

  it.each(cases)('$program, $vcpus vCPUs, all-vcpus', async ({ program, vcpus }) => {
    await harvestAndCompare('all-vcpus', 'ahead', program, vcpus);
  });

  // Flat out, a page is soon written again and its lost mark with it made good. A slower guest leaves it to be seen.
  const slower = ['replay', 'hot-set'].flatMap((program) => [2, 4].map((vcpus) => ({ program, vcpus })));

  it.each(slower)('$program, $vcpus vCPUs at a slower pace, compared at every park', async (one) => {
    const seed = newSeed();
    const machine = await startGuest(one.program, one.vcpus, seed, 100_000);
    const tracer = startTracer(machine);
    const destination = new DestinationCopy(machine.shared.memory);
    const harvestAndCopy = async (): Promise<number> => {
      await tracer.harvest();
      return destination.copy();
    };
    await tracer.installTraces();
    destination.copy();
    let copied = 0;
    for (let park = 0; park < 25; park++) {
      await machine.resume();
      for (let round = 0; round < 3; round++) copied += await harvestAndCopy();
      await machine.park();
      copied += await harvestAndCopy();
      expect(destination.differingPages(), `seed ${seed}, park ${park}`).toEqual([]);
    }
    expect(copied).toBeGreaterThan(0);
  });

  it('and none across a second installation of traces by another tracer, after the first were removed', async () => {
    const seed = newSeed();
    const machine = await startGuest('replay', 2, seed);
    await machine.resume();
    for (let attempt = 0; attempt < 5; attempt++) {
      const tracer = startTracer(machine);
      const destination = new DestinationCopy(machine.shared.memory);
      await tracer.installTraces();
      destination.copy();
      for (let round = 0; round < 3; round++) {
        await tracer.harvest();
        destination.copy();
      }
      await machine.park();
      destination.copy(await leave(tracer, 'raw', destination.pageCount));
      expect(destination.differingPages(), `seed ${seed}`).toEqual([]);
      await tracer.close();
      // The guest may run meanwhile: a page that is here is as good untraced.
      if (attempt % 2 === 0) await machine.resume();
      removeTraces(viewMemory(machine.shared.memory));
      if (attempt % 2 === 1) await machine.resume();
    }
    await machine.park();
  });

  it.each<TraceMode>(['dedicated', 'all-vcpus'])(
    'and none of those that a stopped round did not send, with %s traces',
    async (mode) => {
      const seed = newSeed();
      const machine = await startGuest('replay', 2, seed);
      const tracer = startTracer(machine, mode);
      const destination = new DestinationCopy(machine.shared.memory);
      await machine.resume();
      await tracer.installTraces();
      for (let round = 0; round < 10; round++) {
        // As a copier that is stopped after some regions: what it placed is dirty no more.
        const placed = firstOf(destination.dirty, destination.pageCount >> (round % 3));
        destination.copy(placed);
        for (const [index, word] of placed.words.entries()) destination.dirty.words[index]! &= ~word;
        await tracer.harvest(true);
      }
      await machine.park();
      destination.copy(await leave(tracer, 'raw', destination.pageCount));
      expect(destination.differingPages(), `seed ${seed}`).toEqual([]);
    },
  );
});

describe('a test notices', () => {
  it('a mark that is dropped after a harvest', async () => {
    const machine = await startGuest('hot-set', 2, newSeed());
    const losesMarkOf = 500;
    const tracer = workers.start('broken-tracer-worker.mjs', { machine: machine.shared, losesMarkOf });
    const destination = new DestinationCopy(machine.shared.memory);
    await tracer.ask({ kind: 'install' });
    destination.copy();
    await machine.resume();
    // The first harvest must find the page dirty, and nobody may write it after: until then the guest runs.
    const { pageTable } = destination;
    await until(() => Atomics.load(pageTable, losesMarkOf) === 0);
    await machine.park();

    await tracer.ask({ kind: 'harvest' });
    destination.copy();
    const { last } = (await tracer.ask({ kind: 'take-last' })) as { last: LastHarvest };
    destination.copy(expand(last.bitmap, destination.pageCount));
    expect(destination.differingPages()).toEqual([losesMarkOf]);
  });

  // The store of a vCPU is held between its page fire and its store while the tracer takes the page: what the second
  // grace period is for. A tracer that does not wait for it has the page copied too early and traced again too early.
  const earlier = { gpa: PAGE_BYTES * 3, value: 33 };
  const heldUp = { gpa: PAGE_BYTES * 8 + 16, value: 88 };

  async function copyAcrossHeldStore(skips: readonly string[]): Promise<number[]> {
    const spec = {
      program: 'replay',
      memoryBytes: MEMORY_BYTES,
      vcpus: 1,
      seed: 1,
      writeRate: Infinity,
      hotSetBytes: 0,
      residentBytes: 0,
      devices: [],
    };
    const machine = allocateMachine(spec);
    const control = new SafepointControl(machine.safepointWords);
    const gate = sharedWords(TRACER_GATE_WORDS);
    const more = { machine, gate, words: TracerGate };
    const destination = new DestinationCopy(machine.memory);
    workers.start('scripted-vcpu-worker.mjs', { ...more, stores: [earlier, heldUp] });
    const tracer = workers.start('broken-tracer-worker.mjs', { ...more, skips });
    control.command(Command.RUN);

    await tracer.ask({ kind: 'install' });
    destination.copy();
    // A first store marks the region, so that the harvest looks at its pages.
    Atomics.store(gate, TracerGate.FIRES_LET_GO, 1);
    Atomics.store(gate, TracerGate.ORDERED, 1);
    await until(() => Atomics.load(gate, TracerGate.STORED) === 1);

    await tracer.ask({ kind: 'harvest' });
    destination.copy();
    Atomics.store(gate, TracerGate.FIRES_LET_GO, 2);
    Atomics.notify(gate, TracerGate.FIRES_LET_GO);
    await until(() => Atomics.load(gate, TracerGate.STORED) === 2);

    // The last harvest re-sends what the one before it took; a harvest in between leaves it nothing to hide behind.
    await tracer.ask({ kind: 'harvest' });
    destination.copy();
    control.command(Command.PARK);
    const { last } = (await tracer.ask({ kind: 'take-last' })) as { last: LastHarvest };
    destination.copy(expand(last.bitmap, destination.pageCount));
    return destination.differingPages();
  }

  it.each([
    ['skips its second grace period', ['second']],
    ['skips both of its grace periods', ['first', 'second']],
  ])('a harvest that %s', async (_, skips) => {
    expect(await copyAcrossHeldStore(skips)).toEqual([Math.floor(heldUp.gpa / PAGE_BYTES)]);
  });

  it('nothing, when the harvest waits for the very same store', async () => {
    expect(await copyAcrossHeldStore([])).toEqual([]);
  });
});
