// Caps a connection's bandwidth smoothly: a token bucket that fills at the capped rate and holds little.
// Knows time and bytes only.
import { monotonicUs } from '../../shared/clock.js';
import { sleep } from '../../shared/timers.js';

/** So much may go out at once after a pause; more would be a burst that a real link does not let through. */
const BURST_MS = 4;
/** Pieces are no smaller than this: each costs a timer. */
const PIECE_BYTES_MIN = 16 * 1024;

export class Pacer {
  readonly #bytesPerUs: number;
  /** What is sent should be cut into pieces of at most so many bytes, each taken by itself. */
  readonly pieceBytes: number;
  /** When everything taken so far will have gone out at the capped rate. */
  #clearAt = 0;

  constructor(bytesPerSecond: number) {
    this.#bytesPerUs = bytesPerSecond / 1e6;
    // On a slow link a piece takes no longer than a second: what stands still longer than that looks like a stall.
    const smallest = Math.max(1, Math.min(PIECE_BYTES_MIN, Math.floor(bytesPerSecond)));
    this.pieceBytes = Math.max(smallest, Math.floor((bytesPerSecond * BURST_MS) / 1000));
  }

  /** Resolves when `bytes` more may be sent. */
  async take(bytes: number): Promise<void> {
    const now = monotonicUs();
    const from = Math.max(this.#clearAt, now - BURST_MS * 1000);
    this.#clearAt = from + bytes / this.#bytesPerUs;
    const waitMs = (from - now) / 1000;
    if (waitMs > 0) await sleep(waitMs);
  }
}

/** `parts` cut into pieces of at most `bytesMax`, in order; nothing is copied. */
export function piecesOf(parts: readonly Uint8Array[], bytesMax: number): Uint8Array[] {
  const pieces: Uint8Array[] = [];
  for (const part of parts) {
    for (let from = 0; from < part.length; from += bytesMax)
      pieces.push(part.subarray(from, from + bytesMax));
  }
  return pieces;
}
