// The pages of a guest that is coming, as the main thread sees them: counted, and those that never came.
// Does not know how they come: the fetcher marks them, receivers and fetcher place them.
import type { GuestMachine } from '../../shared/guest/machine.js';
import { viewMemory, type MemoryViews } from '../../shared/memory/layout.js';
import { PageState, REGION_PAGES } from '../../shared/memory/pages.js';
import { slotsOf } from '../../shared/memory/regions.js';

/** Pages that have not come: how many, and in which runs of the guest's address space, each [first, pastLast). */
export interface MissingPages {
  readonly count: number;
  readonly runs: readonly (readonly [first: number, pastLast: number])[];
}

export class ArrivingPages {
  readonly #views: MemoryViews;
  readonly #safepoints: GuestMachine['safepoints'];

  constructor({ shared, safepoints }: Pick<GuestMachine, 'shared' | 'safepoints'>) {
    this.#views = viewMemory(shared.memory);
    this.#safepoints = safepoints;
  }

  /** Pages of the guest; of one in segments those of the regions that have a slot. */
  get pageCount(): number {
    const { pageCount, regions } = this.#views;
    return Math.min(pageCount, (regions.count - regions.first) * REGION_PAGES);
  }

  /** How many the running guest lacks still. */
  get lackingPages(): number {
    return this.#safepoints.lackingPages;
  }

  /** Those that have not come, by their guest addresses. */
  missing(): MissingPages {
    const runs: [number, number][] = [];
    let count = 0;
    const slots = slotsOf(this.#views.regions).sort(([, one], [, other]) => one - other);
    for (const [slot, region] of slots) {
      for (let index = 0; index < REGION_PAGES; index++) {
        if (!this.#isMissing(slot * REGION_PAGES + index)) continue;
        count++;
        const page = region * REGION_PAGES + index;
        const last = runs.at(-1);
        if (last?.[1] === page) last[1]++;
        else runs.push([page, page + 1]);
      }
    }
    return { count, runs };
  }

  #isMissing(page: number): boolean {
    const state = page < this.#views.pageCount ? Atomics.load(this.#views.pageTable, page) : undefined;
    return state === PageState.ABSENT || state === PageState.PLACING;
  }
}
