// The pages of a guest that is coming, as the main thread sees them: counted, and those that never came.
// Does not know how they come: the fetcher marks them, receivers and fetcher place them.
import type { GuestMachine } from '../../shared/guest/machine.js';
import { viewMemory, type MemoryViews } from '../../shared/memory/layout.js';
import { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { PageState } from '../../shared/memory/pages.js';

export class ArrivingPages {
  readonly #views: MemoryViews;
  readonly #safepoints: GuestMachine['safepoints'];

  constructor({ shared, safepoints }: Pick<GuestMachine, 'shared' | 'safepoints'>) {
    this.#views = viewMemory(shared.memory);
    this.#safepoints = safepoints;
  }

  get pageCount(): number {
    return this.#views.pageCount;
  }

  /** How many the running guest lacks still. */
  get lackingPages(): number {
    return this.#safepoints.lackingPages;
  }

  /** Those that have not come. */
  missing(): PageBitmap {
    const { pageTable, pageCount } = this.#views;
    const missing = new PageBitmap(pageCount);
    for (let page = 0; page < pageCount; page++) {
      const state = Atomics.load(pageTable, page);
      if (state === PageState.ABSENT || state === PageState.PLACING) missing.add(page);
    }
    return missing;
  }
}
