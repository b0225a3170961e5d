// A copier: sends its share of a round's regions over one page connection and waits until they are placed. When the
// connection is cut it goes on over the next one, behind what arrived and in smaller pieces.
// Knows regions and rounds; the connection is page-line.ts's. Runs on a copier worker's thread.
import { MicrostunError, ProtocolError } from '../../shared/errors.js';
import { STAGED_QUEUED } from '../../shared/limits.js';
import { FaultWatch } from '../../shared/memory/fault-words.js';
import type { MemoryViews } from '../../shared/memory/layout.js';
import { PAGE_BYTES, REGION_PAGES } from '../../shared/memory/pages.js';
import type { Connection, ConnectionOwner } from '../../shared/wire/connection.js';
import type { Frame } from '../../shared/wire/frames.js';
import type { ArrivedSoFar } from '../../shared/wire/greeting.js';
import { decodeMark, encodeMark } from '../../shared/wire/page-frames.js';
import type { CopierWords } from './copier-words.js';
import type { CopierRegions } from './frame-order.js';
import { PageLine, type ConnectionBytes, type Line } from './page-line.js';
import { PieceSize } from './piece-size.js';
import { RegionWriter, type RegionFrame } from './region-writer.js';
import { mannerOf, type FaultsBeside, type Manner, type RoundKind } from './round-manner.js';
import { Staging } from './staging.js';

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

/** How a copier's connection is used. */
export interface CopierManner {
  /** Caps what it sends; undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
  /** Whether all pages carry a check. */
  readonly pageChecks: boolean;
  /** Whether its connections are encrypted. */
  readonly isEncrypted: boolean;
}

/** A frame of the round that was written: a region, or a piece of one. */
interface SentFrame {
  readonly region: number;
  readonly sentPages: number;
  readonly zeroPages: number;
  readonly framingBytes: number;
}

export class Copier {
  readonly #views: MemoryViews;
  readonly #regions: CopierRegions;
  readonly #writer: RegionWriter;
  readonly #faults: FaultsBeside;
  readonly #line: PageLine;
  readonly #pieces = new PieceSize();
  readonly #pageChecks: boolean;
  readonly #isEncrypted: boolean;
  readonly #staging: Staging | undefined;
  /** Of a connection that is lost nothing is read any more. */
  #stagedFor: Line | undefined;
  #placed: ((round: number, pages: number) => void) | undefined;

  constructor(
    views: MemoryViews,
    regions: CopierRegions,
    { bytesPerSecond, pageChecks, isEncrypted }: CopierManner,
    faults: FaultsBeside = new FaultWatch(views),
  ) {
    this.#views = views;
    this.#regions = regions;
    this.#writer = new RegionWriter(views);
    this.#faults = faults;
    this.#pageChecks = pageChecks;
    this.#isEncrypted = isEncrypted;
    this.#staging = pageChecks ? new Staging(STAGED_QUEUED) : undefined;
    this.#line = new PageLine(bytesPerSecond, (frame) => {
      this.#receive(frame);
    });
  }

  /** Takes a greeted connection, the first or the next; answers what reads it. */
  attach(connection: Connection, arrived: ArrivedSoFar): ConnectionOwner['reads'] {
    return this.#line.attach(connection, arrived);
  }

  /** The connection is lost, if there is one. */
  lose(error: MicrostunError): void {
    this.#line.lose(error);
  }

  get bytes(): ConnectionBytes {
    return this.#line.bytes;
  }

  get movedBytes(): number {
    return this.#line.movedBytes;
  }

  /** Says no more: the connection is left to who made it. */
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
  async copyRound(round: number, kind: RoundKind, progress: RoundProgress): Promise<RoundShare> {
    const stopWatching = this.#line.watchForStall();
    try {
      return await this.#copyWatched(round, kind, progress);
    } finally {
      stopWatching();
    }
  }

  async #copyWatched(round: number, kind: RoundKind, progress: RoundProgress): Promise<RoundShare> {
    const sent: SentFrame[] = [];
    const share = (moreFramingBytes: number): RoundShare => {
      if (kind === 'beside-guest') for (const { region } of sent) this.#forgetRegion(region);
      return this.#share(round, sent, moreFramingBytes);
    };
    const parts = {
      views: this.#views,
      regions: this.#regions,
      faults: this.#faults,
      pageChecks: this.#pageChecks,
      isEncrypted: this.#isEncrypted,
      staging: this.#staging,
    };
    const manner = mannerOf(kind, round, parts, () => progress.isStopped(round));
    this.#pieces.beginRound(manner.pagesMax);
    let sentAgainFramingBytes = 0;
    let arrivedBefore = 0;
    for (;;) {
      const line = await this.#line.connected();
      if (line !== this.#stagedFor) this.#staging?.forget();
      this.#stagedFor = line;
      try {
        await this.#writeFrames(line, round, manner, sent, progress);
        const pages = sum(sent, (one) => one.sentPages + one.zeroPages);
        const end = encodeMark('ROUND_END', round, pages);
        const placed = this.#awaitPlaced(round, pages);
        await this.#line.write(line, [end], manner.marks);
        await Promise.race([placed, line.lost]);
        return share(sentAgainFramingBytes + end.length);
      } catch (error) {
        if (!(error instanceof MicrostunError) || error.code !== 'CONNECTION_LOST') throw error;
        await this.#line.connected();
        const said = this.#line.arrived;
        if (said.round > round) return share(sentAgainFramingBytes);
        const arrived = said.round === round ? said.regions : 0;
        if (arrived > sent.length)
          throw new ProtocolError(`${arrived} regions arrived, but ${sent.length} were sent`, {
            cause: error,
          });
        manner.order.goBack(arrived);
        this.#pieces.noteCut(sum(sent.slice(arrivedBefore, arrived), (one) => one.sentPages));
        arrivedBefore = arrived;
        sentAgainFramingBytes += sum(sent.slice(arrived), (one) => one.framingBytes);
        sent.length = arrived;
      }
    }
  }

  async #writeFrames(
    line: Line,
    round: number,
    manner: Manner,
    sent: SentFrame[],
    progress: RoundProgress,
  ): Promise<void> {
    const { order, flags, staging, holdBack, frameOf } = manner;
    for (;;) {
      holdBack();
      while (staging?.hasRoom === false) await Promise.race([staging.changed(), line.lost]);
      const place = order.next();
      if (place === undefined) return;
      const { pages, region, from } = place;
      const frame =
        frameOf?.(region) ??
        this.#writer.frame(pages, round, region, flags, from, this.#pieces.pages, staging);
      if (frame === undefined) {
        order.noteEmpty();
        continue;
      }
      const { sentPages, zeroPages, frameBytes, pastLast } = frame;
      order.noteWritten(pastLast);
      sent.push({ region, sentPages, zeroPages, framingBytes: frameBytes - sentPages * PAGE_BYTES });
      this.#pieces.noteWritten(sentPages);
      await this.#writeFrame(line, frame, manner);
      progress.count(sentPages + zeroPages, frameBytes);
    }
  }

  #writeFrame(line: Line, { parts, isStaged }: RegionFrame, { staging, marks }: Manner): Promise<void> {
    if (!isStaged) return this.#line.write(line, parts, marks);
    return this.#line.write(line, parts, marks, () => {
      // A connection that was lost tells so of all that it had queued, and the next may be in use by then.
      if (line.connection.isOpen) staging?.taken();
    });
  }

  // Its pages are placed. A region's bits are whole words, and no other copier's.
  #forgetRegion(region: number): void {
    const firstWord = (region * REGION_PAGES) >>> 5;
    this.#views.dirtyWords.fill(0, firstWord, firstWord + (REGION_PAGES >>> 5));
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
