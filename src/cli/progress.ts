// Progress on standard error: a live block on a terminal, plain lines elsewhere. Shows; decides nothing.
import { renderLive, renderPhaseChange, timeLeft } from '../shared/report/progress-lines.js';
import type { Band } from '../shared/report/remaining-time.js';
import type { MigrationSnapshot } from '../source/migrate.js';
import { standardError } from './output.js';

const REFRESH_MS = 100;

export class Progress {
  readonly #out = standardError;
  readonly #beganAt = performance.now();
  #timer: NodeJS.Timeout | undefined;
  #shownLeft: { readonly band: Band; readonly at: number } | undefined;
  #previous: { snapshot: MigrationSnapshot; at: number } | undefined;

  /** A line that stays. */
  say(text: string): void {
    this.#out.say(`${this.#elapsed()}  ${text}`);
  }

  /** On a terminal, one line that is redrawn, until the next or until `stop`. */
  show(text: string): void {
    this.#out.show(text);
  }

  /** Shows how `migration` gets on until `stop`. */
  follow(migration: { readonly snapshot: MigrationSnapshot }): void {
    const show = (): void => {
      this.#show(migration.snapshot);
    };
    this.#timer = setInterval(show, this.#out.isTerminal ? REFRESH_MS : REFRESH_MS / 5);
    show();
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#out.clear();
  }

  #show(snapshot: MigrationSnapshot): void {
    const at = performance.now();
    const before = this.#previous?.snapshot;
    if (snapshot.phase !== before?.phase || snapshot.round !== before.round) {
      const line = renderPhaseChange(snapshot);
      if (line !== undefined) this.say(line);
    }
    if (this.#out.isTerminal) {
      const seconds = this.#previous === undefined ? 0 : (at - this.#previous.at) / 1000;
      const bytes = before === undefined ? 0 : snapshot.sentBytes - before.sentBytes;
      this.#out.show(renderLive(snapshot, seconds > 0 ? bytes / seconds : 0, this.#left(snapshot)));
    }
    this.#previous = { snapshot, at };
  }

  // Never goes up: what was promised is not taken back, it runs out.
  #left(snapshot: MigrationSnapshot): Band | undefined {
    const now = timeLeft(snapshot);
    const at = performance.now();
    const before = this.#shownLeft;
    if (now === undefined) return undefined;
    const passedMs = before === undefined ? 0 : at - before.at;
    const band = {
      lowMs: Math.max(0, Math.min(now.lowMs, (before?.band.lowMs ?? Infinity) - passedMs)),
      highMs: Math.max(0, Math.min(now.highMs, (before?.band.highMs ?? Infinity) - passedMs)),
    };
    this.#shownLeft = { band, at };
    return band;
  }

  #elapsed(): string {
    return `${((performance.now() - this.#beganAt) / 1000).toFixed(2).padStart(7)} s`;
  }
}
