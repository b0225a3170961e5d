// The tracer: installs traces and harvests dirty pages while the vCPUs run; takes the last ones when they are parked.
// Synchronous and blocking: runs on the tracer worker's thread. Its argument is in docs/memory-model.md.
import { monotonicUs } from '../../shared/clock.js';
import { encodeBitmap, type BitmapFormat } from '../../shared/memory/compacted-bitmap.js';
import {
  allocateMemory,
  viewMemory,
  type MemoryHandle,
  type MemoryViews,
} from '../../shared/memory/layout.js';
import { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState } from '../../shared/memory/pages.js';
import { REHEARSED_PAGES, rehearsedPages } from '../../shared/memory/rehearsed-pages.js';
import { allocateSafepointWords } from '../../shared/memory/safepoint-words.js';
import { SafepointControl } from '../../shared/memory/safepoint-control.js';
import {
  readRegion,
  removeTraces,
  tableWordsOf,
  takeRegion,
  takeSummary,
  TraceWork,
} from '../../shared/memory/tracing.js';

/** What the tracer needs of the vCPUs; a test passes one that is broken on purpose. */
export type Safepoints = Pick<SafepointControl, 'waitForGracePeriod' | 'waitUntilParked'> &
  Partial<Pick<SafepointControl, 'stopAndTrace'>>;

/** Who installs traces: the tracer while the vCPUs run (vSphere 7), or the vCPUs while all of them stand still (before). */
export type TraceMode = 'dedicated' | 'all-vcpus';

export interface Harvest {
  readonly dirtyPages: number;
  readonly durationMs: number;
}

/** The last harvest of a parked guest, and the bitmap that crosses the wire. Instants are `monotonicUs`. */
export interface LastHarvest {
  readonly parkedAt: number;
  readonly harvestedAt: number;
  readonly compactedAt: number;
  readonly dirtyPages: number;
  readonly bitmap: Uint8Array<ArrayBuffer>;
}

export class Tracer {
  readonly #views: MemoryViews;
  readonly #tableWords: Int32Array;
  readonly #safepoints: Safepoints;
  /** What the last harvest took; the copiers read it until the next one. */
  readonly dirty: PageBitmap;

  readonly #mode: TraceMode;

  constructor(memory: MemoryHandle, safepoints: Safepoints, mode: TraceMode = 'dedicated') {
    this.#mode = mode;
    this.#views = viewMemory(memory);
    this.#tableWords = tableWordsOf(this.#views);
    this.#safepoints = safepoints;
    this.dirty = new PageBitmap(this.#views.pageCount, this.#views.dirtyWords);
  }

  /**
   * Installs a trace on every page while the vCPUs run, and calls every page dirty. Stores that had already checked
   * a page have landed when it returns; later ones fire. Answers how long it took, in milliseconds.
   */
  installTraces(): number {
    const from = monotonicUs();
    if (this.#mode === 'all-vcpus') {
      this.#stopAndTrace(TraceWork.INSTALL);
      this.dirty.fill();
      return (monotonicUs() - from) / 1000;
    }
    this.#views.summary.fill(0);
    // A vCPU that fires because it sees a trace below must not have its summary cleared by the line above, which a
    // weakly ordered processor could let land later. (Found by the interleaving model.)
    this.#safepoints.waitForGracePeriod();
    this.#views.pageTable.fill(PageState.TRACED, 0, this.#views.pageCount);
    this.#safepoints.waitForGracePeriod();
    this.dirty.fill();
    return (monotonicUs() - from) / 1000;
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
    for (const [index, word] of rest.entries()) this.dirty.words[index]! |= word;
    return { ...harvest, dirtyPages: this.dirty.count() };
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
    this.dirty.clear();
    for (const region of regions) takeRegion(this.#views, this.#tableWords, region, this.dirty);
    // Stores that had checked a page before it was traced again land before this returns.
    this.#safepoints.waitForGracePeriod();
    return { dirtyPages: this.dirty.count(), durationMs: (monotonicUs() - from) / 1000 };
  }

  /**
   * Waits until the vCPUs, told to park before, are out of their slices; adds the last dirty pages to those that the
   * last harvest took and nobody has copied yet, and encodes them all. With `everything` the bitmap is of all pages
   * (post-copy). Nothing is traced again.
   */
  takeLast(format: BitmapFormat, everything: boolean): LastHarvest {
    this.#safepoints.waitUntilParked();
    const parkedAt = monotonicUs();
    if (everything) {
      this.dirty.fill();
    } else {
      for (const region of this.#takeSummary()) readRegion(this.#views, this.#tableWords, region, this.dirty);
    }
    const dirtyPages = this.dirty.count();
    const harvestedAt = monotonicUs();
    const bitmap = encodeBitmap(this.dirty, format);
    return { parkedAt, harvestedAt, compactedAt: monotonicUs(), dirtyPages, bitmap };
  }

  #stopAndTrace(work: TraceWork): void {
    this.#safepoints.stopAndTrace?.(work);
  }

  #takeSummary(): number[] {
    const regions: number[] = [];
    for (let region = 0; region < this.#views.regionCount; region++) {
      if (takeSummary(this.#views, region)) regions.push(region);
    }
    return regions;
  }
}

const FULL_TURNS = 200;
const REFRESHING_TURNS = 2;

/** Runs the tracer's code on scratch memory before it counts: cold code would lengthen the stun. */
export class TracerRehearsal {
  readonly #views: MemoryViews;
  readonly #tracer: Tracer;
  readonly #pages = rehearsedPages();

  constructor() {
    const memory = allocateMemory(REHEARSED_PAGES * PAGE_BYTES);
    this.#views = viewMemory(memory);
    // Its one vCPU never runs, so nothing waits.
    this.#tracer = new Tracer(memory, new SafepointControl(allocateSafepointWords(1)));
  }

  /** All of it. */
  rehearse(): void {
    this.#tracer.installTraces();
    for (let turn = 0; turn < FULL_TURNS; turn++) this.#turn(turn % 8 === 0 ? 'raw' : 'compacted');
  }

  /** A little of it, before a harvest: well under a millisecond. */
  refresh(): void {
    for (let turn = 0; turn < REFRESHING_TURNS; turn++) this.#turn('compacted');
  }

  #turn(format: BitmapFormat): void {
    this.#dirtyPages();
    this.#tracer.harvest();
    this.#dirtyPages();
    this.#tracer.takeLast(format, false);
  }

  #dirtyPages(): void {
    const { pageTable, summary } = this.#views;
    for (let page = this.#pages.nextSet(0); page < REHEARSED_PAGES; page = this.#pages.nextSet(page + 1)) {
      pageTable[page] = PageState.PRESENT;
    }
    summary.fill(1);
  }
}
