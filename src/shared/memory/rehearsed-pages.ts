// A set of pages in which every shape of run occurs that a bitmap's code tells apart: what rehearsals are made with.
// Typed arrays only.
import { PageBitmap } from './page-bitmap.js';

/** Pages that the set is made of. */
export const REHEARSED_PAGES = 60_000;

/** A run and gaps whose lengths take one, two and three bytes, and sparse pages as of a hot set. */
export function rehearsedPages(): PageBitmap {
  const pages = new PageBitmap(REHEARSED_PAGES);
  const addRun = (first: number, pastLast: number): void => {
    for (let page = first; page < pastLast; page++) pages.add(page);
  };
  addRun(200, 600);
  addRun(17_500, 35_000);
  for (let page = 36_000; page < 50_000; page += page % 3 === 0 ? 31 : 2) pages.add(page);
  return pages;
}
