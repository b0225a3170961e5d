// A private second memory, filled page by page as pre-copy would fill the destination's.
// Knows pages and bitmaps; nothing of rounds, threads or networks.
import { viewMemory, type MemoryHandle, type MemoryViews } from '../../src/shared/memory/layout.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';

export class DestinationCopy {
  readonly pageCount: number;
  /** What the last harvest took. */
  readonly dirty: PageBitmap;
  readonly #source: MemoryViews;
  readonly #bytes: Uint8Array;

  constructor(memory: MemoryHandle) {
    this.#source = viewMemory(memory);
    this.pageCount = this.#source.pageCount;
    this.dirty = new PageBitmap(this.pageCount, this.#source.dirtyWords);
    this.#bytes = new Uint8Array(memory.memoryBytes);
  }

  get pageTable(): Uint8Array<SharedArrayBuffer> {
    return this.#source.pageTable;
  }

  /** Copies the pages of `bitmap` as they are now; answers how many. */
  copy(bitmap: PageBitmap = this.dirty): number {
    let copied = 0;
    for (let run = bitmap.nextRun(0); run !== undefined; run = bitmap.nextRun(run[1])) {
      const [from, to] = [run[0] * PAGE_BYTES, run[1] * PAGE_BYTES];
      this.#bytes.set(this.#source.segments[0]!.bytes.subarray(from, to), from);
      copied += run[1] - run[0];
    }
    return copied;
  }

  /** Pages that are not what the source's memory holds, byte by byte. */
  differingPages(): number[] {
    return Array.from({ length: this.pageCount }, (_, page) => page).filter((page) => {
      const [from, to] = [page * PAGE_BYTES, (page + 1) * PAGE_BYTES];
      return (
        Buffer.compare(this.#bytes.subarray(from, to), this.#source.segments[0]!.bytes.subarray(from, to)) !==
        0
      );
    });
  }
}
