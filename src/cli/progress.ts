// Progress on standard error: a live line on a terminal, plain lines elsewhere. Shows; decides nothing.
// All lines of a command are on one clock; those of the demo's destination are on the demo's, and say whose they are.
import { renderLive, renderPhaseChange, renderWait, timeLeft } from '../report/progress-lines.js';
import type { Band } from '../report/comparison/remaining-time.js';
import type { MigrationSnapshot } from '../source/snapshot.js';
import { borrowedTerminal } from './borrowed-terminal.js';
import { standardError, type StandardError } from './output.js';

const REFRESH_MS = 100;
/** The rate is the mean of so many redrawings: a region is gone in one, and the next takes ten. */
const RATE_SPAN = 20;

interface Sent {
  readonly at: number;
  readonly bytes: number;
}

export class Progress {
  readonly #out: StandardError;
  #timer: NodeJS.Timeout | undefined;
  #shownLeft: { readonly band: Band; readonly at: number } | undefined;
  #said = '';
  #phase = { name: '', from: 0 };
  #sent: readonly Sent[] = [];
  #tick = 0;

  constructor(out: StandardError = standardError) {
    this.#out = out;
  }

  /** A line that stays. */
  say(text: string): void {
    const seconds = ((Date.now() - borrowedTerminal.beganAt) / 1000).toFixed(2).padStart(7);
    this.#out.say(`${seconds} s  ${borrowedTerminal.label}${text}`);
  }

  /** On a terminal, one line that is redrawn, until the next or until `stop`. */
  show(text: string): void {
    this.#out.show(text);
  }

  /** Shows that `what` is waited for, until `stop`. */
  wait(what: string): void {
    this.stop();
    if (!this.#out.isTerminal) return;
    const from = performance.now();
    const show = (): void => {
      this.#out.show(renderWait(what, this.#tick++, performance.now() - from));
    };
    this.#timer = setInterval(show, REFRESH_MS);
    show();
  }

  /** Shows how `migration` gets on until `stop`. */
  follow(migration: { readonly snapshot: MigrationSnapshot }): void {
    this.stop();
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
    const { phase, round, sentBytes } = snapshot;
    const at = performance.now();
    if (phase !== this.#phase.name) this.#phase = { name: phase, from: at };
    // A round is news while it is copied; after that, its number is only the count of what was measured.
    const news = phase === 'copying' ? `round ${round}` : phase === 'handing-over' ? 'stopping' : phase;
    if (news !== this.#said) {
      this.#said = news;
      const line = renderPhaseChange(snapshot);
      if (line !== undefined) this.say(line);
    }
    if (!this.#out.isTerminal) return;
    if (phase === 'ended') {
      this.#out.clear();
      return;
    }
    this.#sent = [...this.#sent.slice(-RATE_SPAN), { at, bytes: sentBytes }];
    const oldest = this.#sent[0]!;
    const seconds = (at - oldest.at) / 1000;
    this.#out.show(
      renderLive(snapshot, {
        tick: this.#tick++,
        phaseMs: at - this.#phase.from,
        bytesPerSecond: seconds > 0 ? (sentBytes - oldest.bytes) / seconds : 0,
        left: this.#left(snapshot),
        columns: this.#out.columns,
      }),
    );
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
}
