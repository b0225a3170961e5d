import { describe, expect, it } from 'vitest';
import { compact, rawBitmapBytes } from '../../src/shared/memory/compacted-bitmap.js';
import { REHEARSED_PAGES, rehearsedPages } from '../../src/shared/memory/rehearsed-pages.js';

describe('the pages of a rehearsal', () => {
  const pages = rehearsedPages();

  it('are few enough for run lengths: a raw bitmap would rehearse other code', () => {
    expect(compact(pages).length).toBeLessThan(rawBitmapBytes(REHEARSED_PAGES) / 2);
  });

  it('have runs and gaps of every length that is written differently', () => {
    const set = new Set<number>();
    const clear = new Set<number>();
    const bytesOf = (length: number) => (length < 1 << 7 ? 1 : length < 1 << 14 ? 2 : 3);
    for (let first = pages.nextSet(0), from = 0; first < REHEARSED_PAGES; first = pages.nextSet(from)) {
      clear.add(bytesOf(first - from));
      from = pages.nextClear(first);
      set.add(bytesOf(from - first));
    }
    expect([...set].sort()).toEqual([1, 2, 3]);
    expect([...clear].sort()).toEqual([1, 2, 3]);
  });
});
