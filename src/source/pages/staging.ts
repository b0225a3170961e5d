// Copies of pages on their way to a connection: what is queued there is read later, when the guest may have stored to it, and
// would not fit its check any more. One buffer, filled in a ring. Knows bytes; whose they are is the writer's.
import { assert } from '../../shared/errors.js';
import type { WaterMarks } from '../../shared/limits.js';
import { hashKernelsOf, NO_PAGES, type HashKernels } from '../../shared/memory/page-hashes.js';
import { PAGE_BYTES, REGION_BYTES } from '../../shared/memory/pages.js';

/** Copied and hashed in such parts: then what is hashed is in the cache still. */
const PART_BYTES = 64 * 1024;

const WASM_PAGE_BYTES = 65536;

/** Bytes that were staged, and the check of their pages. */
export interface Staged {
  readonly bytes: Buffer;
  readonly check: bigint;
}

/** Where a frame lies that the kernel has not taken: [from, until) of the buffer. */
interface Place {
  readonly from: number;
  readonly until: number;
}

export class Staging {
  readonly #kernels: HashKernels;
  readonly #buffer: Buffer;
  /** The oldest first: the kernel takes them in the order in which they were queued. */
  #places: Place[] = [];
  #makeRoom: () => void = () => undefined;

  /** Room for what is queued by `marks`, for a frame beside it, and for what the end of the ring may waste. */
  constructor({ highBytes }: WaterMarks) {
    const wasmPages = Math.ceil((highBytes + 3 * REGION_BYTES) / WASM_PAGE_BYTES);
    // Shared only because the kernels' memory is.
    const memory = new WebAssembly.Memory({ initial: wasmPages, maximum: wasmPages, shared: true });
    this.#kernels = hashKernelsOf(memory);
    this.#buffer = Buffer.from(memory.buffer);
  }

  /** Whether a frame of any size has room. */
  get hasRoom(): boolean {
    return this.#placeFor(REGION_BYTES) !== undefined;
  }

  /** Resolves when a frame was taken or all were forgotten; then there may be room. */
  changed(): Promise<void> {
    return new Promise((resolve) => {
      this.#makeRoom = resolve;
    });
  }

  /** Copies whole pages one behind the other, where they stay until they are `taken`. */
  stage(pages: readonly Uint8Array[], byteCount: number): Staged {
    const place = this.#placeFor(byteCount);
    assert(place !== undefined, 'a frame is staged where there is room for it');
    this.#places.push(place);
    let at = place.from;
    let check = NO_PAGES;
    for (const run of pages) {
      for (let from = 0; from < run.length; from += PART_BYTES) {
        const part = run.subarray(from, from + PART_BYTES);
        this.#buffer.set(part, at);
        check = this.#kernels.foldPages(at, part.length / PAGE_BYTES, check);
        at += part.length;
      }
    }
    return { bytes: this.#buffer.subarray(place.from, place.until), check };
  }

  /** The kernel has the oldest frame. */
  taken(): void {
    this.#places.shift();
    this.#makeRoom();
  }

  /** The connection is lost: nothing that is staged is read any more. */
  forget(): void {
    this.#places = [];
    this.#makeRoom();
  }

  #placeFor(byteCount: number): Place | undefined {
    const oldest = this.#places[0];
    const newest = this.#places.at(-1);
    if (oldest === undefined || newest === undefined) return { from: 0, until: byteCount };
    const at = (from: number): Place => ({ from, until: from + byteCount });
    const behind = at(newest.until);
    const isWrapped = newest.from < oldest.from;
    if (isWrapped) return behind.until <= oldest.from ? behind : undefined;
    if (behind.until <= this.#buffer.length) return behind;
    return byteCount <= oldest.from ? at(0) : undefined;
  }
}
