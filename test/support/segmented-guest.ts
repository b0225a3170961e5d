// A guest in segments whose regions lie where a test wants them, and one vCPU's memory of it.
// Knows slots and frames; what must come of an access is the tests'.
import { createGuestMemory, type GuestMemory } from '../../src/shared/memory/guest-memory.js';
import {
  layOutSegments,
  viewMemory,
  type MemoryHandle,
  type MemoryViews,
} from '../../src/shared/memory/layout.js';
import { PAGE_BYTES, PageState, REGION_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { RegionDirectory } from '../../src/shared/memory/regions.js';

/** The regions of a guest in segments. */
export function directoryOf({ regions }: MemoryViews): RegionDirectory {
  if (!(regions instanceof RegionDirectory)) throw new Error('the guest lies in one piece');
  return regions;
}

export class SegmentedGuest {
  readonly handle: MemoryHandle;
  readonly views: MemoryViews;
  readonly regions: RegionDirectory;
  readonly memory: GuestMemory;
  /** Frames that were waited for, in order; each has arrived by then. */
  readonly waits: number[] = [];
  /** Each time that the host was asked for room, so many bytes. */
  readonly roomAsked: number[] = [];
  readonly events = {
    pageFires: 0,
    waitForPage: (frame: number): void => {
      this.waits.push(frame);
      this.views.pageTable[frame] = PageState.ARRIVED;
    },
    awaitRoom: (bytes: number): void => {
      this.roomAsked.push(bytes);
    },
  };

  /** `slots`: that of nobody is one of them. */
  constructor(memoryBytes: number, slots: number) {
    this.handle = layOutSegments(memoryBytes, slots);
    this.views = viewMemory(this.handle);
    this.regions = directoryOf(this.views);
    this.memory = createGuestMemory(this.views, this.events);
  }

  /** The frame of an address of a region that has a slot. */
  frameAt(gpa: number): number {
    const region = Math.floor(gpa / REGION_BYTES);
    return (
      this.regions.slotOf(region) * REGION_PAGES + Math.floor((gpa - region * REGION_BYTES) / PAGE_BYTES)
    );
  }

  /** As if it were new, whatever was done to it. */
  reset(): void {
    const { directory, owners, used, pageTable, summary } = this.regions.words;
    for (let slot = this.regions.first; slot < owners.length; slot++) {
      const owner = owners[slot]!;
      if (owner === 0) continue;
      directory[owner - 1] = 0;
      this.slotBytes(slot).fill(0);
    }
    owners.fill(0);
    summary.fill(0);
    pageTable.fill(PageState.PRESENT, REGION_PAGES);
    used[0] = this.regions.first;
    this.waits.length = 0;
    this.roomAsked.length = 0;
    this.events.pageFires = 0;
  }

  slotBytes(slot: number): Uint8Array {
    const { bytes } = this.views.segments[slot >>> 11]!;
    return bytes.subarray((slot & 2047) * REGION_BYTES, ((slot & 2047) + 1) * REGION_BYTES);
  }
}
