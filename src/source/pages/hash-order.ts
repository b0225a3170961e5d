// In which order the hashes of regions are given to a connection: each region once, whole.
// Knows numbers only.
import { PageBitmap } from '../../shared/memory/page-bitmap.js';
import type { FrameOrder, Place } from './frame-order.js';

const NONE = new PageBitmap(0);

export class HashOrder implements FrameOrder {
  readonly #regions: readonly number[];
  #at = 0;

  constructor(regions: readonly number[]) {
    this.#regions = regions;
  }

  next(): Place | undefined {
    const region = this.#regions[this.#at];
    return region === undefined ? undefined : { region, from: 0, pages: NONE };
  }

  noteWritten(): void {
    this.#at++;
  }

  noteEmpty(): void {
    this.#at++;
  }

  goBack(arrived: number): void {
    this.#at = arrived;
  }
}
