// What fresh guest memory is filled with: words that no compression helps, and some pages left free (zero).
// Every word can be computed again from the seed, so an audit can tell a wrong one anywhere.
import { PAGE_BYTES } from '../../memory/pages.js';
import { mix32 } from './random.js';

export const WORDS_PER_PAGE = PAGE_BYTES / 4;

/** Whether a page starts free: about one in eight does, as memory that a real guest never touched. */
export function startsFree(page: number, seed: number): boolean {
  return (mix32(page ^ Math.imul(seed, 0x27d4eb2f)) & 7) === 0;
}

/** Fills `words` (a whole page) with what `page` starts with. */
export function fillPattern(words: Int32Array, page: number, seed: number): void {
  if (startsFree(page, seed)) {
    words.fill(0);
    return;
  }
  const base = mix32(page + Math.imul(seed, 0x165667b1));
  for (let index = 0; index < WORDS_PER_PAGE; index++)
    words[index] = Math.imul(base + index, 0x9e3779b1) ^ base;
}
