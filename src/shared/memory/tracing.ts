// What installing traces and harvesting dirty pages does to a region's page table entries; who does it, and while
// whom, is the tracer's business. Typed arrays and Atomics only; the argument is in docs/memory-model.md.
import type { MemoryViews } from './layout.js';
import type { PageBitmap } from './page-bitmap.js';
import { PageState, REGION_PAGE_SHIFT, REGION_PAGES } from './pages.js';
import { pagesInUse } from './regions.js';

/** Work that is done while every vCPU stands still, each doing its share. */
export const TraceWork = { INSTALL: 1, HARVEST: 2 } as const;
export type TraceWork = (typeof TraceWork)[keyof typeof TraceWork];

/** Takes the summary of a region: whether any of its pages may have fired since it was taken last. */
export function takeSummary({ summary }: MemoryViews, region: number): boolean {
  return Atomics.exchange(summary, region, 0) !== 0;
}

/**
 * Exchanges each fired page of the region back to TRACED and adds it to `dirty`, one page at a time: a vCPU may fire
 * its neighbour meanwhile.
 */
export function takeRegion(views: MemoryViews, region: number, dirty: PageBitmap): void {
  const first = region << REGION_PAGE_SHIFT;
  views.kernels.takeRegion(views.pageTable.byteOffset + first, bitsOf(views, dirty) + (first >>> 3));
}

/**
 * Adds each fired page of a parked guest to `into` and clears the summary, in one call: its
 * pages need no new trace.
 */
export function readFired(views: MemoryViews, into: PageBitmap): void {
  const { kernels, pageTable, summary, regions } = views;
  kernels.readFired(pageTable.byteOffset, summary.byteOffset, regions.count, bitsOf(views, into));
}

/** Adds the pages of `from` to `into`; answers how many were not in it. Both lie in the guest's buffer. */
export function addPages(views: MemoryViews, from: PageBitmap, into: PageBitmap): number {
  // Half of a last word of 64 lies past the bitmap, where no bit is ever set.
  return views.kernels.addBits(bitsOf(views, from), bitsOf(views, into), (from.words.length + 1) >>> 1);
}

// Where a bitmap of the guest's own buffer begins. Past the guest's last page all entries are OUTSIDE, so that no word
// past the bitmap's end is written.
function bitsOf({ dirtyWords }: MemoryViews, { words }: PageBitmap): number {
  if (words.buffer !== dirtyWords.buffer) throw new Error("the bitmap does not lie in the guest's buffer");
  return words.byteOffset;
}

/**
 * Makes `into` the set of all pages that there are: of a guest in segments those of every region that has a slot, and
 * of the last region no more than belong to it.
 */
export function allPages({ pageTable, regions, pageCount }: MemoryViews, into: PageBitmap): void {
  if (regions.first === 0) {
    into.fill();
    return;
  }
  into.clear();
  for (let slot = regions.first; slot < regions.count; slot++) {
    if (regions.regionAt(slot) === undefined) continue;
    const first = slot << REGION_PAGE_SHIFT;
    into.words.fill(-1, first >>> 5, (first + REGION_PAGES) >>> 5);
    const last = Math.min(first + REGION_PAGES, pageCount) - 1;
    for (let page = last; pageTable[page] === PageState.OUTSIDE; page--) into.remove(page);
  }
}

/** Installs a trace on every page of a region, whoever runs. Of a guest in segments, on those of its slot. */
export function traceRegion(views: MemoryViews, slot: number): void {
  const { pageTable, pageCount, regions, kernels } = views;
  const first = slot << REGION_PAGE_SHIFT;
  const end = Math.min(first + REGION_PAGES, pageCount);
  if (regions.first === 0) pageTable.fill(PageState.TRACED, first, end);
  // A slot that is nobody's yet is PRESENT, and marked in the summary by whoever makes it a region's.
  else if (regions.regionAt(slot) !== undefined)
    kernels.replaceState(
      pageTable.byteOffset + first,
      pageTable.byteOffset + end,
      PageState.PRESENT,
      PageState.TRACED,
    );
}

/**
 * Removes every trace, while vCPUs run or not: no store fires any more, and fires that are under way store the same byte.
 * A page that never got the fast path (ARRIVED) does not get it here.
 */
export function removeTraces(views: MemoryViews): void {
  const { pageTable, summary, kernels } = views;
  const first = pageTable.byteOffset;
  kernels.replaceState(first, first + pagesInUse(views), PageState.TRACED, PageState.PRESENT);
  summary.fill(0);
}

/**
 * One vCPU's share of trace work while all of them stand still: regions `vcpu`, `vcpu + vcpus`, … A region's bits in
 * the dirty bitmap are whole words, so no two vCPUs write the same one.
 */
export function doTraceShare(
  views: MemoryViews,
  dirty: PageBitmap,
  work: TraceWork,
  vcpu: number,
  vcpus: number,
): void {
  const { pageCount, regions } = views;
  const { count } = regions;
  for (let region = regions.first + vcpu; region < count; region += vcpus) {
    if (work === TraceWork.INSTALL) {
      views.summary[region] = 0;
      traceRegion(views, region);
      continue;
    }
    const first = region << REGION_PAGE_SHIFT;
    dirty.words.fill(0, first >>> 5, Math.ceil(Math.min(first + REGION_PAGES, pageCount) / 32));
    if (takeSummary(views, region)) takeRegion(views, region, dirty);
  }
}
