// The buffers that a guest's pages lie in, as typed arrays: one, beside its tables, or several of their own.
// Knows frames and bytes; which page of the guest a frame is, is regions.ts.
import { PAGE_BYTES, REGION_BYTES, REGION_PAGES, type PageNumber } from './pages.js';
import { pageKernelsOf, type PageKernels } from './page-kernels.js';

/** Frames of a segment: as much as a WebAssembly memory has, 4 GiB. Only the last one may have fewer. */
export const SEGMENT_PAGE_SHIFT = 20;
const SEGMENT_PAGES = 1 << SEGMENT_PAGE_SHIFT;
/** Slots of a segment. */
export const SEGMENT_SLOTS = SEGMENT_PAGES / REGION_PAGES;

const WASM_PAGE_BYTES = 65536;

/** One buffer with pages of a guest in it. */
export interface Segment {
  readonly memory: WebAssembly.Memory;
  readonly buffer: SharedArrayBuffer;
  /** Offset of its first page in `buffer`, in bytes. */
  readonly pagesOffset: number;
  /** Its pages. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** What goes over its pages in place; addresses are offsets in `buffer`. */
  readonly kernels: Pick<PageKernels, 'isZeroPage' | 'moveBytes' | 'clearBytes'>;
}

/** Whatever lies in segments. */
export interface Segmented {
  readonly segments: readonly Segment[];
}

/**
 * Memory for so many slots, all zero; what is not touched takes none of the host's.
 * @throws RangeError when the host gives no room.
 */
export function reserveSegments(slots: number): WebAssembly.Memory[] {
  return Array.from({ length: Math.ceil(slots / SEGMENT_SLOTS) }, (_, segment) => {
    const ofIt = Math.min(SEGMENT_SLOTS, slots - segment * SEGMENT_SLOTS);
    const wasmPages = ofIt * (REGION_BYTES / WASM_PAGE_BYTES);
    return new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages, shared: true });
  });
}

/** All of `memory` as a segment. */
export function viewSegment(memory: WebAssembly.Memory): Segment {
  const { buffer } = memory;
  return {
    memory,
    buffer,
    pagesOffset: 0,
    bytes: new Uint8Array(buffer),
    kernels: pageKernelsOf(memory),
  };
}

/** The segment in which a page lies. */
export function segmentOf({ segments }: Segmented, page: PageNumber): Segment {
  return segments[page >>> SEGMENT_PAGE_SHIFT]!;
}

/** Where a page begins in the buffer of its segment, in bytes. */
export function addressOf({ pagesOffset }: Segment, page: PageNumber): number {
  return pagesOffset + (page & (SEGMENT_PAGES - 1)) * PAGE_BYTES;
}

/** The bytes of pages [first, pastLast), which are of one region. */
export function pageBytes(
  views: Segmented,
  first: PageNumber,
  pastLast: PageNumber,
): Uint8Array<SharedArrayBuffer> {
  const from = (first & (SEGMENT_PAGES - 1)) * PAGE_BYTES;
  return segmentOf(views, first).bytes.subarray(from, from + (pastLast - first) * PAGE_BYTES);
}
