// A set of pages in which every form occurs that a part of a bitmap is written in: what rehearsals are made with.
// Typed arrays only.
import { PageBitmap } from './page-bitmap.js';

/** Pages that the set is made of. */
export const REHEARSED_PAGES = 60_000;

/** The grain at which a bitmap's form is chosen. */
const LEAF_PAGES = 4096;

/** Each leaf is of the kind after the one before it; both halves of the set have all of them. */
const leaves: readonly ((page: number) => boolean)[] = [
  (page) => page % 61 === 0,
  () => true,
  (page) => (Math.imul(page, 0x9e3779b1) & (1 << 20)) !== 0,
  (page) => page % 200 < 90,
  () => false,
  (page) => page % 67 !== 0,
];

/** Clear and full leaves, sparse pages and sparse holes, runs, and pages without an order. */
export function rehearsedPages(): PageBitmap {
  const pages = new PageBitmap(REHEARSED_PAGES);
  for (let page = 0; page < REHEARSED_PAGES; page++)
    if (leaves[Math.floor(page / LEAF_PAGES) % leaves.length]!(page)) pages.add(page);
  return pages;
}
