// A guest that runs elsewhere, by samples that come in later and at another pace than those of this host.
// Pure.

/** The guest there at an instant of this host's time. */
export interface RemoteSample {
  readonly atMs: number;
  readonly pages: number;
  readonly longestStallUs: number;
}

/** Samples that are kept: some seconds of them. */
const SAMPLES_KEPT = 400;

export class RemoteGuest {
  #samples: RemoteSample[] = [];

  /** Takes a sample that is later than those before. */
  note(sample: RemoteSample): void {
    this.#samples = [...this.#samples, sample].slice(-SAMPLES_KEPT);
  }

  /**
   * The guest as of `toMs`, with its pages on a straight line between two samples, and its longest stall since `fromMs`;
   * undefined where that is not known, or not yet.
   */
  between(fromMs: number, toMs: number): RemoteSample | undefined {
    const at = this.#samples.findIndex(({ atMs }) => atMs >= toMs);
    const next = this.#samples[at];
    const before = this.#samples[at - 1];
    if (next === undefined) return undefined;
    if (before === undefined) return next.atMs === toMs ? next : undefined;
    const share = (toMs - before.atMs) / (next.atMs - before.atMs);
    const stalls = this.#samples
      .filter(({ atMs }) => atMs > fromMs && atMs <= toMs)
      .map(({ longestStallUs }) => longestStallUs);
    return {
      atMs: toMs,
      pages: before.pages + share * (next.pages - before.pages),
      longestStallUs: stalls.length === 0 ? next.longestStallUs : Math.max(...stalls),
    };
  }
}
