// What a hand-over must be before anything of it is used: a bitmap of this guest's pages, and the pages that it promised.
// Pure: what the source said in, the pages that are lacking out.
import { ProtocolError } from '../shared/errors.js';
import { BitmapError, expand, statedPages } from '../shared/memory/compacted-bitmap.js';
import type { MemoryViews } from '../shared/memory/layout.js';
import type { PageBitmap } from '../shared/memory/page-bitmap.js';
import { PageState, REGION_PAGE_SHIFT, REGION_PAGES } from '../shared/memory/pages.js';

/** What is looked at of the guest that comes. */
export type CheckedViews = Pick<MemoryViews, 'pageCount' | 'regions' | 'pageTable'>;

/**
 * The pages of an encoded bitmap. Of a guest in segments it may be of no more pages than the source had in use; each lies
 * in a region that was told.
 * @throws ProtocolError saying what is wrong with it.
 */
export function expandBitmap(bitmap: Uint8Array, views: CheckedViews): PageBitmap {
  try {
    if (views.regions.first === 0) return expand(bitmap, views.pageCount);
    const stated = statedPages(bitmap);
    if (stated > views.pageCount || stated % REGION_PAGES !== 0)
      throw new BitmapError(`the bitmap is for ${stated} pages; there are slots for ${views.pageCount} here`);
    const pages = expand(bitmap, stated);
    checkRegions(pages, views);
    return pages;
  } catch (error) {
    if (!(error instanceof BitmapError)) throw error;
    throw new ProtocolError(error.message, { cause: error });
  }
}

/**
 * Of a guest in segments: a page of no region, or past the guest's end, would be one that nobody brings.
 * @throws ProtocolError naming it.
 */
export function checkRegions(
  pages: PageBitmap,
  { regions, pageTable }: Omit<CheckedViews, 'pageCount'>,
): void {
  for (let page = pages.nextSet(0); page < pages.pageCount;) {
    const slot = page >>> REGION_PAGE_SHIFT;
    const pastLast = (slot + 1) << REGION_PAGE_SHIFT;
    if (slot < regions.first || regions.regionAt(slot) === undefined)
      throw new ProtocolError(
        `the bitmap names page ${page}, whose slot ${slot} is of no region that was told`,
      );
    // Only of a last region that the guest's end cuts short.
    if (pageTable[pastLast - 1] === PageState.OUTSIDE)
      for (let one = page; one < pastLast; one = pages.nextSet(one + 1, pastLast))
        if (pageTable[one] === PageState.OUTSIDE)
          throw new ProtocolError(`the bitmap names page ${one}, which lies past the guest's end`);
    page = pages.nextSet(pastLast);
  }
}

/**
 * Checks the last round of a pre-copy: `came` are the pages that it brought, and must be those that were lacking.
 * @throws ProtocolError naming a page that came and was not lacking, or lacks still.
 */
export function checkLastRound(lacking: PageBitmap, came: PageBitmap): void {
  // Of a guest in segments the pages that are lacking end where the slots in use do, long before the tables may. That
  // nothing came for what lies past them is quickly counted, and only looked for where it is wrong.
  const isWhole = came.pageCount === lacking.pageCount || came.count() === lacking.count();
  const words = isWhole ? came.upTo(lacking.pageCount).words : came.words;
  const word = words.findIndex((one, index) => one !== (lacking.words[index] ?? 0));
  if (word === -1) return;
  const differing = (lacking.words[word] ?? 0) ^ words[word]!;
  const page = word * 32 + (31 - Math.clz32(differing & -differing));
  throw new ProtocolError(
    ((lacking.words[word] ?? 0) & differing & -differing) !== 0
      ? `the last round did not bring page ${page}, and the hand-over names it`
      : `the last round brought page ${page}, which the hand-over does not name`,
  );
}
