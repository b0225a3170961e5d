// The unit of everything that moves: pages, their states and the regions that group them.
// Knows no layout, no thread and no network.

/**
 * Index of a page in every table and on the wire: its frame. A guest that lies in one piece has each page in the frame of
 * its own number, `gpa >>> PAGE_SHIFT`; of a guest in segments the frames are numbered by slots (regions.ts).
 */
export type PageNumber = number;

export const PAGE_SHIFT = 12;
export const PAGE_BYTES = 1 << PAGE_SHIFT;

/** A region (2 MiB) is the grain of the dirty summary, and of what travels on the wire. */
export const REGION_PAGE_SHIFT = 9;
export const REGION_PAGES = 1 << REGION_PAGE_SHIFT;
export const REGION_BYTES = REGION_PAGES * PAGE_BYTES;
/** Words of 32 bits that a bitmap has for a region. */
export const REGION_WORDS = REGION_PAGES / 32;

/** A page table entry, one byte. What each state means to a load and a store: docs/memory-model.md. */
export const PageState = {
  /** Loads and stores go ahead on the fast path. */
  PRESENT: 0,
  /** Loads go ahead; a store is a page fire: it sets PRESENT first. */
  TRACED: 1,
  /** The bytes are there, but not every vCPU has passed a safepoint since: slow path, then goes ahead. */
  ARRIVED: 2,
  /** The bytes are still on the source: a remote page fault. */
  ABSENT: 3,
  /** Claimed by a receiver that is writing the bytes: waits as for ABSENT, but nobody may place it again. */
  PLACING: 4,
  /** No such page in this guest, or one whose region has no slot: slow path, which tells them apart. */
  OUTSIDE: 255,
} as const;

/** How many regions (the last perhaps partial) `pageCount` pages make. */
export function regionCountOf(pageCount: number): number {
  return Math.ceil(pageCount / REGION_PAGES);
}
