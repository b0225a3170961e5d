// How long the rest of a comparison will take, as a band, from how long its runs took so far. It never goes up.
// Knows turns and their durations; neither clocks nor how it is shown.

/** A band of milliseconds. */
export interface Band {
  readonly lowMs: number;
  readonly highMs: number;
}

/** What a setting that has not had a turn may take, against the quickest and the slowest of the others. */
const UNSEEN_LOW = 0.75;
const UNSEEN_HIGH = 2;

/** What turns took so far: there may be more of them than a call takes arguments. */
interface Took {
  readonly turns: number;
  readonly lowestMs: number;
  readonly highestMs: number;
}

const NEVER: Took = { turns: 0, lowestMs: Infinity, highestMs: 0 };

function joinRanges(all: readonly Took[]): Took {
  return all.reduce(
    (joined, one) => ({
      turns: joined.turns + one.turns,
      lowestMs: Math.min(joined.lowestMs, one.lowestMs),
      highestMs: Math.max(joined.highestMs, one.highestMs),
    }),
    NEVER,
  );
}

export class RemainingTime {
  readonly #took: Took[];
  readonly #turnsLeft: number[];
  #shown: Band | undefined;

  constructor(settings: number, runs: number) {
    this.#took = Array.from({ length: settings }, () => NEVER);
    this.#turnsLeft = new Array<number>(settings).fill(runs);
  }

  /** A turn of `setting` has ended, well or not. */
  ended(setting: number, tookMs: number): void {
    const turn: Took = { turns: 1, lowestMs: tookMs, highestMs: tookMs };
    this.#took[setting] = joinRanges([this.#took[setting]!, turn]);
    this.#turnsLeft[setting]!--;
  }

  /** What is left when the turn under way has taken `elapsedMs`; undefined before the first turn has ended. */
  band(elapsedMs: number): Band | undefined {
    const all = joinRanges(this.#took);
    if (all.turns === 0) return undefined;
    let lowMs = 0;
    let highMs = 0;
    for (const [setting, turns] of this.#turnsLeft.entries()) {
      const own = this.#took[setting]!;
      const isSeen = own.turns > 0;
      const { lowestMs, highestMs } = isSeen ? own : all;
      lowMs += turns * lowestMs * (isSeen ? 1 : UNSEEN_LOW);
      // The slowest of few is not the slowest of many.
      highMs += turns * highestMs * (isSeen ? 1 + 0.5 / own.turns : UNSEEN_HIGH);
    }
    const before = this.#shown ?? { lowMs: Infinity, highMs: Infinity };
    this.#shown = {
      lowMs: Math.min(before.lowMs, Math.max(0, lowMs - elapsedMs)),
      highMs: Math.min(before.highMs, Math.max(0, highMs - elapsedMs)),
    };
    return this.#shown;
  }
}

/** "40 to 55 s left", "3 to 4 min left". */
export function renderBand({ lowMs, highMs }: Band): string {
  const [unitMs, unit] =
    highMs < 99_500 ? [1000, 's'] : highMs < 99.5 * 60_000 ? [60_000, 'min'] : [3_600_000, 'h'];
  const low = Math.floor(lowMs / unitMs);
  const high = Math.ceil(highMs / unitMs);
  return low === high ? `${high} ${unit} left` : `${low} to ${high} ${unit} left`;
}
