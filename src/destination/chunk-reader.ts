// A raw bitmap of the whole address space, put together from its chunks as they come.
// Knows words and regions; what becomes of the pages is take-over.ts.
import { ProtocolError } from '../shared/errors.js';
import { PageBitmap } from '../shared/memory/page-bitmap.js';
import { REGION_BYTES, REGION_WORDS } from '../shared/memory/pages.js';
import {
  CHUNK_BYTES,
  CHUNK_REGIONS,
  chunksOf,
  CLEAR_CHUNK,
  type SpaceViews,
} from '../shared/memory/space-bitmap.js';

/** Puts chunks together again, in their order, as they come: a set of pages that are numbered by slots. */
export class ChunkReader {
  readonly #chunkCount: number;
  readonly #memoryBytes: number;
  readonly #slotOf: (region: number) => number;
  readonly #aligned = new Int32Array(CHUNK_BYTES / 4);
  readonly #pages: PageBitmap;
  #taken = 0;

  /** `slotOf`: the slot of a region, 0 when it has none. */
  constructor({ memoryBytes, pageCount }: SpaceViews, slotOf: (region: number) => number) {
    this.#chunkCount = chunksOf(memoryBytes);
    this.#memoryBytes = memoryBytes;
    this.#slotOf = slotOf;
    this.#pages = new PageBitmap(pageCount);
  }

  /** @throws ProtocolError when it is one too many, has not its length, or names a page of a region without a slot. */
  take(chunk: Uint8Array): void {
    if (this.#taken >= this.#chunkCount)
      throw new ProtocolError(
        `the address space has ${this.#chunkCount} chunks of a bitmap, and one more came`,
      );
    if (chunk.length !== CHUNK_BYTES)
      throw new ProtocolError(`a chunk of a bitmap has ${CHUNK_BYTES} bytes, not ${chunk.length}`);
    const firstRegion = this.#taken++ * CHUNK_REGIONS;
    if (Buffer.compare(chunk, CLEAR_CHUNK) === 0) return;
    new Uint8Array(this.#aligned.buffer).set(chunk);
    for (let word = 0; word < this.#aligned.length; word++) {
      if (this.#aligned[word] === 0) continue;
      const inChunk = Math.floor(word / REGION_WORDS);
      this.#takeRegion(firstRegion + inChunk, inChunk * REGION_WORDS);
      word = (inChunk + 1) * REGION_WORDS - 1;
    }
  }

  #takeRegion(region: number, from: number): void {
    const slot = region * REGION_BYTES < this.#memoryBytes ? this.#slotOf(region) : 0;
    if (slot === 0)
      throw new ProtocolError(`the bitmap names pages of region ${region}, of which the guest has none`);
    this.#pages.words.set(this.#aligned.subarray(from, from + REGION_WORDS), slot * REGION_WORDS);
  }

  /** Chunks that have come. */
  get count(): number {
    return this.#taken;
  }

  /** @throws ProtocolError when not all chunks have come. */
  get pages(): PageBitmap {
    if (this.#taken !== this.#chunkCount)
      throw new ProtocolError(
        `${this.#taken} chunks of a bitmap came; the address space has ${this.#chunkCount}`,
      );
    return this.#pages;
  }
}
