// How pages that a running guest lacks become present: marked absent, placed once, settled after a grace period.
// Typed arrays and Atomics only; the argument is in docs/memory-model.md.
import type { MemoryViews } from './layout.js';
import type { PageBitmap } from './page-bitmap.js';
import { PAGE_BYTES, PageState, type PageNumber } from './pages.js';

/** Marks the pages of `bitmap` ABSENT; no vCPU runs yet. Answers how many were not. */
export function markAbsent(
  { pageTable, scratchWords, kernels }: Pick<MemoryViews, 'pageTable' | 'scratchWords' | 'kernels'>,
  { words }: PageBitmap,
): number {
  const isHere = words.buffer === scratchWords.buffer;
  if (!isHere) scratchWords.set(words);
  const bits = (isHere ? words : scratchWords).byteOffset;
  return kernels.markPages(pageTable.byteOffset, bits, words.length, PageState.ABSENT);
}

/** Marks pages that were marked ABSENT as here again: what was announced of them is void. No vCPU runs yet. */
export function unmarkAbsent({ pageTable }: Pick<MemoryViews, 'pageTable'>, bitmap: PageBitmap): void {
  const { pageCount } = bitmap;
  for (let first = bitmap.nextSet(0), pastLast; first < pageCount; first = bitmap.nextSet(pastLast)) {
    pastLast = bitmap.nextClear(first);
    pageTable.fill(PageState.PRESENT, first, pastLast);
  }
}

/** As `markAbsent`, where some are marked already; answers how many were not. */
export function markMoreAbsent({ pageTable }: Pick<MemoryViews, 'pageTable'>, bitmap: PageBitmap): number {
  const { pageCount } = bitmap;
  let marked = 0;
  for (let page = bitmap.nextSet(0); page < pageCount; page = bitmap.nextSet(page + 1)) {
    if (pageTable[page] === PageState.ABSENT) continue;
    pageTable[page] = PageState.ABSENT;
    marked++;
  }
  return marked;
}

/**
 * Places a page of a running guest, unless somebody else has or does: whoever changes ABSENT to PLACING places it.
 * The bytes come before the state that shows them. `bytes` undefined is a zero page. Answers whether it was placed.
 */
export function placeAbsentPage(
  views: MemoryViews,
  page: PageNumber,
  bytes: Uint8Array | undefined,
): boolean {
  const { pageTable } = views;
  if (Atomics.compareExchange(pageTable, page, PageState.ABSENT, PageState.PLACING) !== PageState.ABSENT)
    return false;
  const target = views.bytes.subarray(page * PAGE_BYTES, (page + 1) * PAGE_BYTES);
  if (bytes === undefined) target.fill(0);
  else target.set(bytes);
  Atomics.store(pageTable, page, PageState.ARRIVED);
  return true;
}

/**
 * Lets the fast path have the pages that arrived: PRESENT, once every vCPU has passed a safepoint since they did. Call
 * when no page is absent any more; nobody else writes the page table then.
 */
export function settleArrived(
  { pageTable, pageCount, kernels }: MemoryViews,
  waitForGracePeriod: () => void,
): void {
  waitForGracePeriod();
  const first = pageTable.byteOffset;
  kernels.replaceState(first, first + pageCount, PageState.ARRIVED, PageState.PRESENT);
}
