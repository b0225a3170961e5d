// Which pages the destination lacked when the guest left, kept for the report: taken in no time, counted when there is time.
// Knows words and slots; where they are shown is the report's.
import { PageBitmap } from '../../shared/memory/page-bitmap.js';
import type { Regions } from '../../shared/memory/regions.js';

/** A copy: what is pushed or fetched leaves the original. */
export interface DirtySnapshot {
  readonly pageCount: number;
  readonly words: Int32Array;
  /** Of each slot its region. */
  readonly regions: readonly number[];
}

export function dirtySnapshot({ pageCount, words }: PageBitmap, regions: Regions): DirtySnapshot {
  return {
    pageCount,
    words: words.slice(),
    regions: Array.from({ length: regions.count }, (_, slot) => regions.regionAt(slot) ?? slot),
  };
}

/** Each region that has such pages, ascending, and how many. */
export function dirtyRegionsOf({
  pageCount,
  words,
  regions,
}: DirtySnapshot): (readonly [region: number, pages: number])[] {
  return new PageBitmap(pageCount, words)
    .countPerRegion()
    .map((pages, slot) => [regions[slot] ?? slot, pages] as const)
    .filter(([, pages]) => pages > 0)
    .sort(([one], [other]) => one - other);
}
