// The kernels' work in TypeScript, as it was before them: what they are held against, here and nowhere else.
// Knows typed arrays only.
import { PageState, REGION_PAGES } from '../src/shared/memory/pages.js';

const FOUR_TRACED = 0x01010101;

export function takeRegionTs(table: Uint8Array, fours: Int32Array, region: number, bits: Int32Array): void {
  const first = region * REGION_PAGES;
  for (let page = first; page < first + REGION_PAGES; page++) {
    if ((page & 3) === 0 && fours[page >>> 2] === FOUR_TRACED) {
      page += 3;
      continue;
    }
    if (table[page] !== PageState.PRESENT) continue;
    Atomics.exchange(table, page, PageState.TRACED);
    bits[page >>> 5]! |= 1 << (page & 31);
  }
}

export function readFiredTs(
  table: Uint8Array,
  fours: Int32Array,
  summary: Uint8Array,
  regions: number,
  bits: Int32Array,
): void {
  for (let region = 0; region < regions; region++) {
    if (Atomics.exchange(summary, region, 0) === 0) continue;
    const first = region * REGION_PAGES;
    for (let page = first; page < first + REGION_PAGES; page++) {
      if ((page & 3) === 0 && fours[page >>> 2] === FOUR_TRACED) page += 3;
      else if (table[page] === PageState.PRESENT) bits[page >>> 5]! |= 1 << (page & 31);
    }
  }
}

export function markPagesTs(table: Uint8Array, bits: Int32Array, state: number): void {
  for (let index = 0; index < bits.length; index++) {
    let rest = bits[index]!;
    while (rest !== 0) {
      table[index * 32 + 31 - Math.clz32(rest & -rest)] = state;
      rest &= rest - 1;
    }
  }
}

export function replaceStateTs(table: Uint8Array, pages: number, before: number, after: number): void {
  for (let page = 0; page < pages; page++) if (table[page] === before) table[page] = after;
}

export function addBitsTs(from: Int32Array, into: Int32Array): number {
  let added = 0;
  for (let index = 0; index < from.length; index++) {
    added += bitCount(from[index]! & ~into[index]!);
    into[index]! |= from[index]!;
  }
  return added;
}

export function countBitsTs(bits: Int32Array): number {
  let total = 0;
  for (const word of bits) total += bitCount(word);
  return total;
}

function bitCount(word: number): number {
  let x = word - ((word >>> 1) & 0x55555555);
  x = (x & 0x33333333) + ((x >>> 2) & 0x33333333);
  return Math.imul((x + (x >>> 4)) & 0x0f0f0f0f, 0x01010101) >>> 24;
}

export function isZeroPageTs(words: Int32Array, first: number): boolean {
  for (let index = first; index < first + 1024; index += 4) {
    if ((words[index]! | words[index + 1]! | words[index + 2]! | words[index + 3]!) !== 0) return false;
  }
  return true;
}
