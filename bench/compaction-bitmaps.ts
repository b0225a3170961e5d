// Bitmaps for the contest of compaction: what guests dirty, and sets of every density without an order and in runs.
// Knows how they are made; the same on every machine, since guests are counted in writes and not in time.
import type { GuestFactory, GuestSpec, Vcpu } from '../src/shared/guest/guest-program.js';
import { GuestDevices } from '../src/shared/guest/devices/guest-devices.js';
import { catalogue, programNames } from '../src/shared/guest/programs/catalogue.js';
import { allocateMachine, registersOf } from '../src/shared/guest/shared-machine.js';
import { createGuestMemory } from '../src/shared/memory/guest-memory.js';
import { viewMemory } from '../src/shared/memory/layout.js';
import { PageBitmap } from '../src/shared/memory/page-bitmap.js';
import { Tracer } from '../src/source/tracer/tracer.js';

export interface ContestBitmap {
  readonly name: string;
  readonly kind: 'guest' | 'random' | 'clustered';
  /** Share of its pages that are set, as asked for. */
  readonly density?: number;
  readonly bitmap: PageBitmap;
}

const GUEST_BYTES = 1024 ** 3;
/** Page writes before a harvest: what a stun, a short round and a long one see. */
const WRITES = [2000, 50_000, 400_000];
/** 16 GiB of pages. */
export const DENSITY_PAGES = 2 ** 22;
export const DENSITIES = [1e-6, 1e-5, 1e-4, 1e-3, 0.01, 0.03, 0.1, 0.3, 0.5, 0.7, 0.9, 0.97, 0.99, 0.999, 1];
/** Set pages of a run of a clustered set, on the average; more where else there would be no page between two runs. */
const CLUSTER_PAGES = 64;
const CLEAR_PAGES_MIN = 4;

/** Those that write by themselves: one that has devices writes what it is told to. */
const factories = await Promise.all(
  programNames
    .filter((name) => catalogue[name]?.devices === undefined)
    .map(async (name) => [name, await catalogue[name]!.load()] as const),
);

export function* contestBitmaps(): Generator<ContestBitmap> {
  for (const [program, factory] of factories) yield* guestBitmaps(program, factory);
  for (const density of DENSITIES)
    yield { name: `random, ${density}`, kind: 'random', density, bitmap: randomSet(density) };
  for (const density of DENSITIES.slice(1, -1))
    yield { name: `clustered, ${density}`, kind: 'clustered', density, bitmap: clusteredSet(density) };
}

// The guest's program, its memory and the tracer are the product's; its only vCPU runs on this thread, so that between two
// of its slices there is nobody to wait for.
function* guestBitmaps(program: string, factory: GuestFactory): Generator<ContestBitmap> {
  const spec: GuestSpec = {
    program,
    memoryBytes: GUEST_BYTES,
    vcpus: 1,
    seed: 1,
    writeRate: Infinity,
    hotSetBytes: program === 'hot-set' ? GUEST_BYTES / 16 : 0,
    residentBytes: 0,
    devices: [],
  };
  const machine = allocateMachine(spec);
  const tracer = new Tracer(machine.memory, {
    waitForGracePeriod: () => undefined,
    waitUntilParked: () => undefined,
  });
  const memory = createGuestMemory(viewMemory(machine.memory), {
    pageFires: 0,
    waitForPage: () => {
      throw new Error('every page is here');
    },
  });
  const registers = registersOf(machine, 0);
  const guest = factory(spec);
  guest.boot?.({ memory, registers: [registers] });
  let written = 0;
  const vcpu: Vcpu = {
    id: 0,
    memory,
    registers,
    nowUs: () => performance.now() * 1000,
    devices: new GuestDevices(memory, spec),
    haltUntil: () => undefined,
    powerOff: () => {
      throw new Error('powered off');
    },
    countWork: (pages) => {
      written += pages;
    },
  };
  tracer.installTraces();
  for (const writes of WRITES) {
    tracer.harvest();
    for (written = 0; written < writes;) guest.runSlice(vcpu);
    tracer.harvest();
    const { pageCount, words } = tracer.dirty;
    const bitmap = new PageBitmap(pageCount, words.slice());
    yield { name: `${program}, ${writes.toLocaleString('en')} writes`, kind: 'guest', bitmap };
  }
}

function randomSet(density: number): PageBitmap {
  const bitmap = new PageBitmap(DENSITY_PAGES);
  if (density === 1) bitmap.fill();
  const random = randomFrom(7);
  // From one set page to the next.
  for (let page = gap(random(), density); page < DENSITY_PAGES; page += 1 + gap(random(), density))
    bitmap.add(page);
  return bitmap;
}

function gap(random: number, density: number): number {
  return density === 1 ? DENSITY_PAGES : Math.floor(Math.log(1 - random) / Math.log(1 - density));
}

function clusteredSet(density: number): PageBitmap {
  const bitmap = new PageBitmap(DENSITY_PAGES);
  const random = randomFrom(9);
  const clearPages = Math.max(CLEAR_PAGES_MIN, (CLUSTER_PAGES * (1 - density)) / density);
  const setPages = (clearPages * density) / (1 - density);
  for (let page = gap(random(), 1 / clearPages); page < DENSITY_PAGES;) {
    const end = Math.min(DENSITY_PAGES, page + 1 + gap(random(), 1 / setPages));
    for (; page < end; page++) bitmap.add(page);
    page += 1 + gap(random(), 1 / clearPages);
  }
  return bitmap;
}

function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
