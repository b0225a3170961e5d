// A machine in small that rehearsals are made with: without vCPUs, and of the kind that the guest is, in one piece or in
// segments. Knows layouts; what is rehearsed is each side's own.
import { layOutSegments, PIECE_BYTES_MAX, viewMemory } from '../memory/layout.js';
import { PageBitmap } from '../memory/page-bitmap.js';
import { PAGE_BYTES, REGION_BYTES, REGION_PAGES, regionCountOf } from '../memory/pages.js';
import { RegionDirectory } from '../memory/regions.js';
import { REHEARSED_PAGES, rehearsedPages } from '../memory/rehearsed-pages.js';
import type { GuestSpec } from './guest-program.js';
import { allocateMachine, type SharedMachine } from './shared-machine.js';

export interface RehearsedMachine {
  readonly machine: SharedMachine;
  /** Pages that its tables have. */
  readonly pageCount: number;
  /** `rehearsedPages`, numbered as the machine's are. */
  readonly pages: PageBitmap;
}

/** Regions of the address space from one that has a slot to the next; all of it is one chunk of a raw bitmap still. */
const REGIONS_APART = 101;

/** `spec`: of the guest that is moved, but for its memory. */
export function rehearsedMachine(spec: GuestSpec): RehearsedMachine {
  const own = { ...spec, memoryBytes: REHEARSED_PAGES * PAGE_BYTES, residentBytes: 0 };
  const pages = rehearsedPages();
  if (spec.memoryBytes <= PIECE_BYTES_MAX)
    return { machine: allocateMachine(own), pageCount: REHEARSED_PAGES, pages };
  const regions = regionCountOf(REHEARSED_PAGES);
  const memoryBytes = regions * REGIONS_APART * REGION_BYTES;
  const memory = layOutSegments(memoryBytes, 1 + regions);
  const { regions: directory, pageCount } = viewMemory(memory);
  if (directory instanceof RegionDirectory)
    for (let slot = directory.first; slot <= regions; slot++)
      directory.place(slot, (regions - slot) * REGIONS_APART);
  const inSlots = new PageBitmap(pageCount);
  inSlots.words.set(pages.words, (directory.first * REGION_PAGES) / 32);
  return { machine: allocateMachine({ ...own, memoryBytes }, memory), pageCount, pages: inSlots };
}
