// Which pages that vCPUs wait for are asked of the source now, and which answers were asked for.
// Pure: knows page numbers only, and neither connection nor memory.
import { ProtocolError } from '../../shared/errors.js';
import type { PageNumber } from '../../shared/memory/pages.js';
import { REQUESTS_MAX } from '../../shared/limits.js';

export class WantedPages {
  /** Asked for on the connection in use, and not answered. */
  readonly #asked = new Set<PageNumber>();
  /** To be asked for, the longest wanted first. Each vCPU waits for one page, so there are few. */
  readonly #waiting = new Set<PageNumber>();
  readonly #isAbsent: (page: PageNumber) => boolean;
  readonly #ask: (page: PageNumber) => void;
  #isOpen = false;
  /** Pages that may still come unasked. */
  #aheadLeft = 0;

  /** `isAbsent`: whether nobody has placed a page, or begun to. `ask` asks the source for it. */
  constructor(isAbsent: (page: PageNumber) => boolean, ask: (page: PageNumber) => void) {
    this.#isAbsent = isAbsent;
    this.#ask = ask;
  }

  /**
   * A vCPU waits for `page`; two of them on one page ask once. False when it is not absent any more, or asked for
   * already: then it may have been placed before the vCPU could be found waiting.
   */
  want(page: PageNumber): boolean {
    if (this.#asked.has(page) || this.#waiting.has(page) || !this.#isAbsent(page)) return false;
    this.#waiting.add(page);
    this.#askMore();
    return true;
  }

  /** A connection is welcome: asks for all that is wanted, and again for what the one before did not bring. */
  open(): void {
    this.close();
    this.#isOpen = true;
    this.#askMore();
  }

  /** Nothing can be asked, and nothing that was asked is answered any more. */
  close(): void {
    this.#isOpen = false;
    const later = [...this.#waiting];
    this.#waiting.clear();
    for (const page of [...this.#asked, ...later]) this.#waiting.add(page);
    this.#asked.clear();
  }

  /** The guest is here, and pages follow: so many of them may come unasked. */
  expectAhead(pages: number): void {
    this.#aheadLeft = pages;
  }

  /**
   * The source sent `page`. One that came unasked and was asked for meanwhile comes twice: the second time it is one of
   * those that nobody asked for.
   * @throws ProtocolError when it was not asked for on this connection, or is sent a second time, and no more may come so.
   */
  noteSent(page: PageNumber): void {
    if (this.#asked.delete(page)) this.#askMore();
    else if (this.#aheadLeft-- <= 0) throw new ProtocolError(`page ${page} was sent and not asked for`);
  }

  // What the push has brought meanwhile is not asked for.
  #askMore(): void {
    for (const page of this.#waiting) {
      if (!this.#isOpen || this.#asked.size >= REQUESTS_MAX) return;
      this.#waiting.delete(page);
      if (!this.#isAbsent(page)) continue;
      this.#asked.add(page);
      this.#ask(page);
    }
  }
}
