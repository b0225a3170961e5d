// The check of a frame's pages, taken as they come in, while they are in the processor's cache still.
// Knows hashes; where the pages are written is the receiver's.
import { ProtocolError } from '../../shared/errors.js';
import { NO_PAGES } from '../../shared/memory/page-hashes.js';
import { PAGE_BYTES } from '../../shared/memory/pages.js';

/** Mixes the hashes of `count` pages, the first of which begins `firstByte` bytes behind a target's beginning, into `fold`. */
export type FoldPages = (firstByte: number, count: number, fold: bigint) => bigint;

export class FrameCheck {
  #promised: bigint | undefined;
  #fold = NO_PAGES;
  #foldPages: FoldPages | undefined;
  #foldedBytes = 0;

  /** A frame begins; `promised`: the check in its head, undefined where it has none, and between frames. */
  begin(promised?: bigint): void {
    this.#promised = promised;
    this.#fold = NO_PAGES;
    this.#foldPages = undefined;
  }

  /** The next of its pages come to another place. */
  goOnAt(foldPages: FoldPages): void {
    this.#foldPages = foldPages;
    this.#foldedBytes = 0;
  }

  /** So many bytes of that place have come. */
  came(filledBytes: number): void {
    if (this.#promised === undefined || this.#foldPages === undefined) return;
    const count = Math.floor((filledBytes - this.#foldedBytes) / PAGE_BYTES);
    if (count === 0) return;
    this.#fold = this.#foldPages(this.#foldedBytes, count, this.#fold);
    this.#foldedBytes += count * PAGE_BYTES;
  }

  /** @throws ProtocolError when the pages that came are not those that the check was taken of. */
  verify(): void {
    const isRight = this.#promised === undefined || this.#fold === this.#promised;
    this.begin();
    if (!isRight) throw new ProtocolError('the pages of a region were damaged on their way');
  }
}
