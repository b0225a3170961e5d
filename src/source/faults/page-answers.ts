// Answers the requests of one fault connection, one page each, no faster than the connection takes them.
// Knows guest memory and one connection; who called, and what is done with an error, is fault-line.ts's.
import { ProtocolError } from '../../shared/errors.js';
import { FaultCounter } from '../../shared/memory/fault-words.js';
import type { MemoryViews } from '../../shared/memory/layout.js';
import type { PageNumber } from '../../shared/memory/pages.js';
import { pageBytes } from '../../shared/memory/segments.js';
import type { Connection } from '../../shared/wire/connection.js';
import type { Frame } from '../../shared/wire/frames.js';
import { decodeMark, encodePageSent } from '../../shared/wire/page-frames.js';
import type { Pacer } from '../pages/pacer.js';
import { REQUESTS_MAX } from '../../shared/limits.js';

/** What the answers need of a connection. */
export type AnswerConnection = Pick<Connection, 'isOpen' | 'write' | 'pause' | 'resume'>;

/** What the answers need of the guest's memory. */
export type AnswerViews = Pick<MemoryViews, 'segments' | 'pageCount' | 'dirtyWords' | 'faultWords'>;

export class PageAnswers {
  readonly #views: AnswerViews;
  readonly #connection: AnswerConnection;
  readonly #mayAsk: () => boolean;
  readonly #pacer: Pick<Pacer, 'take'> | undefined;
  /** What is outstanding holds back the push. */
  readonly #faults: FaultCounter;
  /** Asked for and not answered yet; at most what one read brought, since no more is read until they are. */
  readonly #wanted: PageNumber[] = [];
  /** Answers that the kernel has not taken. */
  #unsent = 0;
  #isPaused = false;
  /** Answers that the bandwidth holds back, one after the other. */
  #paced = Promise.resolve();

  /** `mayAsk`: whether the guest was handed over with pages to follow. */
  constructor(
    views: AnswerViews,
    connection: AnswerConnection,
    mayAsk: () => boolean,
    pacer: Pick<Pacer, 'take'> | undefined,
  ) {
    this.#views = views;
    this.#connection = connection;
    this.#mayAsk = mayAsk;
    this.#pacer = pacer;
    this.#faults = new FaultCounter(views);
  }

  /**
   * Takes a PAGE_WANTED.
   * @throws ProtocolError when it makes no sense, or comes before the guest was handed over.
   */
  take(frame: Frame): void {
    const page = this.#pageOf(frame);
    this.#wanted.push(page);
    this.#faults.noteAsked(page, this.#outstanding);
    this.#answer();
  }

  get #outstanding(): number {
    return this.#wanted.length + this.#unsent;
  }

  #pageOf({ body }: Frame): PageNumber {
    const [page] = decodeMark(body);
    const { pageCount } = this.#views;
    if (page >= pageCount)
      throw new ProtocolError(`page ${page} lies outside of a guest of ${pageCount} pages`);
    if (!this.#mayAsk())
      throw new ProtocolError(`page ${page} was asked for before the guest was handed over`);
    return page;
  }

  // A peer that does not read its answers is not read any more: they are bounded, and so is what it asks.
  #answer(): void {
    while (this.#unsent < REQUESTS_MAX) {
      const page = this.#wanted.shift();
      if (page === undefined) break;
      this.#unsent++;
      this.#send(page);
    }
    const isBehind = this.#wanted.length > 0;
    if (isBehind === this.#isPaused) return;
    this.#isPaused = isBehind;
    if (isBehind) this.#connection.pause();
    else this.#connection.resume();
  }

  /**
   * Sends pages that nobody asked for. They stay the push's all the same: with a connection that is lost nobody would ask
   * for them again. With a bandwidth to keep none are sent: what is asked for would wait behind them.
   */
  sendAhead(pages: readonly PageNumber[]): void {
    if (pages.length === 0 || this.#pacer !== undefined) return;
    this.#connection.write(pages.map((page) => this.#encode(page)));
  }

  #encode(page: PageNumber): Uint8Array {
    return encodePageSent(page, pageBytes(this.#views, page, page + 1));
  }

  // In order; the guest is gone, so its pages do not change any more.
  #send(page: PageNumber): void {
    const { dirtyWords } = this.#views;
    const answer = this.#encode(page);
    // The push need not bring it any more. Over-pushing is harmless: the destination places a page once.
    Atomics.and(dirtyWords, page >>> 5, ~(1 << (page & 31)));
    const write = (): void => {
      // On a connection that was lost meanwhile the page is asked for again.
      if (this.#connection.isOpen) this.#connection.write([answer], this.#noteSent);
    };
    const pacer = this.#pacer;
    if (pacer === undefined) write();
    else this.#paced = this.#paced.then(() => pacer.take(answer.length)).then(write);
  }

  // Or lost with the connection, which then asks for nothing more.
  readonly #noteSent = (): void => {
    this.#unsent--;
    // The words are those of the newest connection.
    if (!this.#connection.isOpen) return;
    this.#faults.noteAnswered(this.#outstanding);
    this.#answer();
  };
}
