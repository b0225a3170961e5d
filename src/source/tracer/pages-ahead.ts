// Which of the pages that follow a guest go right behind its hand-over, unasked: those that its devices want first, and all
// of them when they are few. Whoever is connected to it waits for them, and each would cost a round trip.
// Pure; knows windows, bitmaps and places.
import { deviceWindowsOf } from '../../shared/guest/devices/device-windows.js';
import { firstWanted } from '../../shared/guest/devices/first-wanted.js';
import type { GuestSpec } from '../../shared/guest/guest-program.js';
import type { MemoryViews } from '../../shared/memory/layout.js';
import type { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { PAGE_BYTES, REGION_BYTES, type PageNumber } from '../../shared/memory/pages.js';
import { RegionDirectory } from '../../shared/memory/regions.js';
import { pageIn } from '../../shared/memory/segmented-memory.js';
import { pageBytes } from '../../shared/memory/segments.js';

/**
 * At most `pagesMax` of the `lackingPages` pages in `lacking`, the most urgent first; none of a guest without devices,
 * for which nobody outside waits. The guest is parked.
 */
export function pagesAhead(
  spec: Pick<GuestSpec, 'memoryBytes' | 'devices'>,
  views: Pick<MemoryViews, 'regions' | 'segments'>,
  lacking: PageBitmap,
  lackingPages: number,
  pagesMax: number,
): PageNumber[] {
  if (spec.devices.length === 0) return [];
  const ahead = new Set<PageNumber>();
  const load32 = (gpa: number): number => {
    const page = pageAt(views, gpa);
    const bytes = pageBytes(views, page, page + 1);
    return new DataView(bytes.buffer, bytes.byteOffset).getInt32(gpa % PAGE_BYTES, true);
  };
  for (const window of deviceWindowsOf(spec))
    for (const gpa of firstWanted(window, load32)) {
      if (ahead.size === pagesMax) break;
      const page = pageAt(views, gpa);
      if (lacking.has(page)) ahead.add(page);
    }
  if (lackingPages <= pagesMax)
    for (let page = lacking.nextSet(0); page < lacking.pageCount; page = lacking.nextSet(page + 1))
      ahead.add(page);
  return [...ahead];
}

// A region that was never touched is looked up as slot 0, whose pages are zero and lack nowhere.
function pageAt({ regions }: Pick<MemoryViews, 'regions'>, gpa: number): PageNumber {
  if (!(regions instanceof RegionDirectory)) return Math.floor(gpa / PAGE_BYTES);
  const slot = regions.slotOf(Math.floor(gpa / REGION_BYTES));
  return pageIn(slot, gpa);
}
