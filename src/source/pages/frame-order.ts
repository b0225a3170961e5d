// In which order a round's pages are given to its connection, frame by frame: over memory from its beginning to its end.
// Knows bitmaps and places only; the push has an order of its own, push-order.ts.
import type { MemoryViews } from '../../shared/memory/layout.js';
import { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { REGION_PAGES } from '../../shared/memory/pages.js';

/**
 * Regions `first`, `first + stride`, …: a region always travels on the same connection, so an older copy of a page never
 * overtakes a newer one.
 */
export interface CopierRegions {
  readonly first: number;
  readonly stride: number;
}

/** Where the next frame comes from: those of `pages` in `region` from its page `from` on. */
export interface Place {
  readonly region: number;
  readonly from: number;
  readonly pages: PageBitmap;
}

/** The order of one round. */
export interface FrameOrder {
  /** Where the next frame comes from; undefined when none is left. */
  next(): Place | undefined;
  /** Of the place that came last, a frame was written of the pages before `pastLast`. */
  noteWritten(pastLast: number): void;
  /** There was no page at the place that came last. */
  noteEmpty(): void;
  /** The connection was cut, and of the frames only the first `arrived` are not to be written again. */
  goBack(arrived: number): void;
}

/** Of a round that is copied: regions in order, pages in order. `isStopped`: no further region is begun. */
export class CopyOrder implements FrameOrder {
  readonly #dirty: PageBitmap;
  readonly #regionCount: number;
  readonly #stride: number;
  readonly #isStopped: () => boolean;
  readonly #written: Place[] = [];
  #next: Place;

  constructor(
    views: Pick<MemoryViews, 'pageCount' | 'regions' | 'dirtyWords'>,
    { first, stride }: CopierRegions,
    isStopped: () => boolean,
  ) {
    this.#dirty = new PageBitmap(views.pageCount, views.dirtyWords);
    this.#regionCount = views.regions.count;
    this.#stride = stride;
    this.#isStopped = isStopped;
    this.#next = { region: first, from: 0, pages: this.#dirty };
  }

  next(): Place | undefined {
    const { region, from } = this.#next;
    if (region >= this.#regionCount) return undefined;
    // A region that has begun is ended: its pages leave the dirty bitmap together.
    return from === 0 && this.#isStopped() ? undefined : this.#next;
  }

  noteWritten(pastLast: number): void {
    this.#written.push(this.#next);
    if (pastLast === REGION_PAGES) this.noteEmpty();
    else this.#next = { ...this.#next, from: pastLast };
  }

  noteEmpty(): void {
    this.#next = { ...this.#next, region: this.#next.region + this.#stride, from: 0 };
  }

  goBack(arrived: number): void {
    this.#next = this.#written[arrived] ?? this.#next;
    this.#written.length = arrived;
  }
}
