// The memory of a guest in segments as stepping code sees it: a few slots, of each of which the first pages count.
// What is replaced here is not explored: the layout of the buffers.
import type { MemoryViews } from '../../../src/shared/memory/layout.js';
import { PAGES_BINARY } from '../../../src/shared/memory/kernels-binary.js';
import { bitCount32 } from '../../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState, REGION_BYTES, REGION_PAGES } from '../../../src/shared/memory/pages.js';
import type { RegionDirectory, RegionWords } from '../../../src/shared/memory/regions.js';
import { watch, type Watched } from './steps.js';
import { SteppingWebAssembly } from './webassembly.js';

/** Regions of its address space, slots that there are, and the pages of each slot that the scenario stores to. */
export interface SegmentsScenarioSize {
  readonly regions: number;
  readonly slots: number;
  readonly pages: number;
}

/** Nothing that is stepped hashes pages. */
export const NO_MEMORY = new WebAssembly.Memory({ initial: 0, maximum: 0, shared: true });

const SLOTS_MAX = 4;
/** Where the kernels see the summary and the bitmaps, behind the page table. */
const SUMMARY_AT = SLOTS_MAX * REGION_PAGES;
const BITMAPS_AT = 2 * SUMMARY_AT;

const WORDS_PER_PAGE = PAGE_BYTES / 4;
const WORDS_PER_REGION = REGION_BYTES / 4;

// One for all: a run has the one of the run before, with the words of its scenario made zero.
let pageBytes: Uint8Array<SharedArrayBuffer> | undefined;

const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

export function segmentedViews(
  { regions: regionCount, slots, pages }: SegmentsScenarioSize,
  makeDirectory: (words: RegionWords) => RegionDirectory,
): { readonly views: MemoryViews; readonly memory: readonly Watched[] } {
  if (slots > SLOTS_MAX) throw new Error(`no more than ${SLOTS_MAX} slots`);
  const pageTable = new Uint8Array(new SharedArrayBuffer(SUMMARY_AT));
  pageTable.fill(PageState.OUTSIDE, 0, REGION_PAGES);
  const summary = new Uint8Array(new SharedArrayBuffer(SUMMARY_AT + slots), SUMMARY_AT, slots);
  const bitmapBytes = slots * (REGION_PAGES / 8);
  const bitmaps = new SharedArrayBuffer(BITMAPS_AT + 3 * bitmapBytes);
  const [dirtyWords, lateWords, scratchWords] = range(3).map(
    (at) => new Int32Array(bitmaps, BITMAPS_AT + at * bitmapBytes, bitmapBytes / 4),
  ) as [Int32Array<SharedArrayBuffer>, Int32Array<SharedArrayBuffer>, Int32Array<SharedArrayBuffer>];
  const regionBuffer = new SharedArrayBuffer(4 * (1 + regionCount));
  const owners = new Uint32Array(new SharedArrayBuffer(4 * slots));
  const used = new Int32Array(new SharedArrayBuffer(4)).fill(1);
  const memoryBytes = regionCount * REGION_BYTES;
  const regions = makeDirectory({
    directory: new Int32Array(regionBuffer, 4),
    owners,
    used,
    pageTable,
    summary,
    memoryBytes,
  });

  pageBytes ??= new Uint8Array(new SharedArrayBuffer(SLOTS_MAX * REGION_BYTES));
  const bytes = pageBytes;
  const guestWords = new Int32Array(bytes.buffer);
  const counting = range(slots).flatMap((slot) =>
    range(pages).map((page) => slot * WORDS_PER_REGION + page * WORDS_PER_PAGE),
  );
  for (const word of counting) guestWords[word] = 0;
  // Of each slot's entries those that count: the kernels see the others as past the guest's end.
  const entries = range(slots)
    .slice(1)
    .map((slot) => slot * REGION_PAGES);
  const code = new SteppingWebAssembly(PAGES_BINARY, [
    ...entries.map((from) => ({ from, array: pageTable.subarray(from), bytes: pages })),
    { from: SUMMARY_AT, array: summary, bytes: slots },
    { from: BITMAPS_AT, array: new Uint8Array(bitmaps, BITMAPS_AT), bytes: 3 * bitmapBytes },
  ]);
  const kernels = {
    ...Object.fromEntries(
      ['takeRegion', 'readFired', 'replaceState'].map((name) => [
        name,
        (...args: number[]) => code.call(name, ...args),
      ]),
    ),
    // Nobody else looks at the bitmaps, so this need not stop.
    addBits: (from: number, into: number, longs: number): number => {
      const some = new Int32Array(bitmaps, from, 2 * longs);
      const others = new Int32Array(bitmaps, into, 2 * longs);
      let added = 0;
      for (const [index, word] of some.entries()) {
        added += bitCount32(word & ~others[index]!);
        others[index]! |= word;
      }
      return added;
    },
  } as unknown as MemoryViews['kernels'];

  return {
    views: {
      memoryBytes,
      pageCount: slots * REGION_PAGES,
      regions,
      segments: [{ memory: NO_MEMORY, buffer: bytes.buffer, pagesOffset: 0, bytes, kernels }],
      pageTable,
      summary,
      dirtyWords,
      lateWords,
      scratchWords,
      faultWords: new Int32Array(new SharedArrayBuffer(12)),
      kernels,
    },
    memory: [
      watch({
        name: 'page',
        base: 10_000,
        buffer: pageTable.buffer,
        granuleBytes: 1,
        only: entries.flatMap((from) => range(pages).map((page) => from + page)),
      }),
      watch({ name: 'summary', base: 20_000, buffer: summary.buffer, granuleBytes: 1 }),
      watch({ name: 'region', base: 30_000, buffer: regionBuffer, granuleBytes: 4 }),
      watch({ name: 'owner', base: 40_000, buffer: owners.buffer, granuleBytes: 4 }),
      watch({ name: 'used', base: 50_000, buffer: used.buffer, granuleBytes: 4 }),
      watch({ name: 'guest', base: 100_000, buffer: bytes.buffer, granuleBytes: 4, only: counting }),
    ],
  };
}
