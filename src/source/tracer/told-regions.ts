// Which regions of a guest in segments the destination has been told the slots of, on the connection in use.
// Knows frames and slots; a guest in one piece has nothing to tell.
import type { Regions } from '../../shared/memory/regions.js';
import {
  encodeRegions,
  REGIONS_PER_FRAME_MAX,
  type RegionSlot,
} from '../../shared/wire/switch-over-frames.js';

export class ToldRegions {
  readonly #regions: Regions;
  /** Slots before this one were looked at. */
  #next: number;
  /** Of those the ones that were no region's yet: a vCPU may have been about to give one of them away. */
  #open: number[] = [];
  #told = 0;

  constructor(regions: Regions) {
    this.#regions = regions;
    this.#next = regions.first;
  }

  /** A new connection: nothing was told on it. */
  forget(): void {
    this.#next = this.#regions.first;
    this.#open = [];
    this.#told = 0;
  }

  /** Regions that were told; of a parked guest, after `frames`, all that there are. */
  get regionCount(): number {
    return this.#told;
  }

  /** The frames that tell what is not told yet, which is taken to be told then. */
  frames(): Uint8Array[][] {
    const { first, count } = this.#regions;
    if (first === 0) return [];
    const regions: RegionSlot[] = [];
    const open: number[] = [];
    const look = (slot: number): void => {
      const region = this.#regions.regionAt(slot);
      if (region === undefined) open.push(slot);
      else regions.push([slot, region]);
    };
    this.#open.forEach(look);
    for (; this.#next < count; this.#next++) look(this.#next);
    this.#open = open;
    this.#told += regions.length;
    const frames: Uint8Array[][] = [];
    for (let from = 0; from < regions.length; from += REGIONS_PER_FRAME_MAX)
      frames.push(encodeRegions(regions.slice(from, from + REGIONS_PER_FRAME_MAX)));
    return frames;
  }
}
