// How pages that a running guest lacks become present: marked absent, placed once, settled after a grace period.
// Typed arrays and Atomics only; the argument is in docs/memory-model.md.
import type { MemoryViews } from './layout.js';
import type { PageBitmap } from './page-bitmap.js';
import { PageState, type PageNumber } from './pages.js';
import { pagesInUse } from './regions.js';
import { pageBytes } from './segments.js';

/** What marking needs of the guest. */
type MarkedViews = Pick<MemoryViews, 'pageTable' | 'scratchWords' | 'kernels'>;

/** Marks the pages of `bitmap` ABSENT; no vCPU runs yet. Answers how many were not. */
export function markAbsent(views: MarkedViews, bitmap: PageBitmap): number {
  return mark(views, bitmap, PageState.ABSENT);
}

/** Marks pages that were marked ABSENT as here again, in that state: what was announced of them is void. No vCPU runs yet. */
export function unmarkAbsent(
  views: MarkedViews,
  bitmap: PageBitmap,
  state: typeof PageState.PRESENT | typeof PageState.TRACED = PageState.PRESENT,
): void {
  mark(views, bitmap, state);
}

function mark(
  { pageTable, scratchWords, kernels }: MarkedViews,
  { words }: PageBitmap,
  state: number,
): number {
  const isHere = words.buffer === scratchWords.buffer;
  // Of a guest in segments the set may end before its tables do.
  if (!isHere) scratchWords.set(words);
  const bits = (isHere ? words : scratchWords).byteOffset;
  return kernels.markPages(pageTable.byteOffset, bits, words.length, state);
}

/**
 * Places a page of a running guest, unless somebody else has or does: whoever changes ABSENT to PLACING places it.
 * The bytes come before the state that shows them, and so does what `placed` makes of them. `bytes` undefined is a zero
 * page. Answers whether it was placed.
 */
export function placeAbsentPage(
  views: MemoryViews,
  page: PageNumber,
  bytes: Uint8Array | undefined,
  placed?: (page: PageNumber) => void,
): boolean {
  const { pageTable } = views;
  if (Atomics.compareExchange(pageTable, page, PageState.ABSENT, PageState.PLACING) !== PageState.ABSENT)
    return false;
  const target = pageBytes(views, page, page + 1);
  if (bytes === undefined) target.fill(0);
  else target.set(bytes);
  placed?.(page);
  Atomics.store(pageTable, page, PageState.ARRIVED);
  return true;
}

/**
 * Traces what is here of the pages of [first, pastLast), so that the first store to each is seen. No vCPU runs yet; nobody
 * harvests it.
 */
export function traceArrived(
  { pageTable, kernels }: Pick<MemoryViews, 'pageTable' | 'kernels'>,
  first: PageNumber,
  pastLast: PageNumber,
): void {
  const entries = pageTable.byteOffset;
  kernels.replaceState(entries + first, entries + pastLast, PageState.PRESENT, PageState.TRACED);
}

/**
 * Lets the fast path have the pages that arrived: PRESENT, once every vCPU has passed a safepoint since they did. Call
 * when no page is absent any more; nobody else writes the page table then.
 */
export function settleArrived(views: MemoryViews, waitForGracePeriod: () => void): void {
  const { pageTable, kernels } = views;
  waitForGracePeriod();
  const first = pageTable.byteOffset;
  kernels.replaceState(first, first + pagesInUse(views), PageState.ARRIVED, PageState.PRESENT);
}
