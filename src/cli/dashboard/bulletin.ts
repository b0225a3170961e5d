// A number that grows whenever there is something new, and a way to wait for it to grow.
// A leaf: whoever waits looks for itself what is new.

export class Bulletin {
  readonly #waiting = new Set<() => void>();
  #issue = 0;

  /** Grows with every `publish`. */
  get issue(): number {
    return this.#issue;
  }

  publish(): void {
    this.#issue++;
    for (const wake of [...this.#waiting]) wake();
  }

  /** Resolves when there is a later issue than `seen`, at once if there is, or after `msMax`. */
  async after(seen: number, msMax: number): Promise<void> {
    if (this.#issue !== seen) return;
    await new Promise<void>((resolve) => {
      const wake = (): void => {
        clearTimeout(timer);
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = setTimeout(wake, msMax);
      this.#waiting.add(wake);
    });
  }
}
