// Where a guest's regions lie in host memory: each at the slot of its own number, or, of a guest in segments, at the slot
// that it got when it was touched first. Typed arrays and Atomics only; the races are argued in docs/memory-model.md.
import { PageState, REGION_BYTES, REGION_PAGE_SHIFT, REGION_PAGES, regionCountOf } from './pages.js';

/** The regions of a guest and their slots. A slot is as large as a region; its frames are `slot * REGION_PAGES` and on. */
export interface Regions {
  /** The first slot that can be a region's. */
  readonly first: number;
  /** One past the last slot that is in use. */
  readonly count: number;
  /** The region at a slot that is in use; undefined when it is none's, or not yet. */
  regionAt(slot: number): number | undefined;
}

/** Of a guest in one piece: all regions are there from the beginning, each at the slot of its number. */
export function regionsInOnePiece(pageCount: number): Regions {
  return { first: 0, count: regionCountOf(pageCount), regionAt: (slot) => slot };
}

/** Pages of the tables up to the last slot in use: of a guest in segments there may be gigabytes behind them. */
export function pagesInUse({
  pageCount,
  regions,
}: {
  readonly pageCount: number;
  readonly regions: Regions;
}): number {
  return Math.min(pageCount, regions.count << REGION_PAGE_SHIFT);
}

/** The slots that are a region's, in their order, each with its region. */
export function slotsOf(regions: Regions): [slot: number, region: number][] {
  const slots: [number, number][] = [];
  for (let slot = regions.first; slot < regions.count; slot++) {
    const region = regions.regionAt(slot);
    if (region !== undefined) slots.push([slot, region]);
  }
  return slots;
}

/**
 * Slot 0 is nobody's: a region that was never touched is looked up as 0, and the pages of slot 0 are OUTSIDE and zero.
 */
const NO_SLOT = 0;

/** A message names a slot or a region that cannot be, or is another's. */
export class SlotError extends Error {
  override readonly name = 'SlotError';
}

/** A guest touched more memory than there are slots for. */
export class NoSlotError extends Error {
  override readonly name = 'NoSlotError';
}

/** The shared words of the regions of a guest in segments. */
export interface RegionWords {
  /** Of each region its slot, or 0. Changes once. */
  readonly directory: Int32Array<SharedArrayBuffer>;
  /** Of each slot its region and one, or 0. Changes once. */
  readonly owners: Uint32Array<SharedArrayBuffer>;
  /** One word: slots in use, slot 0 among them. */
  readonly used: Int32Array<SharedArrayBuffer>;
  readonly pageTable: Uint8Array<SharedArrayBuffer>;
  readonly summary: Uint8Array<SharedArrayBuffer>;
  readonly memoryBytes: number;
}

/** The regions of a guest in segments, as every thread sees them. */
export class RegionDirectory implements Regions {
  readonly first = NO_SLOT + 1;
  readonly words: RegionWords;

  constructor(words: RegionWords) {
    this.words = words;
  }

  get count(): number {
    return Math.min(this.slotsMax, Atomics.load(this.words.used, 0));
  }

  /** Slots that there are, slot 0 among them. */
  get slotsMax(): number {
    return this.words.owners.length;
  }

  regionAt(slot: number): number | undefined {
    const owner = Atomics.load(this.words.owners, slot);
    return owner === 0 ? undefined : owner - 1;
  }

  /** The slot of a region, or 0. After it has answered a slot, all that whoever made it wrote before is visible. */
  slotOf(region: number): number {
    return Atomics.load(this.words.directory, region);
  }

  /**
   * Gives a region the slot that it has elsewhere. What was said before may be said again; answers whether it is new.
   * @throws SlotError when there is no such slot or region, or one of them is another's.
   */
  place(slot: number, region: number): boolean {
    const { directory, owners, used } = this.words;
    if (slot < this.first || slot >= this.slotsMax)
      throw new SlotError(`slot ${slot} is none of the ${this.slotsMax - 1} slots that this host has`);
    if (region >= directory.length)
      throw new SlotError(`region ${region} lies outside of a guest of ${directory.length} regions`);
    const there = Atomics.load(directory, region);
    const owner = Atomics.load(owners, slot);
    if (there === slot && owner === region + 1) return false;
    if (there !== NO_SLOT) throw new SlotError(`region ${region} lies at slot ${there}, not at slot ${slot}`);
    if (owner !== 0) throw new SlotError(`slot ${slot} is of region ${owner - 1}, not of region ${region}`);
    this.fence(slot, region);
    Atomics.store(owners, slot, region + 1);
    Atomics.store(directory, region, slot);
    if (slot >= Atomics.load(used, 0)) Atomics.store(used, 0, slot + 1);
    return true;
  }

  /** Of the last region, which may be cut short by the guest's end: what lies past that is OUTSIDE. */
  fence(slot: number, region: number): void {
    const { memoryBytes, pageTable } = this.words;
    const pages = (memoryBytes - region * REGION_BYTES) / (REGION_BYTES / REGION_PAGES);
    if (pages < REGION_PAGES)
      pageTable.fill(PageState.OUTSIDE, (slot << REGION_PAGE_SHIFT) + pages, (slot + 1) << REGION_PAGE_SHIFT);
  }
}

/** Every so many slots it is looked whether the host has memory for as many more: 32 MiB. */
const SLOTS_A_LOOK = 16;

/** Makes slots for regions that are touched for the first time, on one thread of a guest. */
export class SlotMaker {
  readonly #regions: RegionDirectory;
  readonly #awaitRoom: (bytes: number) => void;
  /** A slot that was taken for a region which another thread was quicker to give one. */
  #spare = NO_SLOT;

  /** `awaitRoom` returns once the host has so much memory to spare, or throws. */
  constructor(regions: RegionDirectory, awaitRoom: (bytes: number) => void) {
    this.#regions = regions;
    this.#awaitRoom = awaitRoom;
  }

  /**
   * The slot of a region, which it gets now unless it has one: zero, PRESENT and marked in the summary, so that the next
   * harvest takes all of it.
   * @throws NoSlotError when there is none left, and what `awaitRoom` throws.
   */
  slotFor(region: number): number {
    const regions = this.#regions;
    const { directory, owners, summary } = regions.words;
    const there = Atomics.load(directory, region);
    if (there !== NO_SLOT) return there;
    const slot = this.#takeSlot();
    regions.fence(slot, region);
    // Whoever is first has it; from then on any vCPU may store to it without a fire.
    const first = Atomics.compareExchange(directory, region, NO_SLOT, slot);
    if (first !== NO_SLOT) {
      this.#keepSpare(slot, region);
      return first;
    }
    // In this slice still: no harvest that takes this mark scans before its stores have landed, and none hands the guest
    // over before this vCPU has parked.
    Atomics.store(owners, slot, region + 1);
    Atomics.store(summary, slot, 1);
    return slot;
  }

  #takeSlot(): number {
    const spare = this.#spare;
    this.#spare = NO_SLOT;
    if (spare !== NO_SLOT) return spare;
    const slot = Atomics.add(this.#regions.words.used, 0, 1);
    if (slot >= this.#regions.slotsMax)
      throw new NoSlotError(
        `the guest has touched ${this.#regions.slotsMax - 1} regions of 2 MiB, and this host has memory for no more`,
      );
    if (slot % SLOTS_A_LOOK === 0) this.#awaitRoom(SLOTS_A_LOOK * REGION_BYTES);
    return slot;
  }

  // It was fenced as the last region, perhaps; nobody has stored to it.
  #keepSpare(slot: number, region: number): void {
    const first = slot << REGION_PAGE_SHIFT;
    if (region === this.#regions.words.directory.length - 1)
      this.#regions.words.pageTable.fill(PageState.PRESENT, first, first + REGION_PAGES);
    this.#spare = slot;
  }
}
