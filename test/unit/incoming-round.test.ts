// What may come next on a page connection, and what its last round is compared with.
import { describe, expect, it } from 'vitest';
import { NewestPages } from '../../src/destination/pages/newest-pages.js';
import { checkLastRound } from '../../src/destination/hand-over-check.js';
import { IncomingRound } from '../../src/destination/pages/incoming-round.js';
import { ROUNDS_MAX } from '../../src/shared/limits.js';
import { ProtocolError } from '../../src/shared/errors.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { CHECKED, type RegionHead } from '../../src/shared/wire/page-frames.js';
import { allPages, feed, guestOf, receiverOver, somePages, regionsOf, write } from './page-fixtures.js';

function head(
  round: number,
  region: number,
  sent: readonly number[],
  zero: readonly number[] = [],
): RegionHead {
  const map = (pages: readonly number[]): Int32Array => {
    const words = new Int32Array(16);
    for (const page of pages) words[page >>> 5]! |= 1 << (page & 31);
    return words;
  };
  return { round, region, sent: map(sent), zero: map(zero) };
}

function refusal(act: () => void): string {
  try {
    act();
  } catch (error) {
    if (error instanceof ProtocolError) return error.message;
    throw error;
  }
  return 'taken';
}

describe('a round on one connection', () => {
  const taking = (round: IncomingRound, next: RegionHead): string =>
    refusal(() => {
      round.check(next, false);
      round.notePlaced(next);
    });

  it('takes its regions in order, also in parts, and rounds one after the other', () => {
    const round = new IncomingRound({ index: 1, receivers: 2 });
    expect(taking(round, head(0, 1, [0, 5], [6]))).toBe('taken');
    expect(taking(round, head(0, 1, [7, 511]))).toBe('taken');
    expect(taking(round, head(0, 5, [], [0]))).toBe('taken');
    expect([round.regions, round.pages]).toEqual([3, 6]);
    round.end(0, 6);
    expect([round.round, round.regions, round.pages]).toEqual([1, 0, 0]);
    expect(taking(round, head(1, 1, [0]))).toBe('taken');
  });

  it('ends with the last number that a round may have', () => {
    const round = new IncomingRound({ index: 0, receivers: 1 });
    for (let nth = 0; nth < ROUNDS_MAX; nth++) round.end(nth, 0);
    expect(() => {
      round.end(ROUNDS_MAX, 0);
    }).toThrow(ProtocolError);
  });

  it.each([
    ['of another round', head(1, 0, [0])],
    ['of another connection', head(0, 1, [0])],
    ['without a page', head(0, 4, [])],
    ['with a page that came before', head(0, 2, [3, 9])],
    ['with a page that came before as zero', head(0, 2, [], [5])],
    ['of an earlier region', head(0, 0, [511])],
  ])('refuses a region %s', (_, next) => {
    const round = new IncomingRound({ index: 0, receivers: 2 });
    expect(taking(round, head(0, 2, [0, 9], [5]))).toBe('taken');
    expect(taking(round, next)).not.toBe('taken');
    expect([round.regions, round.pages]).toEqual([1, 3]);
  });

  it('takes pushed pages in any order, of its own round and connection', () => {
    const round = new IncomingRound({ index: 0, receivers: 2 });
    const pushed = (next: RegionHead): string =>
      refusal(() => {
        round.check(next, true);
        round.notePlaced(next);
      });
    expect([pushed(head(0, 2, [9])), pushed(head(0, 0, [1])), pushed(head(0, 2, [3], [9]))]).toEqual(
      Array(3).fill('taken'),
    );
    expect([round.regions, round.pages]).toEqual([3, 4]);
    for (const next of [head(1, 0, [0]), head(0, 1, [0]), head(0, 0, [])])
      expect(pushed(next)).not.toBe('taken');
  });

  it.each([
    ['another round than the one under way', 1, 1],
    ['more pages than came', 0, 2],
    ['fewer pages than came', 0, 0],
  ])('refuses an end of %s', (_, ended, pages) => {
    const round = new IncomingRound({ index: 0, receivers: 1 });
    round.notePlaced(head(0, 0, [4]));
    expect(
      refusal(() => {
        round.end(ended, pages);
      }),
    ).not.toBe('taken');
  });

  it('has a region refused by a receiver before a byte of its pages is placed', () => {
    const source = guestOf(3);
    write(source, 1, 1);
    const destination = guestOf(3);
    const { receiver } = receiverOver(destination, new IncomingRound({ index: 0, receivers: 1 }));
    const region = regionsOf(source, somePages(3, 1), 0);
    feed(receiver, region);
    write(source, 1, 2);
    expect(
      refusal(() => {
        feed(receiver, regionsOf(source, somePages(3, 1), 0));
      }),
    ).toBe('page 1 came in round 0 after page 1');
  });
});

describe('the last round of a pre-copy', () => {
  const pageCount = 1100;
  const lacking = somePages(pageCount, 3, 40, 600, 1099);

  // Two connections and the regions that they bring in rounds 0 and 1.
  function newestPages(...regions: readonly RegionHead[]): PageBitmap {
    const bitmap = new PageBitmap(pageCount);
    const parts = [0, 1].map((index) => new NewestPages(bitmap, { index, receivers: 2 }));
    for (const region of regions) parts[region.region % 2]!.add(region);
    for (const part of parts) part.begin(1);
    return bitmap;
  }

  it('brings exactly the pages of the hand-over', () => {
    const pages = newestPages(head(1, 0, [3], [40]), head(1, 1, [88]), head(1, 2, [75]));
    expect(
      refusal(() => {
        checkLastRound(lacking, pages);
      }),
    ).toBe('taken');
  });

  it.each([
    [
      'another page in the place of one',
      [head(1, 0, [3, 41]), head(1, 1, [88]), head(1, 2, [75])],
      'page 40',
    ],
    ['one too many', [head(1, 0, [3, 40, 41]), head(1, 1, [88]), head(1, 2, [75])], 'page 41'],
    ['one too few', [head(1, 0, [3, 40]), head(1, 2, [75])], 'page 600'],
    ['one only in the round before', [head(0, 1, [88]), head(1, 0, [3, 40]), head(1, 2, [75])], 'page 600'],
  ])('is refused with %s', (_, regions, page) => {
    expect(
      refusal(() => {
        checkLastRound(lacking, newestPages(...regions));
      }),
    ).toContain(page);
  });

  it.each([
    ['with checks', CHECKED],
    ['without', 0],
  ])('counts pages that come %s, as was agreed', (_, flags) => {
    const source = guestOf(3);
    for (const page of [0, 2]) write(source, page, 1);
    const { receiver, gate } = receiverOver(guestOf(3), undefined, flags === CHECKED);
    feed(receiver, regionsOf(source, allPages(3), 0, flags));
    expect(
      refusal(() => {
        checkLastRound(allPages(3), gate.newestPages);
      }),
    ).toBe('taken');
  });
});
