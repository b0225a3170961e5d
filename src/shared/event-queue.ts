// Events in the order in which they came, taken one at a time: what stands between callbacks and a state machine.
// A leaf.

/** Unbounded here, bounded by what feeds it: channels, workers and timers that each have few events under way. */
export class EventQueue<Event> {
  readonly #events: Event[] = [];
  #wake: (() => void) | undefined;

  push(event: Event): void {
    this.#events.push(event);
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Events that were taken and could not be dealt with then: they come again, before those that nobody has taken. */
  putBack(events: readonly Event[]): void {
    this.#events.unshift(...events);
    if (events.length === 0) return;
    this.#wake?.();
    this.#wake = undefined;
  }

  /** Events that nobody has taken yet. */
  get length(): number {
    return this.#events.length;
  }

  /** The oldest event; waits for one. One taker at a time. */
  async next(): Promise<Event> {
    for (;;) {
      const event = this.#events.shift();
      if (event !== undefined) return event;
      await new Promise<void>((resolve) => {
        this.#wake = resolve;
      });
    }
  }
}
