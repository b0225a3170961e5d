// The hashes that pages are checked and compared with.
import { describe, expect, it } from 'vitest';
import { NO_PAGES, PageHashes } from '../../src/shared/memory/page-hashes.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { guestOf, pageOf, write } from './page-fixtures.js';

const PAGES = 3;

function guest(): { readonly hashes: PageHashes; readonly page: Uint8Array } {
  const views = guestOf(PAGES);
  for (let page = 0; page < PAGES; page++) write(views, page, 1);
  return { hashes: new PageHashes(views), page: pageOf(views, 1) };
}

describe('the hash of a page', () => {
  it('is 0 of a page of zeros, and of no other that differs from it in a bit', () => {
    const { hashes, page } = guest();
    page.fill(0);
    expect(hashes.hashOf(1)).toBe(0n);
    for (let bit = 0; bit < PAGE_BYTES * 8; bit += 7) {
      page[bit >>> 3] = 1 << (bit & 7);
      if (hashes.hashOf(1) === 0n) expect.fail(`bit ${bit} was not seen`);
      page[bit >>> 3] = 0;
    }
  });

  it('is another when any bit of the page is', () => {
    const { hashes, page } = guest();
    const seen = new Set([hashes.hashOf(1)]);
    for (let bit = 0; bit < PAGE_BYTES * 8; bit++) {
      page[bit >>> 3]! ^= 1 << (bit & 7);
      seen.add(hashes.hashOf(1));
      page[bit >>> 3]! ^= 1 << (bit & 7);
    }
    expect(seen.size).toBe(PAGE_BYTES * 8 + 1);
  });

  it('is another when two words change places, wherever they are', () => {
    const { hashes, page } = guest();
    const words = new Uint32Array(page.buffer, page.byteOffset, PAGE_BYTES / 4);
    const before = hashes.hashOf(1);
    for (const [one, other] of [
      [0, 1],
      [0, 2],
      [0, 4],
      [0, 8],
      [3, 7],
      [5, 1021],
      [0, 1016],
    ] as const) {
      const swap = (): void => {
        [words[one], words[other]] = [words[other]!, words[one]!];
      };
      swap();
      expect(hashes.hashOf(1), `${one} and ${other}`).not.toBe(before);
      swap();
    }
    expect(hashes.hashOf(1)).toBe(before);
  });

  it('is another where words are multiplied with zero: the words count by themselves too', () => {
    const { hashes, page } = guest();
    const words = new Uint32Array(page.buffer, page.byteOffset, PAGE_BYTES / 4);
    // The key of the first word, negative: its product is 0 whatever its neighbour is.
    words[0] = -0x1b873593;
    const before = hashes.hashOf(1);
    words[4]! ^= 0x1000;
    expect(hashes.hashOf(1)).not.toBe(before);
  });

  it('knows the page alone: not where it lies, nor what lies around it', () => {
    const views = guestOf(PAGES);
    write(views, 0, 1);
    pageOf(views, 2).set(pageOf(views, 0));
    const hashes = new PageHashes(views);
    expect(hashes.hashOf(2)).toBe(hashes.hashOf(0));
    pageOf(views, 1).fill(7);
    expect(hashes.hashOf(2)).toBe(hashes.hashOf(0));
  });
});

describe('the fold of pages', () => {
  it('is the same in one go and in parts, and another in another order', () => {
    const { hashes } = guest();
    const whole = hashes.fold(0, 3, NO_PAGES);
    expect(hashes.fold(1, 3, hashes.fold(0, 1, NO_PAGES))).toBe(whole);
    expect(hashes.fold(0, 1, hashes.fold(1, 3, NO_PAGES))).not.toBe(whole);
    expect(hashes.fold(0, 2, NO_PAGES)).not.toBe(whole);
    expect(hashes.fold(0, 0, NO_PAGES)).toBe(NO_PAGES);
  });
});
