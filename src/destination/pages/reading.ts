// What a page connection is in the middle of reading, and where the pages of a frame are kept that cannot be read into place.
// Data and a buffer; who moves on from one to the next is page-receiver.ts.
import { ProtocolError } from '../../shared/errors.js';
import { hashKernelsOf } from '../../shared/memory/page-hashes.js';
import { REGION_BYTES } from '../../shared/memory/pages.js';
import type { FrameHeader } from '../../shared/wire/frames.js';
import { CHECKED, PUSHED, type RegionHead } from '../../shared/wire/page-frames.js';
import type { FoldPages } from './frame-check.js';
import type { Run } from './region-runs.js';

export type Reading =
  | { readonly what: 'header' }
  | { readonly what: 'small-body'; readonly header: FrameHeader }
  | { readonly what: 'region-head'; readonly header: FrameHeader }
  /** Straight into guest memory, run by run. */
  | {
      readonly what: 'direct';
      readonly head: RegionHead;
      readonly runs: readonly Run[];
      readonly run: number;
    }
  /** Into guest memory, up against the end of a span of pages that all come in this frame; moved apart when whole. */
  | { readonly what: 'packed'; readonly head: RegionHead; readonly runs: readonly Run[]; readonly at: Run }
  /** Into the staging buffer, to be moved when whole. */
  | {
      readonly what: 'staged';
      readonly head: RegionHead;
      readonly runs: readonly Run[];
      readonly flags: number;
    };

/** Which frames of pages may come now. */
interface Expected {
  /** Pages come for a running guest. */
  readonly isGuestRunning: boolean;
  /** They come with a check, as was agreed. */
  readonly pageChecks: boolean;
}

/** @throws ProtocolError when a frame of pages is of another kind. */
export function checkFlags(
  { flags }: Pick<FrameHeader, 'flags'>,
  { isGuestRunning, pageChecks }: Expected,
): void {
  if (((flags & PUSHED) !== 0) !== isGuestRunning)
    throw new ProtocolError(
      isGuestRunning ? 'PAGES would overwrite a running guest' : 'PAGES are pushed to no running guest',
    );
  if (((flags & CHECKED) !== 0) !== pageChecks)
    throw new ProtocolError(
      pageChecks ? 'PAGES have no check, and one was agreed' : 'PAGES have a check, and none was agreed',
    );
}

const WASM_PAGE_BYTES = 65536;

/** Room for the pages of a region, where they can be hashed. Made when it is needed. */
export class StagedPages {
  #made: { readonly bytes: Buffer; readonly fold: FoldPages } | undefined;

  get bytes(): Buffer {
    return this.#make().bytes;
  }

  get fold(): FoldPages {
    return this.#make().fold;
  }

  #make(): { readonly bytes: Buffer; readonly fold: FoldPages } {
    if (this.#made !== undefined) return this.#made;
    const wasmPages = REGION_BYTES / WASM_PAGE_BYTES;
    // Shared only because the kernels' memory is.
    const memory = new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages, shared: true });
    const kernels = hashKernelsOf(memory);
    this.#made = {
      bytes: Buffer.from(memory.buffer),
      fold: (firstByte, count, before) => kernels.foldPages(firstByte, count, before),
    };
    return this.#made;
  }
}
