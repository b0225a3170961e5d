// Events that any number of readers iterate over, each from the first, as fast as it likes.
// Knows no event; what passed too long ago for a slow reader is dropped.

/** So many are kept for readers that are behind, or come late. */
const EVENTS_KEPT_MAX = 4096;

interface Kept<Event> {
  readonly number: number;
  readonly event: Event;
}

export class EventStream<Event> implements AsyncIterable<Event> {
  readonly #supersedes: (newer: Event, older: Event) => boolean;
  #kept: Kept<Event>[] = [];
  #count = 0;
  #end: { readonly failure: Error | undefined } | undefined;
  #wake: () => void = () => undefined;
  #changed = this.#nextChange();

  /** `supersedes`: whether who has not read the last event yet need not any more, once there is a newer one. */
  constructor(supersedes: (newer: Event, older: Event) => boolean = () => false) {
    this.#supersedes = supersedes;
  }

  push(event: Event): void {
    if (this.#end !== undefined) return;
    const last = this.#kept.at(-1);
    if (last !== undefined && this.#supersedes(event, last.event)) this.#kept.pop();
    this.#kept.push({ number: this.#count++, event });
    if (this.#kept.length > EVENTS_KEPT_MAX) this.#kept.shift();
    this.#tellReaders();
  }

  /** There are no more; readers that have read all are done, or get `failure` thrown. */
  end(failure?: Error): void {
    this.#end ??= { failure };
    this.#tellReaders();
  }

  async *[Symbol.asyncIterator](): AsyncIterator<Event, undefined> {
    let read = -1;
    for (;;) {
      const next = this.#after(read);
      if (next !== undefined) {
        read = next.number;
        yield next.event;
      } else if (this.#end !== undefined) {
        if (this.#end.failure !== undefined) throw this.#end.failure;
        return;
      } else {
        await this.#changed;
      }
    }
  }

  // Readers are hardly ever far behind.
  #after(number: number): Kept<Event> | undefined {
    let at = this.#kept.length;
    while (at > 0 && this.#kept[at - 1]!.number > number) at--;
    return this.#kept[at];
  }

  #nextChange(): Promise<void> {
    return new Promise((resolve) => {
      this.#wake = resolve;
    });
  }

  #tellReaders(): void {
    const wake = this.#wake;
    this.#changed = this.#nextChange();
    wake();
  }
}
