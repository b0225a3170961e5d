// A number that grows whenever there is something new, and a way to wait for it to grow.
// Whoever waits looks for itself what is new.
import { after } from '../../shared/timers.js';

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
        timer.cancel();
        this.#waiting.delete(wake);
        resolve();
      };
      const timer = after(msMax, wake);
      this.#waiting.add(wake);
    });
  }
}
