// The time between two slices that is the machine's doing: what a vCPU slept because it was asked to is no gap, what it
// slept longer than that is one. Knows instants.

export class SliceGap {
  /** Where the gap begins: the end of the slice, later by what was asked to be slept; undefined after a park. */
  #from: number | undefined;

  /** A slice has ended at `us`. */
  sliceEnded(us: number): void {
    this.#from = us;
  }

  /** A sleep of `askedUs` took `sleptUs`: less when it was woken for a command, more when its wake-up came late. */
  slept(askedUs: number, sleptUs: number): void {
    if (this.#from !== undefined) this.#from += Math.min(askedUs, sleptUs);
  }

  /** The guest was parked: how long is not the machine's doing. */
  parked(): void {
    this.#from = undefined;
  }

  /** The gap as of `us`; undefined when there is none. */
  at(us: number): number | undefined {
    return this.#from === undefined ? undefined : us - this.#from;
  }
}
