// What kernels do in a migration of 2 GiB, each beside the same in TypeScript, over the same bytes.
// Knows the work; when and how often it is done, and in which process, is not its business.
import { allocateMemory, viewMemory } from '../src/shared/memory/layout.js';
import { PageBitmap } from '../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState } from '../src/shared/memory/pages.js';
import { markAbsent, settleArrived } from '../src/shared/memory/placement.js';
import { addPages, readFired, takeRegion } from '../src/shared/memory/tracing.js';
import {
  addBitsTs,
  countBitsTs,
  isZeroPageTs,
  markPagesTs,
  readFiredTs,
  replaceStateTs,
  takeRegionTs,
} from './kernels-typescript.js';

export const KERNELS_MEMORY_BYTES = 2 * 1024 ** 3;
export const FIRED_PAGES = 25_000;
const ZERO_PAGES = 512;

export interface KernelContest {
  readonly name: string;
  /** Makes what the work needs; not timed. */
  readonly prepare: () => void;
  readonly typescript: () => unknown;
  readonly kernel: () => unknown;
}

const views = viewMemory(allocateMemory(KERNELS_MEMORY_BYTES));
const { pageTable, summary, pageCount, dirtyWords, lateWords, regions } = views;
const { buffer, pagesOffset, kernels } = views.segments[0]!;
const regionCount = regions.count;
const fours = new Int32Array(buffer, pageTable.byteOffset, pageTable.length / 4);
const dirty = new PageBitmap(pageCount, dirtyWords);
const late = new PageBitmap(pageCount, lateWords);
const guestWords = new Int32Array(buffer, pagesOffset, (ZERO_PAGES * PAGE_BYTES) / 4);
const order = scattered(FIRED_PAGES);

/** FIRED_PAGES pages have fired, all over memory. */
function fire(): void {
  pageTable.fill(PageState.TRACED, 0, pageCount);
  for (const page of order) pageTable[page] = PageState.PRESENT;
  summary.fill(1, 0, regionCount);
  dirty.clear();
}

function fillLate(): void {
  dirty.clear();
  late.clear();
  for (const page of order) late.add(page);
}

export const kernelContests: readonly KernelContest[] = [
  {
    name: 'harvest: take 1,024 regions',
    prepare: fire,
    typescript: () => {
      for (let region = 0; region < regionCount; region++) takeRegionTs(pageTable, fours, region, dirtyWords);
    },
    kernel: () => {
      for (let region = 0; region < regionCount; region++) takeRegion(views, region, dirty);
    },
  },
  {
    name: 'last harvest: read what fired',
    prepare: fire,
    typescript: () => {
      readFiredTs(pageTable, fours, summary, regionCount, dirtyWords);
    },
    kernel: () => {
      readFired(views, dirty);
    },
  },
  {
    name: 'add a bitmap to another',
    prepare: fillLate,
    typescript: () => addBitsTs(lateWords, dirtyWords),
    kernel: () => addPages(views, late, dirty),
  },
  {
    name: 'count',
    prepare: fillLate,
    typescript: () => countBitsTs(lateWords),
    kernel: () => late.count(),
  },
  {
    name: 'mark absent',
    prepare: fillLate,
    typescript: () => {
      markPagesTs(pageTable, lateWords, PageState.ABSENT);
    },
    kernel: () => markAbsent(views, late),
  },
  {
    name: 'settle what arrived',
    prepare: () => {
      pageTable.fill(PageState.PRESENT, 0, pageCount);
      for (const page of order) pageTable[page] = PageState.ARRIVED;
    },
    typescript: () => {
      replaceStateTs(pageTable, pageCount, PageState.ARRIVED, PageState.PRESENT);
    },
    kernel: () => {
      settleArrived(views, () => undefined);
    },
  },
  {
    name: `${ZERO_PAGES} zero pages`,
    prepare: () => {
      guestWords.fill(0);
    },
    typescript: () => {
      for (let page = 0; page < ZERO_PAGES; page++) isZeroPageTs(guestWords, page * 1024);
    },
    kernel: () => {
      for (let page = 0; page < ZERO_PAGES; page++) {
        kernels.isZeroPage(pagesOffset + page * PAGE_BYTES);
      }
    },
  },
];

// A generator of its own, so that every run meets the same pages.
function scattered(count: number): Int32Array {
  let state = 1;
  return Int32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return Math.floor((state / 0x1_0000_0000) * pageCount);
  });
}

export function timeUs(work: () => unknown): number {
  const from = performance.now();
  work();
  return (performance.now() - from) * 1000;
}
