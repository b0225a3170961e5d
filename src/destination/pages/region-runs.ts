// Where the pages of a region belong in guest memory, as runs.
// Pure; who writes them there is page-receiver.ts.
import { REGION_PAGES } from '../../shared/memory/pages.js';
import { countPages, runsOf, type RegionHead } from '../../shared/wire/page-frames.js';
import { firstPageOf, lastPageOf, pagesOf } from './incoming-round.js';

/** Pages [first, pastLast) of the guest. */
export type Run = readonly [first: number, pastLast: number];

/**
 * Where the pages with bytes lie when they are packed against the end of all that the frame brings; undefined when a page
 * between its first and its last is not among them, whose bytes would be lost.
 */
export function packedRunOf(head: RegionHead): Run | undefined {
  const pastLast = lastPageOf(head) + 1;
  if (pagesOf(head) !== pastLast - firstPageOf(head)!) return undefined;
  return [pastLast - countPages(head.sent), pastLast];
}

/** The runs of pages that a region brings bytes for, in the order in which they come. */
export function runsIn({ region, sent }: RegionHead): Run[] {
  const firstPage = region * REGION_PAGES;
  return runsOf(sent).map(([first, pastLast]) => [firstPage + first, firstPage + pastLast]);
}
