// Named one-shot timers of a state machine's driver.
// A leaf.

export class Timers<Name extends string> {
  readonly #timers = new Map<Name, NodeJS.Timeout>();
  readonly #fired: (name: Name) => void;

  constructor(fired: (name: Name) => void) {
    this.#fired = fired;
  }

  /** Starts `name`, or starts it anew. */
  arm(name: Name, ms: number): void {
    this.disarm(name);
    this.#timers.set(
      name,
      setTimeout(() => {
        this.#timers.delete(name);
        this.#fired(name);
      }, ms),
    );
  }

  disarm(name: Name): void {
    clearTimeout(this.#timers.get(name));
    this.#timers.delete(name);
  }

  disarmAll(): void {
    for (const name of [...this.#timers.keys()]) this.disarm(name);
  }
}
