// The tracer: installs traces and harvests dirty pages while the vCPUs run; takes the last ones when they are parked.
// Synchronous and blocking: runs on the tracer worker's thread. Its argument is in docs/memory-model.md.
import { monotonicUs } from '../../shared/clock.js';
import { compact, encodeBitmap, type BitmapFormat } from '../../shared/memory/compacted-bitmap.js';
import { viewMemory, type MemoryHandle, type MemoryViews } from '../../shared/memory/layout.js';
import { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { pagesInUse } from '../../shared/memory/regions.js';
import type { SafepointControl } from '../../shared/memory/safepoint-control.js';
import { spaceChunks } from '../../shared/memory/space-bitmap.js';
import {
  addPages,
  allPages,
  readFired,
  removeTraces,
  takeRegion,
  takeSummary,
  traceRegion,
  TraceWork,
} from '../../shared/memory/tracing.js';

/** What the tracer needs of the vCPUs; a test passes one that is broken on purpose. */
export type Safepoints = Pick<SafepointControl, 'waitForGracePeriod' | 'waitUntilParked'> &
  Partial<Pick<SafepointControl, 'stopAndTrace'>>;

/** Who installs traces: the tracer while the vCPUs run (vSphere 7), or the vCPUs while all of them stand still (before). */
export type TraceMode = 'dedicated' | 'all-vcpus';

/**
 * How the bitmap of what is left travels: whole within the stun (before vSphere 7), by its runs (vSphere 7), or ahead of
 * the stun, so that only what was dirtied since crosses in it.
 */
export const bitmapLogics = ['raw', 'compacted', 'ahead'] as const;
export type BitmapLogic = (typeof bitmapLogics)[number];

export interface Harvest {
  readonly dirtyPages: number;
  readonly durationMs: number;
}

/** The last harvest of a parked guest, and the bitmap that crosses the wire in the stun. Instants are `monotonicUs`. */
export interface LastHarvest {
  readonly parkedAt: number;
  readonly harvestedAt: number;
  readonly compactedAt: number;
  /** All that the destination lacks, announced or not. */
  readonly dirtyPages: number;
  readonly bitmap: Uint8Array<ArrayBuffer>;
  /** The raw bitmap of a guest in segments: a bit for each page of its address space, and none in `bitmap` then. */
  readonly chunks: readonly Uint8Array[];
}

/** What goes ahead of a switch-over. */
export interface Ahead {
  readonly pages: number;
  readonly bitmap: Uint8Array<ArrayBuffer>;
}

export class Tracer {
  readonly #views: MemoryViews;
  readonly #safepoints: Safepoints;
  readonly #allDirty: PageBitmap;
  readonly #allLate: PageBitmap;
  readonly #mode: TraceMode;
  #announcedPages = 0;

  constructor(memory: MemoryHandle, safepoints: Safepoints, mode: TraceMode = 'dedicated') {
    this.#mode = mode;
    this.#views = viewMemory(memory);
    this.#safepoints = safepoints;
    this.#allDirty = new PageBitmap(this.#views.pageCount, this.#views.dirtyWords);
    this.#allLate = new PageBitmap(this.#views.pageCount, this.#views.lateWords);
  }

  /** What the last harvest took; the copiers read it until the next one. */
  get dirty(): PageBitmap {
    return this.#allDirty.upTo(pagesInUse(this.#views));
  }

  /** Of those the ones that were dirtied after the bitmap went ahead: the guest is the likeliest to need them at once. */
  get #late(): PageBitmap {
    return this.#allLate.upTo(pagesInUse(this.#views));
  }

  /** Every page that there is becomes dirty; answers how many there are. */
  #callAllDirty(): number {
    allPages(this.#views, this.#allDirty);
    return this.dirty.count();
  }

  /**
   * Installs a trace on every page while the vCPUs run, and calls every page dirty. Stores that had already checked
   * a page have landed when it returns; later ones fire. Answers how many pages there are.
   */
  installTraces(): Harvest {
    const from = monotonicUs();
    if (this.#mode === 'all-vcpus') {
      this.#stopAndTrace(TraceWork.INSTALL);
      return { dirtyPages: this.#callAllDirty(), durationMs: (monotonicUs() - from) / 1000 };
    }
    const { regions, summary } = this.#views;
    summary.fill(0);
    // A vCPU that fires because it sees a trace below must not have its summary cleared by the line above, which a
    // weakly ordered processor could let land later. (Found by the interleaving model.)
    this.#safepoints.waitForGracePeriod();
    // A region that gets its slot from here on is marked in the summary, and taken by the next harvest.
    for (let slot = regions.first; slot < regions.count; slot++) traceRegion(this.#views, slot);
    this.#safepoints.waitForGracePeriod();
    return { dirtyPages: this.#callAllDirty(), durationMs: (monotonicUs() - from) / 1000 };
  }

  /** Removes all traces: no store fires any more. For a guest that stays. */
  removeTraces(): void {
    removeTraces(this.#views);
  }

  /**
   * Takes the pages dirtied since the last harvest into `dirty`, tracing them again, while the vCPUs run. When it
   * returns a copier may read them: take, wait, read. With `keepsRest` what is in `dirty` stays: a round that was
   * stopped did not send it.
   */
  harvest(keepsRest = false): Harvest {
    const rest = keepsRest ? this.dirty.words.slice() : undefined;
    const harvest = this.#harvest();
    if (rest === undefined) return harvest;
    const { dirty } = this;
    for (const [index, word] of rest.entries()) dirty.words[index]! |= word;
    return { ...harvest, dirtyPages: dirty.count() };
  }

  #harvest(): Harvest {
    const from = monotonicUs();
    if (this.#mode === 'all-vcpus') {
      // The vCPUs clear and fill the bitmap, each its own regions; nobody runs meanwhile, so no grace period is due.
      this.#stopAndTrace(TraceWork.HARVEST);
      return { dirtyPages: this.dirty.count(), durationMs: (monotonicUs() - from) / 1000 };
    }
    const regions = this.#takeSummary();
    // A fire stores its page before its region. Those whose region was just taken are all visible after this.
    this.#safepoints.waitForGracePeriod();
    const { dirty } = this;
    dirty.clear();
    for (const region of regions) takeRegion(this.#views, region, dirty);
    // Stores that had checked a page before it was traced again land before this returns.
    this.#safepoints.waitForGracePeriod();
    return { dirtyPages: dirty.count(), durationMs: (monotonicUs() - from) / 1000 };
  }

  /**
   * What the destination will lack, as far as it is known while the guest runs: what the last harvest took and nobody has
   * copied yet, or with `everything` (post-copy) all pages.
   */
  announce(everything: boolean): Ahead {
    if (everything) {
      // Of a guest that nobody traced, every region that was ever touched is marked. A mark that is taken here was set after
      // its region had its slot, and so all of that is announced; one that is not is of a region that comes late.
      this.#takeSummary();
      this.#callAllDirty();
    }
    const { dirty } = this;
    // All of it: a region that gets a slot after this has late pages too.
    this.#allLate.clear();
    this.#announcedPages = dirty.count();
    return { pages: this.#announcedPages, bitmap: compact(dirty) };
  }

  /**
   * Waits until the vCPUs, told to park before, are out of their slices; adds the last dirty pages to those that the
   * last harvest took and nobody has copied yet. With `ahead` those were announced, and only the last ones are encoded,
   * which costs what they are; else all of them, and with `everything` the bitmap is of all pages (post-copy). Nothing is
   * traced again.
   */
  takeLast(logic: BitmapLogic, everything: boolean): LastHarvest {
    this.#safepoints.waitUntilParked();
    const parkedAt = monotonicUs();
    return logic === 'ahead' ? this.#takeLate(parkedAt) : this.#takeAll(parkedAt, logic, everything);
  }

  #takeAll(parkedAt: number, format: BitmapFormat, everything: boolean): LastHarvest {
    this.#late.clear();
    const { dirty } = this;
    if (everything) this.#callAllDirty();
    else readFired(this.#views, dirty);
    const dirtyPages = dirty.count();
    const harvestedAt = monotonicUs();
    const isChunked = format === 'raw' && this.#views.regions.first > 0;
    const chunks = isChunked ? spaceChunks(this.#views, dirty) : [];
    const bitmap = isChunked ? compact(dirty.upTo(0)) : encodeBitmap(dirty, format);
    return { parkedAt, harvestedAt, compactedAt: monotonicUs(), dirtyPages, bitmap, chunks };
  }

  #takeLate(parkedAt: number): LastHarvest {
    const late = this.#late;
    readFired(this.#views, late);
    // Those that were not announced.
    const dirtyPages = this.#announcedPages + addPages(this.#views, late, this.dirty);
    const harvestedAt = monotonicUs();
    const bitmap = compact(late);
    return { parkedAt, harvestedAt, compactedAt: monotonicUs(), dirtyPages, bitmap, chunks: [] };
  }

  #stopAndTrace(work: TraceWork): void {
    this.#safepoints.stopAndTrace?.(work);
  }

  #takeSummary(): number[] {
    const regions: number[] = [];
    const { first, count } = this.#views.regions;
    for (let region = first; region < count; region++) {
      if (takeSummary(this.#views, region)) regions.push(region);
    }
    return regions;
  }
}
