// A copier: sends its share of a round's regions over one page connection and waits until they are placed. When the
// connection is cut it goes on over the next one, behind what arrived and in smaller pieces.
// Knows regions and rounds; the connection is page-line.ts's. Runs on a copier worker's thread.
import { MicrostunError, ProtocolError } from '../../shared/errors.js';
import type { MemoryViews } from '../../shared/memory/layout.js';
import { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { PAGE_BYTES, REGION_PAGES } from '../../shared/memory/pages.js';
import type { Connection } from '../../shared/wire/connection.js';
import type { Frame } from '../../shared/wire/frames.js';
import { decodeMark, encodeMark } from '../../shared/wire/page-frames.js';
import type { CopierWords } from './copier-words.js';
import { PageLine, type ArrivedSoFar, type ConnectionBytes } from './page-line.js';
import { PieceSize } from './piece-size.js';
import { RegionWriter } from './region-writer.js';

/** What one connection carried of a round. */
export interface RoundShare {
  readonly round: number;
  readonly sentPages: number;
  readonly zeroPages: number;
  /** Bytes of frames around the pages, with the zero pages' bits. */
  readonly framingBytes: number;
}

/** Who counts what is sent, and may stop a round. */
export type RoundProgress = Pick<CopierWords, 'count' | 'isStopped'>;

/**
 * Regions `first`, `first + stride`, …: a region always travels on the same connection, so an older copy of a page never
 * overtakes a newer one.
 */
export interface CopierRegions {
  readonly first: number;
  readonly stride: number;
}

/** Where a copier goes on: at a page of a region. */
interface Place {
  readonly region: number;
  readonly from: number;
}

/** A frame of the round that was written: a region, or a piece of one. */
interface SentFrame extends Place {
  readonly sentPages: number;
  readonly zeroPages: number;
  readonly framingBytes: number;
}

export class Copier {
  readonly #views: MemoryViews;
  readonly #regions: CopierRegions;
  readonly #writer: RegionWriter;
  readonly #dirty: PageBitmap;
  readonly #line: PageLine;
  readonly #pieces = new PieceSize();
  #placed: ((round: number, pages: number) => void) | undefined;

  /** `bytesPerSecond` caps what this connection sends; undefined: as fast as it goes. */
  constructor(
    views: MemoryViews,
    regions: CopierRegions,
    bytesPerSecond: number | undefined,
    onLost: (error: MicrostunError) => void,
  ) {
    this.#views = views;
    this.#regions = regions;
    this.#writer = new RegionWriter(views);
    this.#dirty = new PageBitmap(views.pageCount, views.dirtyWords);
    this.#line = new PageLine(bytesPerSecond, {
      received: (frame) => {
        this.#receive(frame);
      },
      lost: onLost,
    });
  }

  /** Takes a greeted connection, the first or the next. */
  attach(connection: Connection, hello: ArrivedSoFar): void {
    this.#line.attach(connection, hello);
  }

  get bytes(): ConnectionBytes {
    return this.#line.bytes;
  }

  get movedBytes(): number {
    return this.#line.movedBytes;
  }

  /** Says no more; the connection ends in order. */
  end(): void {
    this.#line.end();
  }

  /**
   * Sends its share of the pages in the shared dirty bitmap. Resolves when the destination has placed them all, over as
   * many connections as it takes. A round that `progress` stops ends before its next region.
   *
   * Of a round that is copied while the guest runs, the pages that were placed leave the dirty bitmap: what is in it
   * afterwards was not sent.
   */
  async copyRound(round: number, flags: number, progress: RoundProgress): Promise<RoundShare> {
    const stopWatching = this.#line.watchForStall();
    try {
      return await this.#copyWatched(round, flags, progress);
    } finally {
      stopWatching();
    }
  }

  async #copyWatched(round: number, flags: number, progress: RoundProgress): Promise<RoundShare> {
    const { first, stride } = this.#regions;
    const sent: SentFrame[] = [];
    const share = (moreFramingBytes: number): RoundShare => {
      this.#pieces.noteRoundPlaced();
      if (flags === 0) for (const { region } of sent) this.#forgetRegion(region);
      return this.#share(round, sent, moreFramingBytes);
    };
    let next: Place = { region: first, from: 0 };
    let sentAgainFramingBytes = 0;
    let arrivedBefore = 0;
    for (;;) {
      const line = await this.#line.connected();
      try {
        while (next.region < this.#views.regionCount) {
          // A region that has begun is ended: its pages leave the dirty bitmap together.
          if (next.from === 0 && progress.isStopped(round)) break;
          const place: Place = next;
          const frame = this.#writer.frame(
            this.#dirty,
            round,
            place.region,
            flags,
            place.from,
            this.#pieces.pages,
          );
          next =
            frame === undefined || frame.pastLast === REGION_PAGES
              ? { region: place.region + stride, from: 0 }
              : { region: place.region, from: frame.pastLast };
          if (frame === undefined) continue;
          const { sentPages, zeroPages, frameBytes } = frame;
          sent.push({ ...place, sentPages, zeroPages, framingBytes: frameBytes - sentPages * PAGE_BYTES });
          this.#pieces.noteWritten(sentPages);
          await this.#line.write(line, frame.parts);
          progress.count(sentPages + zeroPages, frameBytes);
        }
        const pages = sum(sent, (one) => one.sentPages + one.zeroPages);
        const end = encodeMark('ROUND_END', round, pages);
        const placed = this.#awaitPlaced(round, pages);
        await this.#line.write(line, [end]);
        await Promise.race([placed, line.lost]);
        return share(sentAgainFramingBytes + end.length);
      } catch (error) {
        if (!(error instanceof MicrostunError) || error.code !== 'CONNECTION_LOST') throw error;
        await this.#line.connected();
        const hello = this.#line.hello;
        if (hello.round > round) return share(sentAgainFramingBytes);
        const arrived = hello.round === round ? hello.regions : 0;
        if (arrived > sent.length)
          throw new ProtocolError(`${arrived} regions arrived, but ${sent.length} were sent`, {
            cause: error,
          });
        const { region, from } = sent[arrived] ?? next;
        next = { region, from };
        this.#pieces.noteCut(sum(sent.slice(arrivedBefore, arrived), (one) => one.sentPages));
        arrivedBefore = arrived;
        sentAgainFramingBytes += sum(sent.slice(arrived), (one) => one.framingBytes);
        sent.length = arrived;
      }
    }
  }

  // Its pages are placed. A region's bits are whole words, and no other copier's.
  #forgetRegion(region: number): void {
    const firstWord = (region * REGION_PAGES) >>> 5;
    this.#dirty.words.fill(0, firstWord, firstWord + (REGION_PAGES >>> 5));
  }

  #share(round: number, sent: readonly SentFrame[], moreFramingBytes: number): RoundShare {
    return {
      round,
      sentPages: sum(sent, (one) => one.sentPages),
      zeroPages: sum(sent, (one) => one.zeroPages),
      framingBytes: sum(sent, (one) => one.framingBytes) + moreFramingBytes,
    };
  }

  #awaitPlaced(round: number, pages: number): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#placed = (placedRound, placedPages) => {
        if (placedRound === round && placedPages === pages) resolve();
        else {
          reject(
            new ProtocolError(
              `round ${placedRound} with ${placedPages} pages was acknowledged, not ${round} with ${pages}`,
            ),
          );
        }
      };
    });
  }

  #receive({ header, body }: Frame): void {
    if (header.name !== 'ROUND_PLACED' || this.#placed === undefined) {
      throw new ProtocolError(`the destination sent ${header.name} on a page connection out of turn`);
    }
    const placed = this.#placed;
    this.#placed = undefined;
    placed(...decodeMark(body));
  }
}

function sum<T>(items: readonly T[], pick: (item: T) => number): number {
  return items.reduce((total, item) => total + pick(item), 0);
}
