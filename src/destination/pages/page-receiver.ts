// The receiving end of a page connection: says where the next bytes go, and places regions as they become whole.
// No socket: it is fed byte counts, so tests cut its input anywhere. Bytes from the peer are hostile.
import { ProtocolError } from '../../shared/errors.js';
import type { MemoryViews } from '../../shared/memory/layout.js';
import { BODY_BYTES_MAX } from '../../shared/frame-limits.js';
import { PageHashes } from '../../shared/memory/page-hashes.js';
import { PAGE_BYTES, REGION_PAGES } from '../../shared/memory/pages.js';
import { placeAbsentPage } from '../../shared/memory/placement.js';
import { addressOf, pageBytes, segmentOf } from '../../shared/memory/segments.js';
import {
  FRAME_HEADER_BYTES,
  decodeHeader,
  verifyFrame,
  type Frame,
  type FrameHeader,
} from '../../shared/wire/frames.js';
import {
  CHECKED,
  countPages,
  decodePagesCheck,
  decodeRegionHead,
  headBytesOf,
  PUSHED,
  type RegionHead,
} from '../../shared/wire/page-frames.js';
import { FrameCheck } from './frame-check.js';
import { pagesOf, type IncomingRound } from './incoming-round.js';
import type { NewestPages } from './newest-pages.js';
import type { PlacedHashes } from './placed-hashes.js';
import type { PlacementGate } from './placement-gate.js';
import { checkFlags, StagedPages, type Reading } from './reading.js';
import { packedRunOf, runsIn, type Run } from './region-runs.js';

/** Which region may come next, and what has come. */
export type RegionOrder = Pick<IncomingRound, 'check' | 'notePlaced'>;

export interface PageReceiverEvents {
  /** A frame that is no region: a mark. */
  frame(frame: Frame): void;
  /** `pages` that a running guest lacked are placed: whoever waits for one of them must look again. */
  arrived(pages: number): void;
}

/** Small frames on a page connection are no longer than this. */
const SMALL_BODY_BYTES_MAX = 4096;

/** Regions in more pieces than this are read in one piece and moved into place: a read costs more than a move. */
const DIRECT_RUNS_MAX = 4;

export class PageReceiver {
  readonly #views: MemoryViews;
  readonly #events: PageReceiverEvents;
  readonly #small = Buffer.alloc(BODY_BYTES_MAX.HASHES);
  readonly #staged = new StagedPages();
  readonly #hashes: PageHashes;
  readonly #check = new FrameCheck();
  /** Pages that may hold something: a zero page elsewhere costs nothing. Regions never change connections. */
  readonly #written: Uint8Array;
  #reading: Reading = { what: 'header' };
  #target: Uint8Array;
  #filled = 0;
  readonly #order: RegionOrder;
  readonly #gate: Pick<PlacementGate, 'enter' | 'leave'>;
  readonly #newest: Pick<NewestPages, 'add'>;
  /** Whether pages are being overwritten, or the kernel may do so. */
  #isInside = false;
  /** Whether pages come for a running guest; a region of the other kind is refused. */
  isGuestRunning = false;
  /** What notes each page that is placed, where the guest is to be compared with its source. */
  placed: Pick<PlacedHashes, 'notePage' | 'noteRegion'> | undefined;
  /** Whether pages come with a check, as was agreed; a region that says otherwise is refused. */
  pageChecks = false;
  /** Pages that a running guest did not lack any more. */
  spurnedPages = 0;
  /** Bytes that came in, of all connections so far. */
  receivedBytes = 0;

  constructor(
    views: MemoryViews,
    order: RegionOrder,
    gate: Pick<PlacementGate, 'enter' | 'leave'>,
    newest: Pick<NewestPages, 'add'>,
    events: PageReceiverEvents,
  ) {
    this.#views = views;
    this.#order = order;
    this.#gate = gate;
    this.#newest = newest;
    this.#hashes = new PageHashes(views);
    this.#events = events;
    this.#written = new Uint8Array(views.pageCount);
    this.#target = this.#small.subarray(0, FRAME_HEADER_BYTES);
  }

  /** Where the next bytes of the stream go; never empty. */
  get target(): Uint8Array {
    return this.#filled === 0 ? this.#target : this.#target.subarray(this.#filled);
  }

  /** Forgets a frame that was cut in the middle: its connection was lost, and nothing is read from it any more. */
  reset(): void {
    this.#leave();
    this.#check.begin();
    this.#expect({ what: 'header' }, this.#small.subarray(0, FRAME_HEADER_BYTES));
  }

  /**
   * `byteCount` bytes were written to `target`.
   * @throws ProtocolError when they make no sense.
   */
  advance(byteCount: number): void {
    this.receivedBytes += byteCount;
    this.#filled += byteCount;
    this.#check.came(this.#filled);
    if (this.#filled < this.#target.length) return;
    const reading = this.#reading;
    switch (reading.what) {
      case 'header':
        this.#onHeader(decodeHeader(this.#small));
        return;
      case 'small-body':
        this.#finishSmall(reading.header, Buffer.from(this.#small.subarray(0, reading.header.bodyBytes)));
        return;
      case 'region-head':
        this.#onRegionHead(reading.header);
        return;
      case 'direct':
        this.#onRun(reading);
        return;
      case 'packed':
        this.#moveApart(reading);
        return;
      case 'staged':
        this.#placeStaged(reading);
    }
  }

  #expect(reading: Reading, target: Uint8Array): void {
    this.#reading = reading;
    this.#target = target;
    this.#filled = 0;
  }

  #expectHeader(): void {
    this.#expect({ what: 'header' }, this.#small.subarray(0, FRAME_HEADER_BYTES));
  }

  #onHeader(header: FrameHeader): void {
    if (header.name === 'PAGES') {
      const headBytes = headBytesOf(header.flags);
      if (header.bodyBytes < headBytes)
        throw new ProtocolError(`a PAGES frame of ${header.bodyBytes} bytes is cut short`);
      checkFlags(header, this);
      this.#expect({ what: 'region-head', header }, this.#small.subarray(0, headBytes));
      return;
    }
    if (header.bodyBytes > SMALL_BODY_BYTES_MAX && header.name !== 'HASHES')
      throw new ProtocolError(`a ${header.name} frame does not belong on a page connection`);
    if (header.bodyBytes === 0) this.#finishSmall(header, Buffer.alloc(0));
    else this.#expect({ what: 'small-body', header }, this.#small.subarray(0, header.bodyBytes));
  }

  #finishSmall(header: FrameHeader, body: Buffer): void {
    verifyFrame(header, body);
    this.#expectHeader();
    this.#events.frame({ header, body });
  }

  #onRegionHead(header: FrameHeader): void {
    const { flags } = header;
    verifyFrame(header, this.#small.subarray(0, headBytesOf(flags)));
    const head = decodeRegionHead(this.#small, header, this.#views.pageCount);
    if (head.region < this.#views.regions.first)
      throw new ProtocolError(`pages came for slot ${head.region}, which is nobody's`);
    const isPushed = (flags & PUSHED) !== 0;
    this.#order.check(head, isPushed);
    this.#check.begin((flags & CHECKED) === 0 ? undefined : decodePagesCheck(this.#small));
    const runs = runsIn(head);
    const at = !isPushed && runs.length > DIRECT_RUNS_MAX ? packedRunOf(head) : undefined;
    if (at !== undefined) {
      this.#enter();
      this.#expect({ what: 'packed', head, runs, at }, this.#runTarget(at));
      return;
    }
    if ((runs.length > 0 && isPushed) || runs.length > DIRECT_RUNS_MAX) {
      const stagedBytes = countPages(head.sent) * PAGE_BYTES;
      this.#check.goOnAt(this.#staged.fold);
      this.#expect({ what: 'staged', head, runs, flags }, this.#staged.bytes.subarray(0, stagedBytes));
      return;
    }
    if (!isPushed) this.#enter();
    if (runs.length === 0) this.#finishRegion(head, flags);
    else this.#expect({ what: 'direct', head, runs, run: 0 }, this.#runTarget(runs[0]!));
  }

  #onRun(reading: Extract<Reading, { what: 'direct' }>): void {
    const run = reading.run + 1;
    if (run === reading.runs.length) this.#finishRegion(reading.head, 0);
    else this.#expect({ ...reading, run }, this.#runTarget(reading.runs[run]!));
  }

  // Run by run, from the first: each goes down to where it belongs, over what has been moved or is no page's.
  #moveApart({ head, runs, at: [firstPacked] }: Extract<Reading, { what: 'packed' }>): void {
    const segment = segmentOf(this.#views, firstPacked);
    let from = addressOf(segment, firstPacked);
    for (const [first, pastLast] of runs) {
      const byteCount = (pastLast - first) * PAGE_BYTES;
      this.#written.fill(1, first, pastLast);
      segment.kernels.moveBytes(addressOf(segment, first), from, byteCount);
      from += byteCount;
    }
    this.#finishRegion(head, 0);
  }

  #placeStaged({ head, runs, flags }: Extract<Reading, { what: 'staged' }>): void {
    this.#check.verify();
    // Looked at once more: the guest may have been handed over since the region's head.
    if ((flags & PUSHED) === 0) this.#enter();
    const spurnedBefore = this.spurnedPages;
    let from = 0;
    for (const [first, pastLast] of runs) {
      if ((flags & PUSHED) !== 0) {
        for (let page = first; page < pastLast; page++, from += PAGE_BYTES) {
          this.#placeAbsent(page, this.#staged.bytes.subarray(from, from + PAGE_BYTES));
        }
      } else {
        const to = from + (pastLast - first) * PAGE_BYTES;
        pageBytes(this.#views, first, pastLast).set(this.#staged.bytes.subarray(from, to));
        this.#written.fill(1, first, pastLast);
        from = to;
      }
    }
    this.#finishRegion(head, flags, spurnedBefore);
  }

  #finishRegion(head: RegionHead, flags: number, spurnedBefore = this.spurnedPages): void {
    this.#check.verify();
    const isPushed = (flags & PUSHED) !== 0;
    const firstPage = head.region * REGION_PAGES;
    for (let index = 0; index < head.zero.length; index++) {
      let rest = head.zero[index]!;
      while (rest !== 0) {
        const page = firstPage + index * 32 + (31 - Math.clz32(rest & -rest));
        rest &= rest - 1;
        if (isPushed) this.#placeAbsent(page, undefined);
        else this.#clear(page);
      }
    }
    if (!isPushed) {
      this.placed?.noteRegion(head);
      this.#newest.add(head);
    }
    this.#leave();
    this.#order.notePlaced(head);
    this.#expectHeader();
    if (isPushed) this.#events.arrived(pagesOf(head) - (this.spurnedPages - spurnedBefore));
  }

  #enter(): void {
    if (!this.#gate.enter()) throw new ProtocolError('PAGES would overwrite a guest that was handed over');
    this.#isInside = true;
  }

  #leave(): void {
    if (!this.#isInside) return;
    this.#isInside = false;
    this.#gate.leave();
  }

  #placeAbsent(page: number, bytes: Uint8Array | undefined): void {
    if (placeAbsentPage(this.#views, page, bytes, this.#notePlaced)) this.#written[page] = 1;
    else this.spurnedPages++;
  }

  readonly #notePlaced = (page: number): void => {
    this.placed?.notePage(page);
  };

  #clear(page: number): void {
    if (this.#written[page] === 0) return;
    const segment = segmentOf(this.#views, page);
    segment.kernels.clearBytes(addressOf(segment, page), PAGE_BYTES);
    this.#written[page] = 0;
  }

  // Where a run's bytes go. It counts as written from its first byte on: the connection may be cut in the middle.
  #runTarget([first, pastLast]: Run): Uint8Array {
    this.#written.fill(1, first, pastLast);
    this.#check.goOnAt((firstByte, count, fold) => {
      const page = first + firstByte / PAGE_BYTES;
      return this.#hashes.fold(page, page + count, fold);
    });
    return pageBytes(this.#views, first, pastLast);
  }
}
