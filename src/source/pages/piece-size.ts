// How many pages a frame brings at the most: as many as its round may, until connections are cut more often than they
// bring one. Pure: it learns from what had arrived when a connection was cut.
import { REGION_PAGES } from '../../shared/memory/pages.js';

/** What arrived on a connection is cut into so many frames on the next: about so small a share of it is sent twice. */
const FRAMES_A_CONNECTION = 4;

/** Where not one frame arrived, the next are so much smaller: three cuts lead from a region to a page. */
const SHRINKING = 8;

export class PieceSize {
  #pagesMax = REGION_PAGES;
  /** Of the connection under way, as it began. */
  #first = REGION_PAGES;
  #pages = REGION_PAGES;
  #writtenPages = 0;

  /** At most so many pages in the next frame. */
  get pages(): number {
    return this.#pages;
  }

  /** A round begins, whose frames are to be no larger; the connection has brought the one before to its end. */
  beginRound(pagesMax: number): void {
    this.#pagesMax = pagesMax;
    this.#begin(pagesMax);
  }

  /**
   * A frame of so many pages was given to the connection. One that holds gets larger frames by and by; its first region's
   * worth stays as it is, so that a connection which brings less than that is measured by the size that it began with.
   */
  noteWritten(pages: number): void {
    this.#writtenPages += pages;
    if (this.#writtenPages < REGION_PAGES) return;
    this.#writtenPages = 0;
    this.#pages = Math.min(this.#pagesMax, 2 * this.#pages);
  }

  /** The connection was cut when so many pages had arrived on it, in whole frames. */
  noteCut(arrivedPages: number): void {
    this.#begin(
      arrivedPages > 0
        ? Math.min(this.#pagesMax, Math.floor(arrivedPages / FRAMES_A_CONNECTION))
        : Math.floor(this.#first / SHRINKING),
    );
  }

  #begin(pages: number): void {
    this.#first = Math.max(1, pages);
    this.#pages = this.#first;
    this.#writtenPages = 0;
  }
}
