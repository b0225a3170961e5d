// The taking over of a guest in segments: which regions lie where is told before, again after a cut, and counted; what
// names a page that nobody will bring is refused, and the guest is not this side's.
import { describe, expect, it } from 'vitest';
import { MicrostunError, ProtocolError } from '../../src/shared/errors.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState, REGION_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { CHUNK_BYTES, chunksOf, spaceChunks } from '../../src/shared/memory/space-bitmap.js';
import { encodeAnnouncement } from '../../src/shared/wire/switch-over-frames.js';
import { directoryOf } from '../support/segmented-guest.js';
import { bitmapOf, bodyOf, handOver, regions, TakeOverSite } from '../support/take-over-site.js';

const TIB = 2 ** 40;
const FAR = 2 ** 19;
/** The last region has three pages. */
const segments = { memoryBytes: TIB + 3 * PAGE_BYTES, slots: 12 };
const tables = segments.slots * REGION_PAGES;

/** As a source with so many slots in use says it. */
function announcement(number: number, slots: number, ...pages: readonly number[]): Buffer {
  return bodyOf(encodeAnnouncement({ number, bitmap: bitmapOf(pages, 'compacted', slots * REGION_PAGES) }));
}

function handOverOf(slots: number, told: Parameters<typeof handOver>[0] & object): Buffer {
  const { pages = [], ...rest } = told;
  return handOver({ bitmap: bitmapOf(pages, 'compacted', slots * REGION_PAGES), ...rest });
}

const page = (slot: number, inRegion: number): number => slot * REGION_PAGES + inRegion;

/** A site that was told of regions 0, FAR − 1 and FAR, the last, at slots 1, 3 and 2. */
function toldSite(): TakeOverSite {
  const site = new TakeOverSite(segments);
  site.takeOver.takeRegions(regions([1, 0], [3, FAR - 1], [2, FAR]));
  return site;
}

function expectRefused(site: TakeOverSite, why: RegExp): void {
  expect(site.declined).toBeInstanceOf(ProtocolError);
  expect((site.declined as Error).message).toMatch(why);
  expect([site.gate.isPassed, site.safepoints.isHandedOver, site.safepoints.isStopCommanded]).toEqual([
    false,
    false,
    true,
  ]);
  // And nothing that comes after is taken.
  site.takeOver.handOver(handOverOf(4, { announcement: 0, regions: 3 }));
  expect(site.gate.isPassed).toBe(false);
}

describe('regions that are told', () => {
  it('lie where they do at the source, and room is asked for all of them', () => {
    const site = toldSite();
    const directory = directoryOf(site.views);
    expect([0, FAR - 1, FAR, 1].map((region) => directory.slotOf(region))).toEqual([1, 3, 2, 0]);
    expect(site.roomAsked).toEqual([3 * REGION_BYTES]);
    expect(site.views.pageTable[page(2, 3)]).toBe(PageState.OUTSIDE);
    site.takeOver.takeRegions(regions([4, 7]));
    expect(site.roomAsked).toEqual([3 * REGION_BYTES, 4 * REGION_BYTES]);
    expect([site.declined, site.log]).toEqual([undefined, []]);
  });

  it('may be told before the guest may come, and again after each cut', () => {
    const site = new TakeOverSite(segments, false);
    site.takeOver.takeRegions(regions([1, 5]));
    site.gate.open();
    site.takeOver.connected();
    site.takeOver.takeRegions(regions([1, 5], [2, 6]));
    site.takeOver.announce(announcement(1, 3, page(1, 9)));
    site.takeOver.connected();
    site.takeOver.takeRegions(regions([1, 5]));
    site.takeOver.takeRegions(regions([2, 6], [3, FAR]));
    site.takeOver.announce(announcement(1, 3, page(1, 9)));
    site.takeOver.handOver(handOverOf(4, { regions: 3, pages: [page(3, 2)] }));
    expect(site.absent).toEqual([page(1, 9), page(3, 2)]);
    expect(site.log.slice(-3)).toEqual(['TAKEN_OVER 0 2', 'RUN', 'taken over']);
  });

  it('are nothing to a guest that runs here', () => {
    const site = toldSite();
    site.takeOver.handOver(handOverOf(4, { announcement: 0, regions: 3 }));
    site.takeOver.takeRegions(regions([5, 50]));
    site.takeOver.takeRegions(regions([1, 50]));
    expect([directoryOf(site.views).slotOf(50), site.declined]).toEqual([0, undefined]);
  });

  it.each([
    ['slot 0', regions([0, 9])],
    ['a region past the end', regions([5, FAR + 1])],
    ['another slot', regions([5, 0])],
    ["another's slot", regions([1, 9])],
    ['two slots for a region in one frame', regions([5, 9], [6, 9])],
    ['half a region', regions([5, 9]).subarray(0, 7)],
    ['nothing', Buffer.alloc(0)],
  ])('are refused with %s', (_, body) => {
    const site = toldSite();
    site.takeOver.takeRegions(body);
    expectRefused(site, /./);
  });

  it('are refused for want of slots, or of memory, and the guest stays where it is', () => {
    const few = toldSite();
    few.takeOver.takeRegions(regions([12, 9]));
    const full = toldSite();
    full.noRoom = new MicrostunError('INSUFFICIENT_MEMORY', 'there is no more');
    full.takeOver.takeRegions(regions([4, 9]));
    for (const site of [few, full]) {
      expect(site.declined).toMatchObject({ code: 'INSUFFICIENT_MEMORY' });
      site.takeOver.handOver(handOverOf(4, { announcement: 0, regions: 4 }));
      expect([site.gate.isPassed, site.log]).toEqual([false, ['declined']]);
    }
  });

  it('are none of a guest in one piece, nor is a chunk', () => {
    for (const say of ['regions', 'chunk'] as const) {
      const site = new TakeOverSite();
      if (say === 'regions') site.takeOver.takeRegions(regions([1, 1]));
      else site.takeOver.takeChunk(Buffer.alloc(CHUNK_BYTES));
      expect(site.declined).toBeInstanceOf(ProtocolError);
      expect((site.declined as Error).message).toMatch(/in one piece/);
    }
  });
});

describe('a hand-over of a guest in segments', () => {
  it.each([2, 4, 0])('that counts %d regions where 3 were told is refused', (count) => {
    const site = toldSite();
    site.takeOver.handOver(handOverOf(4, { announcement: 0, regions: count }));
    expectRefused(site, /regions, and 3 were told/);
  });

  it('has what was announced and dirtied since lacking, however many slots were in use each time', () => {
    const site = toldSite();
    site.takeOver.announce(announcement(1, 3, page(1, 4), page(2, 0)));
    site.takeOver.announce(announcement(2, 4, page(1, 5), page(3, 511)));
    site.takeOver.takeRegions(regions([6, 77]));
    site.takeOver.handOver(handOverOf(7, { announcement: 2, regions: 4, pages: [page(2, 2), page(6, 0)] }));
    expect(site.absent).toEqual([page(1, 5), page(2, 2), page(3, 511), page(6, 0)]);
    expect(site.safepoints.lackingPages).toBe(4);
  });

  it('of a pre-copy takes over when its last round brought what it names', () => {
    const site = toldSite();
    site.takeOver.announce(announcement(1, 4, page(1, 4)));
    site.placed(2, page(1, 4), page(3, 6));
    const last = { pagesFollow: false, finalRound: 2, finalPages: 2, regions: 3 } as const;
    site.takeOver.handOver(handOverOf(4, { ...last, pages: [page(3, 6)] }));
    expect([site.absent, site.facts?.lackingPages]).toEqual([[], 0]);
  });

  it('of a pre-copy is refused when a page beyond what it names came as its last', () => {
    const site = toldSite();
    site.placed(2, page(1, 4), page(9, 6));
    const last = { announcement: 0, pagesFollow: false, finalRound: 2, finalPages: 1, regions: 3 } as const;
    site.takeOver.handOver(handOverOf(4, { ...last, pages: [page(1, 4)] }));
    expectRefused(site, /brought page 4614/);
  });

  it.each([
    [
      'of a slot that was not told',
      bitmapOf([page(4, 1)], 'compacted', 5 * REGION_PAGES),
      /slot 4 is of no region/,
    ],
    ['of slot 0', bitmapOf([7], 'compacted', 4 * REGION_PAGES), /slot 0 is of no region/],
    [
      'past the end of the guest',
      bitmapOf([page(2, 3)], 'compacted', 4 * REGION_PAGES),
      /past the guest's end/,
    ],
    [
      'up to there and past it',
      bitmapOf([page(2, 2), page(2, 511)], 'raw', 4 * REGION_PAGES),
      /page 1535, which/,
    ],
    ['for no whole number of slots', bitmapOf([page(1, 1)], 'compacted', 4 * REGION_PAGES - 1), /2047 pages/],
    ['for more than all slots', bitmapOf([page(1, 1)], 'compacted', tables + REGION_PAGES), /6656 pages/],
    ['cut short', bitmapOf([page(1, 1)], 'raw', 4 * REGION_PAGES).subarray(0, -1), /./],
  ])('or an announcement with a bitmap %s is refused', (_, bitmap, why) => {
    const handed = toldSite();
    handed.takeOver.handOver(handOver({ announcement: 0, regions: 3, bitmap }));
    expectRefused(handed, why);
    const announced = toldSite();
    announced.takeOver.announce(bodyOf(encodeAnnouncement({ number: 1, bitmap })));
    expectRefused(announced, why);
    expect([handed.absent, announced.absent]).toEqual([[], []]);
  });
});

describe('a raw bitmap in chunks', () => {
  const chunkCount = chunksOf(segments.memoryBytes);

  function chunks(site: TakeOverSite, ...pages: readonly number[]): Buffer[] {
    const bitmap = new PageBitmap(4 * REGION_PAGES);
    for (const one of pages) bitmap.add(one);
    return spaceChunks(site.views, bitmap).map((chunk) => Buffer.from(chunk));
  }
  const nothing = bitmapOf([], 'compacted', 0);
  const whole = { announcement: 0, regions: 3, chunks: chunkCount, bitmap: nothing } as const;
  /** A bit of a region in the chunk that its page lies in. */
  function withBit(all: Buffer[], gpa: number): Buffer[] {
    const at = Math.floor(gpa / PAGE_BYTES);
    const chunk = all[Math.floor(at / (8 * CHUNK_BYTES))]!;
    chunk[Math.floor(at / 8) % CHUNK_BYTES]! |= 1 << (at % 8);
    return all;
  }

  it('is put together, region by region', () => {
    const site = toldSite();
    const pages = [page(1, 0), page(1, 511), page(2, 2), page(3, 33)];
    for (const chunk of chunks(site, ...pages)) site.takeOver.takeChunk(chunk);
    site.takeOver.handOver(handOver(whole));
    expect([site.declined, site.absent, site.safepoints.lackingPages]).toEqual([undefined, pages, 4]);
  });

  it('that was cut comes again from its beginning, and what came before counts no more', () => {
    const site = toldSite();
    const before = chunks(site, page(1, 5), page(3, 6));
    for (const chunk of before.slice(0, 7)) site.takeOver.takeChunk(chunk);
    site.takeOver.connected();
    for (const chunk of chunks(site, page(3, 6))) site.takeOver.takeChunk(chunk);
    site.takeOver.handOver(handOver(whole));
    expect(site.absent).toEqual([page(3, 6)]);
    // And once more: what is answered is answered again.
    site.takeOver.connected();
    for (const chunk of before) site.takeOver.takeChunk(chunk);
    site.takeOver.handOver(handOver(whole));
    expect([site.absent, site.log.filter((what) => what === 'TAKEN_OVER 0 1').length]).toEqual([
      [page(3, 6)],
      2,
    ]);
  });

  it.each([
    ['is not whole', (all: Buffer[]) => all.slice(1), whole],
    ['is of fewer chunks than it says', (all: Buffer[]) => all, { ...whole, chunks: chunkCount + 1 }],
    ['is of more chunks than it says', (all: Buffer[]) => all, { ...whole, chunks: 0 }],
    ['did not come', () => [], whole],
    ['goes on', (all: Buffer[]) => [...all, all[0]!], whole],
    ['has a chunk that is too short', (all: Buffer[]) => [all[0]!.subarray(1), ...all.slice(1)], whole],
    ['names a region that was not told', (all: Buffer[]) => withBit(all, REGION_BYTES), whole],
    [
      'names a page past the end, in the last region',
      (all: Buffer[]) => withBit(all, segments.memoryBytes),
      whole,
    ],
    ['names a region past the end', (all: Buffer[]) => withBit(all, TIB + 9 * REGION_BYTES), whole],
  ])('that %s is refused', (_, change, told) => {
    const site = toldSite();
    for (const chunk of change(chunks(site, page(1, 5)))) site.takeOver.takeChunk(chunk);
    site.takeOver.handOver(handOver(told));
    expectRefused(site, /chunk|names page/);
    expect(site.absent).toEqual([]);
  });
});
