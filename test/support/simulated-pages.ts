// The pages of a simulation's guests: so many of the first ones, wherever a set of pages has to be named.
// Knows bitmaps only.
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';

/** More than any round carries. */
export const SIMULATED_PAGES = 8192;
export const SIMULATED_MEMORY_BYTES = SIMULATED_PAGES * PAGE_BYTES;

/** The first `count` pages. */
export function firstPages(count: number): PageBitmap {
  const pages = new PageBitmap(SIMULATED_PAGES);
  const wholeWords = count >>> 5;
  pages.words.fill(-1, 0, wholeWords);
  if (count % 32 !== 0) pages.words[wholeWords] = (1 << (count % 32)) - 1;
  return pages;
}
