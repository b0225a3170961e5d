// The regions of a guest in segments that comes: each gets the slot that it has at the source.
// Knows slots only; how they are told is take-over.ts, and what a slot is regions.ts.
import { MicrostunError, ProtocolError } from '../shared/errors.js';
import { REGION_BYTES } from '../shared/memory/pages.js';
import { SlotError, slotsOf, type RegionDirectory } from '../shared/memory/regions.js';
import { formatBytes } from '../shared/units.js';
import type { RegionSlot } from '../shared/wire/switch-over-frames.js';

export class IncomingRegions {
  readonly #directory: RegionDirectory;
  readonly #checkRoom: (bytes: number) => void;
  #count: number;

  /** `checkRoom` throws when so many bytes in all are not to be had. */
  constructor(directory: RegionDirectory, checkRoom: (bytes: number) => void) {
    this.#directory = directory;
    this.#checkRoom = checkRoom;
    this.#count = slotsOf(directory).length;
  }

  /** Regions that have a slot. */
  get count(): number {
    return this.#count;
  }

  /** The slot of a region, 0 when it has none. */
  slotOf(region: number): number {
    return this.#directory.slotOf(region);
  }

  /**
   * @throws ProtocolError when a slot or region cannot be, or is another's; MicrostunError INSUFFICIENT_MEMORY when there
   * is no room for so many.
   */
  place(regions: readonly RegionSlot[]): void {
    const { slotsMax } = this.#directory;
    for (const [slot] of regions)
      if (slot >= slotsMax)
        throw new MicrostunError(
          'INSUFFICIENT_MEMORY',
          `the guest has touched ${formatBytes(slot * REGION_BYTES)}, and this host has no more than ${formatBytes((slotsMax - 1) * REGION_BYTES)}; ` +
            'choose a smaller --resident, or another host',
        );
    try {
      for (const [slot, region] of regions) if (this.#directory.place(slot, region)) this.#count++;
    } catch (error) {
      if (!(error instanceof SlotError)) throw error;
      throw new ProtocolError(error.message, { cause: error });
    }
    this.#checkRoom(this.#count * REGION_BYTES);
  }
}
