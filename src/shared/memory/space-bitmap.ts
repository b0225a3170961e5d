// A bit for each page of a whole address space, in chunks of fixed size: what a raw bitmap of a guest in segments is, however
// little of it has a slot. Knows words and regions; who sends the chunks, and when, is not its business.
import type { MemoryViews } from './layout.js';
import type { PageBitmap } from './page-bitmap.js';
import { PAGE_BYTES, REGION_PAGES, REGION_WORDS } from './pages.js';

/**
 * Bytes of a chunk: bits of 2^19 pages, 2 GiB of addresses. With larger ones few chunks of a guest whose memory is scattered
 * are clear, and all others are made, checked and sent within the stun; smaller ones fit into a processor's cache.
 */
export const CHUNK_BYTES = 1 << 16;

/** Regions of a chunk. */
export const CHUNK_REGIONS = (CHUNK_BYTES * 8) / REGION_PAGES;

/** Most chunks have no page in them, and are this one. */
export const CLEAR_CHUNK = new Uint8Array(CHUNK_BYTES);

/** What is needed of a guest's memory. */
export type SpaceViews = Pick<MemoryViews, 'memoryBytes' | 'regions' | 'pageCount'>;

/** Chunks of a guest's address space; the bits past its end are clear. */
export function chunksOf(memoryBytes: number): number {
  return Math.ceil(memoryBytes / PAGE_BYTES / 8 / CHUNK_BYTES);
}

/** The pages of `pages`, which are numbered by slots, as chunks of the address space, the lowest addresses first. */
export function spaceChunks({ memoryBytes, regions }: SpaceViews, pages: PageBitmap): Uint8Array[] {
  const chunks = Array.from({ length: chunksOf(memoryBytes) }, () => CLEAR_CHUNK);
  const slots = pages.words.length / REGION_WORDS;
  for (let slot = regions.first; slot < slots; slot++) {
    const words = pages.words.subarray(slot * REGION_WORDS, (slot + 1) * REGION_WORDS);
    const region = words.some((word) => word !== 0) ? regions.regionAt(slot) : undefined;
    if (region === undefined) continue;
    const index = Math.floor(region / CHUNK_REGIONS);
    if (chunks[index] === CLEAR_CHUNK) chunks[index] = new Uint8Array(CHUNK_BYTES);
    const { buffer } = chunks[index]!;
    new Int32Array(buffer, (region % CHUNK_REGIONS) * 4 * REGION_WORDS, REGION_WORDS).set(words);
  }
  return chunks;
}
