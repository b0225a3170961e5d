// What lies off the fast path of guest memory: page fires, pages that are not quite here, and addresses that are none.
// Knows page states; where a page lies, and how an address is looked up, is guest-memory.ts and segmented-memory.ts.
import type { MemoryViews } from './layout.js';
import { PageState, REGION_PAGE_SHIFT, type PageNumber } from './pages.js';

/** A guest touched memory that it does not have, or a word across its natural alignment: a bug of the guest. */
export class GuestMemoryError extends Error {
  override readonly name = 'GuestMemoryError';
}

/** What a vCPU does when a page or memory is not there, and what its page fires are counted in. */
export interface PageEvents {
  /** Called with an ABSENT or PLACING page; returns once its bytes have arrived. Runs on the vCPU's thread. */
  waitForPage(page: PageNumber): void;
  /**
   * A guest in segments is about to take so many bytes of the host: returns once they are there. Without it they are
   * taken to be.
   */
  awaitRoom?(bytes: number): void;
  /** Page fires so far; written by this vCPU alone. */
  pageFires: number;
}

/** The slow path of one vCPU. */
export interface PageDoor {
  /** Two plain stores, the page before its region; a grace period orders both before the harvest's scan. */
  readonly fire: (page: PageNumber) => void;
  /** Waits until a page is here, whatever its state; answers whether it had to wait. */
  readonly settle: (page: PageNumber) => boolean;
  /** @throws GuestMemoryError when a word lies outside of the guest, or not on its natural alignment. */
  readonly checkWord: (gpa: number, width: number) => void;
  /** @throws GuestMemoryError when a block lies outside of the guest. */
  readonly checkRange: (gpa: number, byteCount: number) => void;
}

export function createPageDoor(
  { pageTable, summary, memoryBytes }: Pick<MemoryViews, 'pageTable' | 'summary' | 'memoryBytes'>,
  events: PageEvents,
): PageDoor {
  function outside(gpa: number, byteCount: number): GuestMemoryError {
    return new GuestMemoryError(
      `gpa 0x${gpa.toString(16)} + ${byteCount} bytes lies outside of guest memory (${memoryBytes} bytes)`,
    );
  }

  return {
    fire(page) {
      pageTable[page] = PageState.PRESENT;
      summary[page >>> REGION_PAGE_SHIFT] = 1;
      events.pageFires++;
    },
    // The atomic load pairs with the receiver's atomic store of ARRIVED: after it the page's bytes are visible.
    settle(page) {
      if (Atomics.load(pageTable, page) < PageState.ABSENT) return false;
      while (Atomics.load(pageTable, page) >= PageState.ABSENT) events.waitForPage(page);
      return true;
    },
    checkWord(gpa, width) {
      if (!(gpa >= 0 && gpa + width <= memoryBytes)) throw outside(gpa, width);
      if (gpa % width !== 0) {
        throw new GuestMemoryError(
          `a ${width}-byte word at gpa 0x${gpa.toString(16)} is not on its natural alignment`,
        );
      }
    },
    checkRange(gpa, byteCount) {
      if (!(gpa >= 0 && byteCount >= 0 && gpa + byteCount <= memoryBytes)) throw outside(gpa, byteCount);
    },
  };
}
