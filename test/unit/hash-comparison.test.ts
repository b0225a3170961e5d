// The comparison of a guest that came with what its source had at the hand-over: every planted damage is found, and named.
import { describe, expect, it } from 'vitest';
import { addUpCompared, HashComparison, type Compared } from '../../src/destination/pages/hash-comparison.js';
import { allocatePlacedHashes, PlacedHashes } from '../../src/destination/pages/placed-hashes.js';
import { ProtocolError } from '../../src/shared/errors.js';
import type { MemoryViews } from '../../src/shared/memory/layout.js';
import { PAGE_BYTES, PageState, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { placeAbsentPage, traceArrived } from '../../src/shared/memory/placement.js';
import { FRAME_HEADER_BYTES } from '../../src/shared/wire/frames.js';
import { headBytesOf, PUSHED } from '../../src/shared/wire/page-frames.js';
import { HashWriter } from '../../src/source/pages/hash-writer.js';
import { SegmentedGuest } from '../support/segmented-guest.js';
import {
  allPages,
  AnyOrder,
  feed,
  framesIn,
  guestOf,
  pageOf,
  receiverOver,
  regionsOf,
  somePages,
  write,
} from './page-fixtures.js';

const { ABSENT, PRESENT, TRACED } = PageState;
const PAGES = REGION_PAGES + 10;

interface Pair {
  readonly source: MemoryViews;
  readonly destination: MemoryViews;
  readonly placed: PlacedHashes;
}

/** A guest whose rounds have come, the stream of which was damaged on its way; what is here is traced. */
function moved(damage: (stream: Buffer) => void = () => undefined): Pair {
  const source = guestOf(PAGES);
  const destination = guestOf(PAGES);
  for (let page = 0; page < PAGES; page++) write(source, page, page % 5 === 0 ? 0 : 1);
  const placed = new PlacedHashes(allocatePlacedHashes(PAGES), destination);
  const { receiver } = receiverOver(destination, new AnyOrder());
  receiver.placed = placed;
  const stream = regionsOf(source, allPages(PAGES), 0);
  damage(stream);
  feed(receiver, stream);
  // Some pages come once more, one of them as zeros.
  write(source, 7, 2);
  write(source, 8, 0);
  feed(receiver, regionsOf(source, somePages(PAGES, 7, 8), 1));
  traceArrived(destination, 0, PAGES);
  return { source, destination, placed };
}

function compare({ source, destination, placed }: Pair, awaitGracePeriod = () => true): Compared {
  const writer = new HashWriter(source);
  const comparison = new HashComparison(destination, placed, awaitGracePeriod);
  for (const region of writer.regionsOf({ first: 0, stride: 1 })) {
    const [frame] = framesIn(Buffer.concat(writer.frame(2, region).parts));
    comparison.take(frame!.body, () => undefined);
  }
  return comparison.takeResult()!;
}

const clean: Compared = {
  windows: 2,
  pages: PAGES,
  rereadPages: PAGES,
  mismatchedPages: 0,
  mismatched: [],
};

describe('a guest that is compared with its source', () => {
  it('is equal when nothing was damaged, zero pages and pages that came twice among them', () => {
    expect(compare(moved())).toEqual(clean);
  });

  it('is not where a page was damaged on its way and has no check', () => {
    const firstPage = FRAME_HEADER_BYTES + headBytesOf(0);
    // The first page that is sent is page 1.
    const pair = moved((stream) => (stream[firstPage + 100]! ^= 4));
    expect(compare(pair)).toMatchObject({ mismatchedPages: 1, mismatched: [1] });
  });

  it('is not where memory changed after it was placed, as long as the guest has not stored there', () => {
    const pair = moved();
    pageOf(pair.destination, REGION_PAGES + 3)[4095]! ^= 1;
    expect(compare(pair)).toMatchObject({ mismatchedPages: 1, mismatched: [REGION_PAGES + 3] });
  });

  it('is not where the source stored to a page whose page fire was lost', () => {
    const pair = moved();
    pageOf(pair.source, 12)[0]! ^= 1;
    pageOf(pair.source, 10)[0] = 1;
    expect(compare(pair)).toMatchObject({ mismatchedPages: 2, mismatched: [10, 12] });
  });

  it('is equal where the guest has stored to a page here: what was placed counts', () => {
    const pair = moved();
    write(pair.destination, 3, 9);
    pair.destination.pageTable[3] = PRESENT;
    expect(compare(pair)).toEqual({ ...clean, rereadPages: PAGES - 1 });
  });

  it('is equal where a store is seen before its page fire: that is seen after a grace period', () => {
    const pair = moved();
    write(pair.destination, 3, 9);
    const passes = (): boolean => {
      pair.destination.pageTable[3] = PRESENT;
      return true;
    };
    expect(compare(pair, passes)).toEqual({ ...clean, rereadPages: PAGES - 1 });
  });

  it.each([
    ['as it should', false, []],
    ['damaged', true, [6]],
  ])('counts a page that was pushed %s', (_, isDamaged, mismatched) => {
    const pair = moved();
    write(pair.source, 6, 3);
    pair.destination.pageTable[6] = ABSENT;
    const { receiver } = receiverOver(pair.destination, new AnyOrder());
    receiver.placed = pair.placed;
    receiver.isGuestRunning = true;
    const stream = regionsOf(pair.source, somePages(PAGES, 6), 2, PUSHED);
    if (isDamaged) stream[stream.length - 1]! ^= 1;
    feed(receiver, stream);
    // The guest may store to it at once.
    write(pair.destination, 6, 9);
    expect(compare(pair)).toMatchObject({ mismatchedPages: mismatched.length, mismatched });
  });

  it('counts a page that a fault brought as what was placed', () => {
    const pair = moved();
    pair.destination.pageTable[5] = ABSENT;
    const bytes = new Uint8Array(PAGE_BYTES).fill(3);
    placeAbsentPage(pair.destination, 5, bytes, (page) => {
      pair.placed.notePage(page);
    });
    expect(compare(pair)).toMatchObject({ mismatched: [5] });
  });

  it('names the first pages of many, and counts them all', () => {
    const pair = moved();
    for (let page = 0; page < 100; page++) pageOf(pair.source, page)[9]! ^= 2;
    const { mismatchedPages, mismatched } = compare(pair);
    expect(mismatchedPages).toBe(100);
    expect(mismatched).toEqual(Array.from({ length: 64 }, (_, page) => page));
  });

  it('names pages of a guest in segments by their addresses', () => {
    const [source, destination] = [0, 1].map(() => new SegmentedGuest(2 ** 40, 12)) as [
      SegmentedGuest,
      SegmentedGuest,
    ];
    for (const { regions } of [source, destination]) regions.place(3, 100);
    traceArrived(destination.views, 3 * REGION_PAGES, 4 * REGION_PAGES);
    source.slotBytes(3)[2 * PAGE_BYTES] = 1;
    const placed = new PlacedHashes(allocatePlacedHashes(destination.views.pageCount), destination.views);
    const pair = { source: source.views, destination: destination.views, placed };
    expect(compare(pair)).toEqual({
      windows: 1,
      pages: REGION_PAGES,
      rereadPages: REGION_PAGES - 1,
      mismatchedPages: 1,
      mismatched: [100 * REGION_PAGES + 2],
    });
  });
});

describe('hashes that make no sense', () => {
  function take(body: Buffer, pair = moved()): void {
    new HashComparison(pair.destination, pair.placed, () => true).take(body, () => undefined);
  }
  const bodyOf = (region: number): Buffer =>
    framesIn(Buffer.concat(new HashWriter(moved().source).frame(2, region).parts))[0]!.body;

  it('are refused when they are cut short or too long', () => {
    const body = bodyOf(1);
    for (const bytes of [body.subarray(0, 100), body.subarray(0, -8), Buffer.concat([body, Buffer.alloc(8)])])
      expect(() => {
        take(bytes);
      }).toThrow(ProtocolError);
  });

  it('are refused when they leave a page of their region out', () => {
    const body = Buffer.from(bodyOf(0));
    // Page 0 is a zero page.
    body[8 + REGION_PAGES / 8]! &= ~1;
    expect(() => {
      take(body);
    }).toThrow('not of all its pages');
  });

  it('are refused for a page that has not arrived', () => {
    const pair = moved();
    pair.destination.pageTable[4] = ABSENT;
    expect(() => {
      take(bodyOf(0), pair);
    }).toThrow('before the page has arrived');
  });

  it('are refused for a slot that is nobody’s', () => {
    const guest = new SegmentedGuest(2 ** 40, 12);
    const placed = new PlacedHashes(allocatePlacedHashes(guest.views.pageCount), guest.views);
    expect(() => {
      take(bodyOf(0), { source: guest.views, destination: guest.views, placed });
    }).toThrow("nobody's");
  });
});

describe('what several connections compared', () => {
  it('is added up, in the order of addresses', () => {
    const part = { windows: 1, pages: 2, rereadPages: 1, mismatchedPages: 2 };
    expect(
      addUpCompared([
        { ...part, mismatched: [9, 11] },
        { ...part, mismatched: [4, 10] },
      ]),
    ).toEqual({ windows: 2, pages: 4, rereadPages: 2, mismatchedPages: 4, mismatched: [4, 9, 10, 11] });
  });
});

describe('pages that are here before the guest is', () => {
  it('are traced, those that are lacking stay so', () => {
    const { pageTable } = moved().destination;
    expect(pageTable.subarray(0, PAGES).every((state) => state === TRACED)).toBe(true);
    const views = guestOf(4);
    views.pageTable[2] = ABSENT;
    traceArrived(views, 0, 4);
    expect([...views.pageTable.subarray(0, 4)]).toEqual([TRACED, TRACED, ABSENT, TRACED]);
  });
});
