// What of a switch-over depends on how much is dirty, alone and in one process: the last harvest, the compaction, the
// expansion and the marking, of a guest of 24 TiB whose dirty pages lie scattered. Real code over real tables.
// Its pages are never touched, so tables of guests fit that this machine's memory would not.
import { expandBitmap } from '../src/destination/hand-over-check.js';
import {
  layOutSegments,
  viewMemory,
  type MemoryHandle,
  type MemoryViews,
} from '../src/shared/memory/layout.js';
import { PageState, REGION_BYTES, REGION_PAGES } from '../src/shared/memory/pages.js';
import { markAbsent, unmarkAbsent } from '../src/shared/memory/placement.js';
import { RegionDirectory } from '../src/shared/memory/regions.js';
import { Tracer } from '../src/source/tracer/tracer.js';

const MEMORY_BYTES = 24 * 1024 ** 4;

export interface DirtyCase {
  readonly pages: number;
  /** Regions of 2 MiB that the guest has touched; its dirty pages are spread over all of them alike. */
  readonly regions: number;
}

/** Milliseconds of each run. */
export interface PartsMs {
  readonly harvest: number[];
  readonly compaction: number[];
  readonly expansion: number[];
  readonly marking: number[];
  readonly total: number[];
  readonly bitmapBytes: number;
}

/** No vCPU exists. */
const NOBODY = { waitForGracePeriod: () => undefined, waitUntilParked: () => undefined };

/** The parts of `runs` switch-overs, after as many that warm the code. */
export function measureParts({ pages, regions }: DirtyCase, runs: number): PartsMs {
  const places = scattered(regions);
  const [source, destination] = [guestOf(places), guestOf(places)];
  const there = viewMemory(destination);
  const tracer = new Tracer(source, NOBODY);
  tracer.installTraces();
  const dirty = dirtyPages(pages, regions);
  const harvest: number[] = [];
  const compaction: number[] = [];
  const expansion: number[] = [];
  const marking: number[] = [];
  let bitmapBytes = 0;
  for (let run = 0; run < 2 * runs; run++) {
    tracer.harvest();
    fire(viewMemory(source), dirty);
    const last = tracer.takeLast('compacted', false);
    const from = performance.now();
    const lacking = expandBitmap(last.bitmap, there);
    const expandedAt = performance.now();
    const marked = markAbsent(there, lacking);
    const markedAt = performance.now();
    if (marked !== pages || last.dirtyPages !== pages)
      throw new Error(`${marked} pages were marked, ${last.dirtyPages} harvested, of ${pages}`);
    unmarkAbsent(there, lacking);
    trace(viewMemory(source), dirty);
    bitmapBytes = last.bitmap.length;
    if (run < runs) continue;
    harvest.push((last.harvestedAt - last.parkedAt) / 1000);
    compaction.push((last.compactedAt - last.harvestedAt) / 1000);
    expansion.push(expandedAt - from);
    marking.push(markedAt - expandedAt);
  }
  const total = harvest.map((ms, run) => ms + compaction[run]! + expansion[run]! + marking[run]!);
  return { harvest, compaction, expansion, marking, total, bitmapBytes };
}

function guestOf(places: readonly number[]): MemoryHandle {
  const handle = layOutSegments(MEMORY_BYTES, places.length + 1);
  const { regions } = viewMemory(handle);
  if (!(regions instanceof RegionDirectory)) throw new Error('a guest of 24 TiB lies in segments');
  for (const [index, region] of places.entries()) regions.place(regions.first + index, region);
  return handle;
}

/** Regions all over the address space, in the order in which they were touched. */
function scattered(count: number): number[] {
  const random = generator(7);
  const all = MEMORY_BYTES / REGION_BYTES;
  const places = new Set<number>();
  while (places.size < count) places.add(Math.floor(random() * all));
  return [...places];
}

/** Frames, as many in each region, wherever in it. */
function dirtyPages(pages: number, regions: number): Int32Array {
  const random = generator(11);
  const frames = new Int32Array(pages);
  let at = 0;
  for (let index = 0; index < regions; index++) {
    const from = (index + 1) * REGION_PAGES;
    const share = Math.floor(((index + 1) * pages) / regions) - Math.floor((index * pages) / regions);
    const taken = new Set<number>();
    while (taken.size < share) taken.add(Math.floor(random() * REGION_PAGES));
    for (const page of taken) frames[at++] = from + page;
  }
  return frames;
}

// As the stores of a vCPU do.
function fire({ pageTable, summary }: MemoryViews, frames: Int32Array): void {
  for (const frame of frames) {
    pageTable[frame] = PageState.PRESENT;
    summary[Math.floor(frame / REGION_PAGES)] = 1;
  }
}

function trace({ pageTable }: MemoryViews, frames: Int32Array): void {
  for (const frame of frames) pageTable[frame] = PageState.TRACED;
}

function generator(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 0x1_0000_0000;
  };
}
