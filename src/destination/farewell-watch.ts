// Whether a source whose farewell is overdue was heard of meanwhile, though not on its control connection.
// Opens no connection; counts pages and looks at the clock.
import type { IncomingPages } from './hands.js';

/** A timer that is so much late was held up: the process, or its host, stood still. */
const SLEPT_US = 1_000_000;

/** One wait for a farewell. */
export class FarewellWatch {
  readonly #pages: Pick<IncomingPages, 'lackingPages'>;
  readonly #lackedPages: number;
  readonly #dueAt: number;

  /** Begins at `nowUs` and is due after `ms`. */
  constructor(pages: Pick<IncomingPages, 'lackingPages'>, nowUs: number, ms: number) {
    this.#pages = pages;
    this.#lackedPages = pages.lackingPages;
    this.#dueAt = nowUs + ms * 1000;
  }

  /** Pages come over connections of their own. And whoever was stopped could hear nothing: what is queued comes now. */
  isSourceHeard(nowUs: number): boolean {
    return this.#pages.lackingPages !== this.#lackedPages || nowUs - this.#dueAt > SLEPT_US;
  }
}
