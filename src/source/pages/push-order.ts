// In which order a push gives its pages to the connection: around the page that was just asked for, then what was dirtied
// most recently, then the rest. Knows bitmaps and places only; what is asked for meanwhile leaves the dirty bitmap.
import type { MemoryViews } from '../../shared/memory/layout.js';
import { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { REGION_PAGES, REGION_WORDS, type PageNumber } from '../../shared/memory/pages.js';
import type { CopierRegions, FrameOrder, Place } from './frame-order.js';

/** Pages of a frame that was written: a bit each of its region's words. */
interface Written {
  readonly region: number;
  readonly words: Int32Array;
}

/** Where a pass over memory is. */
interface Cursor {
  /** Of `#passes`. */
  pass: number;
  region: number;
  from: number;
}

export class PushOrder implements FrameOrder {
  readonly #views: Pick<MemoryViews, 'pageCount' | 'regions' | 'dirtyWords'>;
  readonly #regions: CopierRegions;
  readonly #takeAsked: () => PageNumber | undefined;
  /** Each pass is over those of the dirty pages that are in its words too. */
  readonly #passes: readonly Int32Array[];
  /** Pages that are in a frame already. */
  readonly #given: Int32Array;
  /** Of the region that is looked at: what is left of it. */
  readonly #left: PageBitmap;
  readonly #written: Written[] = [];
  readonly #cursor: Cursor;
  #last: { readonly place: Place; readonly isAside: boolean } | undefined;

  /**
   * `recent`: words of the pages that were dirtied most recently. `takeAsked`: the page that was asked for since it was
   * last called, if any.
   */
  constructor(
    views: Pick<MemoryViews, 'pageCount' | 'regions' | 'dirtyWords'>,
    regions: CopierRegions,
    recent: Int32Array,
    takeAsked: () => PageNumber | undefined,
  ) {
    this.#views = views;
    this.#regions = regions;
    this.#takeAsked = takeAsked;
    this.#passes = [recent, views.dirtyWords];
    this.#given = new Int32Array(views.dirtyWords.length);
    this.#left = new PageBitmap(views.pageCount);
    this.#cursor = { pass: 0, region: regions.first, from: 0 };
  }

  next(): Place | undefined {
    const aside = this.#aroundAsked();
    if (aside !== undefined) return this.#take(aside.region, aside.from, true);
    const cursor = this.#cursor;
    while (cursor.pass < this.#passes.length) {
      const { pass, region, from } = cursor;
      if (region >= this.#views.regions.count) this.#beginPass(pass + 1);
      else if (this.#look(region, this.#passes[pass]!, from)) return this.#take(region, from, false);
      else this.#beginRegion(region + this.#regions.stride);
    }
    return undefined;
  }

  noteWritten(pastLast: number): void {
    const { place, isAside } = this.#last!;
    const words = this.#regionOf(this.#left.words, place.region).slice();
    clearOutside(words, place.from, pastLast);
    this.#mark(place.region, words, true);
    this.#written.push({ region: place.region, words });
    if (!isAside) this.#cursor.from = pastLast;
  }

  noteEmpty(): void {
    // All of it was asked for between two looks at it.
    if (!this.#last!.isAside) this.#cursor.from = REGION_PAGES;
  }

  goBack(arrived: number): void {
    for (const { region, words } of this.#written.slice(arrived)) this.#mark(region, words, false);
    this.#written.length = arrived;
    this.#beginPass(0);
  }

  // A guest that wanted one page will often want its neighbours; one frame of them, and on in the order.
  #aroundAsked(): { readonly region: number; readonly from: number } | undefined {
    const asked = this.#takeAsked();
    if (asked === undefined) return undefined;
    const region = Math.floor(asked / REGION_PAGES);
    const { first, stride } = this.#regions;
    if (region % stride !== first) return undefined;
    const from = asked % REGION_PAGES;
    return this.#look(region, this.#views.dirtyWords, from) ? { region, from } : undefined;
  }

  // Whether pages are left in a region from one on; they are in `#left` then.
  #look(region: number, pass: Int32Array, from: number): boolean {
    const left = this.#regionOf(this.#left.words, region);
    const firstWord = region * REGION_WORDS;
    const { dirtyWords } = this.#views;
    let any = 0;
    for (let index = 0; index < left.length; index++) {
      const word = firstWord + index;
      left[index] = pass[word]! & dirtyWords[word]! & ~this.#given[word]!;
      if (index > from >>> 5) any |= left[index]!;
      else if (index === from >>> 5) any |= left[index]! & (-1 << (from & 31));
    }
    return any !== 0;
  }

  #take(region: number, from: number, isAside: boolean): Place {
    const place = { region, from, pages: this.#left };
    this.#last = { place, isAside };
    return place;
  }

  #mark(region: number, words: Int32Array, isGiven: boolean): void {
    const given = this.#regionOf(this.#given, region);
    for (let index = 0; index < words.length; index++) {
      if (isGiven) given[index]! |= words[index]!;
      else given[index]! &= ~words[index]!;
    }
  }

  #beginPass(pass: number): void {
    this.#cursor.pass = pass;
    this.#beginRegion(this.#regions.first);
  }

  #beginRegion(region: number): void {
    this.#cursor.region = region;
    this.#cursor.from = 0;
  }

  // The last region may end before its map does.
  #regionOf(words: Int32Array, region: number): Int32Array {
    return words.subarray(region * REGION_WORDS, (region + 1) * REGION_WORDS);
  }
}

/** Clears the bits of a region's words that are not of its pages [from, pastLast). */
function clearOutside(words: Int32Array, from: number, pastLast: number): void {
  for (let index = 0; index < words.length; index++) {
    const low = Math.min(32, Math.max(0, from - index * 32));
    const high = Math.min(32, Math.max(0, pastLast - index * 32));
    const belowHigh = high === 32 ? -1 : (1 << high) - 1;
    const belowLow = low === 32 ? -1 : (1 << low) - 1;
    words[index]! &= belowHigh & ~belowLow;
  }
}
