// One connection's part of the bitmap of pages that came in the newest round: what a hand-over is compared with.
// Regions belong to one connection each, so no two connections write the same word.
import type { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { REGION_WORDS } from '../../shared/memory/pages.js';
import type { RegionHead } from '../../shared/wire/page-frames.js';
import type { ConnectionShare } from './incoming-round.js';

export class NewestPages {
  readonly #bitmap: PageBitmap;
  readonly #share: ConnectionShare;
  /** The round that the connection's words are of; nothing is in them before the first. */
  #round = -1;
  #isEmpty = true;

  constructor(bitmap: PageBitmap, share: ConnectionShare) {
    this.#bitmap = bitmap;
    this.#share = share;
  }

  /** The pages of a region are placed. */
  add({ round, region, sent, zero }: RegionHead): void {
    this.begin(round);
    this.#isEmpty = false;
    const from = region * REGION_WORDS;
    const pastLast = Math.min(this.#bitmap.words.length, from + REGION_WORDS);
    for (let word = from; word < pastLast; word++)
      this.#bitmap.words[word]! |= sent[word - from]! | zero[word - from]!;
  }

  /** Forgets the pages of rounds before this one. */
  begin(round: number): void {
    if (this.#round === round) return;
    this.#round = round;
    if (this.#isEmpty) return;
    const { words } = this.#bitmap;
    const step = this.#share.receivers * REGION_WORDS;
    for (let from = this.#share.index * REGION_WORDS; from < words.length; from += step)
      words.fill(0, from, from + REGION_WORDS);
    this.#isEmpty = true;
  }
}
