// Hashes of pages, 64 bits each, by the kernel of assembly/hashes.ts, in place: what pages are checked with on their way and
// compared with at the end. Knows bytes only; they tell damage and not a forgery.
import { HASHES_BINARY } from './kernels-binary.js';
import { PAGE_BYTES, type PageNumber } from './pages.js';
import { addressOf, segmentOf, SEGMENT_PAGE_SHIFT, type Segmented } from './segments.js';

/** Addresses are offsets in the memory. Hashes and folds are 64 bits, as a BigInt with a sign. */
export interface HashKernels {
  /** 0 of a page of zeros. */
  hashPage(page: number): bigint;
  /** The hashes of `count` pages in their order, mixed into `fold`. */
  foldPages(page: number, count: number, fold: bigint): bigint;
}

/** The fold of no page. */
export const NO_PAGES = 0n;

const module = new WebAssembly.Module(HASHES_BINARY);

/** The kernels over one memory, for this thread. */
export function hashKernelsOf(memory: WebAssembly.Memory): HashKernels {
  return new WebAssembly.Instance(module, { env: { memory } }).exports as unknown as HashKernels;
}

// V8 compiles a kernel at its first call, and better after some work: not within a stun.
const WARM_TURNS = 200;
warmUp(new WebAssembly.Memory({ initial: 1, maximum: 1, shared: true }));

function warmUp(memory: WebAssembly.Memory): void {
  const kernels = hashKernelsOf(memory);
  for (let turn = 0; turn < WARM_TURNS; turn++) kernels.foldPages(0, 1, kernels.hashPage(PAGE_BYTES));
}

/** The hashes of a guest's pages. */
export class PageHashes {
  readonly #views: Segmented;
  /** Of each segment, made when it is needed. */
  readonly #kernels: HashKernels[] = [];

  constructor(views: Segmented) {
    this.#views = views;
  }

  /** 0 of a page of zeros. */
  hashOf(page: PageNumber): bigint {
    return this.#kernelsOf(page).hashPage(addressOf(segmentOf(this.#views, page), page));
  }

  /** The hashes of pages [first, pastLast), which are of one region, mixed into `fold`. */
  fold(first: PageNumber, pastLast: PageNumber, fold: bigint): bigint {
    const address = addressOf(segmentOf(this.#views, first), first);
    return this.#kernelsOf(first).foldPages(address, pastLast - first, fold);
  }

  #kernelsOf(page: PageNumber): HashKernels {
    return (this.#kernels[page >>> SEGMENT_PAGE_SHIFT] ??= hashKernelsOf(
      segmentOf(this.#views, page).memory,
    ));
  }
}
