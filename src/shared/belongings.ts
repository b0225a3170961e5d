// What an asynchronous set-up has made so far. The end may come at any of its awaits: then all that it made is closed,
// and what it makes after that is closed at once. A leaf.
import { MicrostunError } from './errors.js';

/** Closes something; resolves when it is closed. */
type Close = () => unknown;

export class Belongings {
  readonly #closes: Close[] = [];
  readonly #end = new AbortController();
  #closing: Promise<unknown>[] = [];

  /** Whether the end has come. */
  get hasEnded(): boolean {
    return this.#end.signal.aborted;
  }

  /**
   * Takes over what was just made, to be closed with `close`.
   * @throws MicrostunError CANCELLED when the end has come: it is being closed then.
   */
  own<T>(made: T, close: (made: T) => unknown): T {
    if (this.hasEnded) {
      this.#close(() => close(made));
      throw endedError();
    }
    this.#closes.push(() => close(made));
    return made;
  }

  /**
   * Waits for `work`, but not past the end: what it makes must be owned before.
   * @throws MicrostunError CANCELLED as soon as the end comes; what `work` throws.
   */
  wait<T>(work: Promise<T>): Promise<T> {
    const { signal } = this.#end;
    return new Promise((resolve, reject) => {
      const onEnd = (): void => {
        reject(endedError());
      };
      if (signal.aborted) onEnd();
      signal.addEventListener('abort', onEnd, { once: true });
      void work.then(resolve, reject).finally(() => {
        signal.removeEventListener('abort', onEnd);
      });
    });
  }

  /** The end: closes everything, all at once. Resolves when everything is closed; may be called again. */
  async close(): Promise<void> {
    this.#end.abort();
    for (const close of this.#closes.splice(0)) this.#close(close);
    // What is made after the end joins the list while it is waited for.
    while (this.#closing.length > 0) await Promise.all(this.#closing.splice(0));
  }

  /** As `close`, but one after the other, in the order in which they were made. */
  async closeInTurn(): Promise<void> {
    this.#end.abort();
    for (let close = this.#closes.shift(); close !== undefined; close = this.#closes.shift()) {
      this.#close(close);
      // What fails is thrown at the end.
      await Promise.allSettled(this.#closing);
    }
    await this.close();
  }

  #close(close: Close): void {
    const closed = (async (): Promise<void> => {
      await close();
    })();
    // Whoever waits for the end hears of it.
    closed.catch(() => undefined);
    this.#closing.push(closed);
  }
}

function endedError(): MicrostunError {
  return new MicrostunError('CANCELLED', 'the end came while it was being set up');
}
