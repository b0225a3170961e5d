// Says which callers were dropped and why, a few at a time: a flood of them fills no log.
// Knows a clock and where to say it; why they were dropped is the door's.

/** So many are said each by itself, within so long. */
export const SAID_MAX = 10;
export const SAID_WITHIN_MS = 10_000;

export class DroppedCallers {
  readonly #say: (from: string, text: string) => void;
  readonly #nowMs: () => number;
  #sinceMs = -Infinity;
  #said = 0;
  #unsaid = 0;

  constructor(say: (from: string, text: string) => void, nowMs: () => number) {
    this.#say = say;
    this.#nowMs = nowMs;
  }

  note(from: string, why: string): void {
    const nowMs = this.#nowMs();
    if (nowMs - this.#sinceMs >= SAID_WITHIN_MS) {
      this.#sinceMs = nowMs;
      this.#said = 0;
    }
    if (this.#said >= SAID_MAX) {
      this.#unsaid++;
      return;
    }
    this.#said++;
    const others = this.#unsaid === 0 ? '' : `; ${this.#unsaid} others were before it, and not told of`;
    this.#unsaid = 0;
    this.#say(from, `a connection was dropped: ${why}${others}`);
  }
}
