// A copier: sends its share of a round's regions over one page connection and waits until they are placed. When the
// connection is cut it goes on over the next one, behind what arrived and in smaller pieces.
// Owns the conversation, not the listening; runs on a copier worker's thread.
import { monotonicUs } from '../../shared/clock.js';
import { MicrostunError, ProtocolError } from '../../shared/errors.js';
import type { MemoryViews } from '../../shared/memory/layout.js';
import { PageBitmap } from '../../shared/memory/page-bitmap.js';
import { PAGE_BYTES, REGION_PAGES } from '../../shared/memory/pages.js';
import { ConnectionWatch } from '../../shared/wire/connection-watch.js';
import type { Connection, ConnectionNames } from '../../shared/wire/connection.js';
import { FRAME_HEADER_BYTES, FrameReader, type Frame } from '../../shared/wire/frames.js';
import type { MessageOf } from '../../shared/wire/messages.js';
import { decodeMark, encodeMark } from '../../shared/wire/page-frames.js';
import type { CopierWords } from './copier-words.js';
import { Pacer, piecesOf } from './pacer.js';
import { PieceSize } from './piece-size.js';
import { RegionWriter } from './region-writer.js';
import { PAGES_QUEUED } from '../../shared/limits.js';

/** What one connection carried of a round. */
export interface RoundShare {
  readonly round: number;
  readonly sentPages: number;
  readonly zeroPages: number;
  /** Bytes of frames around the pages, with the zero pages' bits. */
  readonly framingBytes: number;
}

/** What a connection's bytes were besides regions, and what its sockets counted in all. */
export interface ConnectionBytes {
  readonly control: number;
  readonly socket: number;
  /** How often the connection was cut and made again. */
  readonly cuts: number;
}

const NAMES: ConnectionNames = { own: 'a page connection', peer: 'the destination' };

/** How often a connection is looked at while a round is under way. */
const LOOK_MS = 1000;

/** Who counts what is sent, and may stop a round. */
export type RoundProgress = Pick<CopierWords, 'count' | 'isStopped'>;

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

/** A connection together with what fails when it is lost. */
interface Line {
  readonly connection: Connection;
  readonly lost: Promise<never>;
}

export class Copier {
  readonly #views: MemoryViews;
  readonly #writer: RegionWriter;
  readonly #dirty: PageBitmap;
  readonly #onLost: (error: MicrostunError) => void;
  readonly #pacer: Pacer | undefined;
  readonly #pieces = new PieceSize();
  #line: Line | undefined;
  /** Fails what waits for the line in use. */
  #failLine: (error: MicrostunError) => void = () => undefined;
  #attached: (() => void) | undefined;
  #hello: Pick<MessageOf<'HELLO'>, 'round' | 'regions'> = { round: 0, regions: 0 };
  #placed: ((round: number, pages: number) => void) | undefined;
  #controlBytes = 0;
  #closedSocketBytes = 0;
  #connections = 0;

  /** `bytesPerSecond` caps what this connection sends; undefined: as fast as it goes. */
  constructor(
    views: MemoryViews,
    bytesPerSecond: number | undefined,
    onLost: (error: MicrostunError) => void,
  ) {
    this.#pacer = bytesPerSecond === undefined ? undefined : new Pacer(bytesPerSecond);
    this.#views = views;
    this.#writer = new RegionWriter(views, PAGES_QUEUED.highBytes);
    this.#dirty = new PageBitmap(views.pageCount, views.dirtyWords);
    this.#onLost = onLost;
  }

  /** Takes a greeted connection, the first or the next. */
  attach(connection: Connection, hello: Pick<MessageOf<'HELLO'>, 'round' | 'regions'>): void {
    // A destination that comes again has lost its old connection, whether or not that is known here.
    this.#drop(new MicrostunError('CONNECTION_LOST', 'the destination dialled again'), false);
    this.#connections++;
    this.#controlBytes += connection.greetingBytes;
    this.#hello = hello;
    let fail: (error: MicrostunError) => void = () => undefined;
    const lost = new Promise<never>((_resolve, reject) => {
      fail = reject;
    });
    lost.catch(() => undefined);
    this.#line = { connection, lost };
    this.#failLine = fail;
    const reader = new FrameReader(['ROUND_PLACED']);
    connection.own({
      names: NAMES,
      reads: {
        take: (chunk) => {
          for (const frame of reader.consume(chunk)) this.#receive(frame);
        },
      },
      lost: (error) => {
        this.#drop(asConnectionLost(error), true);
      },
    });
    this.#attached?.();
  }

  #drop(error: MicrostunError, tells: boolean): void {
    const line = this.#line;
    if (line === undefined) return;
    this.#line = undefined;
    this.#closedSocketBytes += line.connection.carriedBytes;
    line.connection.destroy();
    this.#failLine(error);
    if (tells) this.#onLost(error);
  }

  /**
   * Sends regions `index`, `index + stride`, … of the pages in the shared dirty bitmap; a region always travels on the
   * same connection, so an older copy of a page never overtakes a newer one. Resolves when the destination has placed
   * them all, over as many connections as it takes. A round that `progress` stops ends before its next region.
   *
   * Of a round that is copied while the guest runs, the pages that were placed leave the dirty bitmap: what is in it
   * afterwards was not sent.
   */
  async copyRound(
    round: number,
    index: number,
    stride: number,
    flags: number,
    progress: RoundProgress,
  ): Promise<RoundShare> {
    const watch = this.#watchForStall();
    try {
      return await this.#copyWatched(round, index, stride, flags, progress);
    } finally {
      clearInterval(watch);
    }
  }

  // A destination whose host acknowledges nothing for long has lost the connection, even if it seems up. What our own
  // kernel takes is no measure of that: behind megabytes that it holds, a slow link lives on while it takes nothing.
  #watchForStall(): NodeJS.Timeout {
    const watch = new ConnectionWatch();
    let watched: Connection | undefined;
    return setInterval(() => {
      const connection = this.#line?.connection;
      if (connection !== watched) watch.begin();
      watched = connection;
      if (watch.isStill(monotonicUs() / 1000, connection?.counts)) {
        const why = 'the destination acknowledges nothing on a page connection';
        connection?.giveUp(new MicrostunError('CONNECTION_LOST', why));
      }
    }, LOOK_MS);
  }

  async #copyWatched(
    round: number,
    index: number,
    stride: number,
    flags: number,
    progress: RoundProgress,
  ): Promise<RoundShare> {
    const sent: SentFrame[] = [];
    const share = (moreFramingBytes: number): RoundShare => {
      this.#pieces.noteRoundPlaced();
      if (flags === 0) for (const { region } of sent) this.#forgetRegion(region);
      return this.#share(round, sent, moreFramingBytes);
    };
    let next: Place = { region: index, from: 0 };
    let sentAgainFramingBytes = 0;
    let arrivedBefore = 0;
    for (;;) {
      const line = await this.#connected();
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
          await this.#write(line, frame.parts);
          progress.count(sentPages + zeroPages, frameBytes);
        }
        const pages = sum(sent, (one) => one.sentPages + one.zeroPages);
        const end = encodeMark('ROUND_END', round, pages);
        const placed = this.#awaitPlaced(round, pages);
        await this.#write(line, [end]);
        await Promise.race([placed, line.lost]);
        return share(sentAgainFramingBytes + end.length);
      } catch (error) {
        if (!(error instanceof MicrostunError) || error.code !== 'CONNECTION_LOST') throw error;
        await this.#connected();
        const hello = this.#hello;
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

  get bytes(): ConnectionBytes {
    return {
      control: this.#controlBytes,
      socket: this.#closedSocketBytes + (this.#line?.connection.carriedBytes ?? 0),
      cuts: Math.max(0, this.#connections - 1),
    };
  }

  /** Bytes that the kernel took or brought, over all connections: what does not change does not move. */
  get movedBytes(): number {
    const connection = this.#line?.connection;
    const open = connection === undefined ? 0 : connection.carriedBytes - connection.queuedBytes;
    return this.#closedSocketBytes + open;
  }

  /** Says no more; the connection ends in order. */
  end(): void {
    const line = this.#line;
    this.#line = undefined;
    line?.connection.end();
  }

  async #connected(): Promise<Line> {
    for (;;) {
      if (this.#line !== undefined) return this.#line;
      await new Promise<void>((resolve) => {
        this.#attached = resolve;
      });
    }
  }

  // Piece by piece as the bandwidth allows. A connection that is lost meanwhile has told so.
  async #writePaced({ connection, lost }: Line, parts: readonly Uint8Array[], pacer: Pacer): Promise<void> {
    for (const piece of piecesOf(parts, pacer.pieceBytes)) {
      await Promise.race([pacer.take(piece.length), lost]);
      if (!connection.isOpen) await lost;
      connection.write([piece]);
    }
  }

  // One writev a region. A connection that takes nothing any more is lost, or will be by the time it is closed.
  async #write(line: Line, parts: readonly Uint8Array[]): Promise<void> {
    const { connection, lost } = line;
    if (!connection.isOpen) await lost;
    if (this.#pacer !== undefined) await this.#writePaced(line, parts, this.#pacer);
    else connection.write(parts);
    if (connection.queuedBytes > PAGES_QUEUED.highBytes)
      await Promise.race([lost, connection.room(PAGES_QUEUED)]);
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
    this.#controlBytes += FRAME_HEADER_BYTES + body.length;
    const placed = this.#placed;
    this.#placed = undefined;
    placed(...decodeMark(body));
  }
}

// Damaged bytes end the connection and not the round: it goes on over the next one.
function asConnectionLost(error: MicrostunError): MicrostunError {
  if (error.code === 'CONNECTION_LOST') return error;
  return new MicrostunError('CONNECTION_LOST', `a page connection was given up: ${error.message}`, {
    cause: error,
  });
}

function sum<T>(items: readonly T[], pick: (item: T) => number): number {
  return items.reduce((total, item) => total + pick(item), 0);
}
