// Which slot a region gets, here and as it has it elsewhere: every refusal, and what is left where two want the same.
import { describe, expect, it } from 'vitest';
import { PAGE_BYTES, PageState, REGION_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { NoSlotError, SlotError, SlotMaker, regionsInOnePiece } from '../../src/shared/memory/regions.js';
import { SegmentedGuest } from '../support/segmented-guest.js';

const { PRESENT, OUTSIDE } = PageState;
const TIB = 2 ** 40;
const GIB = 2 ** 30;

/** A guest whose last region has a page only. */
const cutShort = 4 * GIB - REGION_BYTES + PAGE_BYTES;
const lastRegion = Math.floor(cutShort / REGION_BYTES);

function makerOf(guest: SegmentedGuest): SlotMaker {
  return new SlotMaker(guest.regions, guest.events.awaitRoom);
}

function statesOf({ views }: SegmentedGuest, slot: number): number[] {
  return [...views.pageTable.subarray(slot * REGION_PAGES, (slot + 1) * REGION_PAGES)];
}

/** `guest`, in which another thread gives `region` a slot between two steps of whoever makes one. */
function overtaken(guest: SegmentedGuest, region: number, by: SlotMaker): SlotMaker {
  let isOvertaken = false;
  const { regions } = guest;
  const watched = Object.create(regions) as typeof regions;
  // Between the look and the exchange: a slot is fenced then.
  Object.defineProperty(watched, 'fence', {
    value: (slot: number, of: number) => {
      regions.fence(slot, of);
      if (of !== region || isOvertaken) return;
      isOvertaken = true;
      by.slotFor(region);
    },
  });
  return new SlotMaker(watched, guest.events.awaitRoom);
}

describe('a slot that is made', () => {
  it('is the next one, and marked in the summary; a region keeps it', () => {
    const guest = new SegmentedGuest(24 * TIB, 8);
    const maker = makerOf(guest);
    const far = 24 * 2 ** 19 - 1;
    expect([far, 0, far, 7, 0].map((region) => maker.slotFor(region))).toEqual([1, 2, 1, 3, 2]);
    expect([1, 2, 3, 4].map((slot) => guest.regions.regionAt(slot))).toEqual([far, 0, 7, undefined]);
    expect([...guest.views.summary]).toEqual([0, 1, 1, 1, 0, 0, 0, 0]);
    expect(guest.regions.count).toBe(4);
    expect(statesOf(guest, 1).every((state) => state === PRESENT)).toBe(true);
  });

  it('is none where all are taken, for each region that asks', () => {
    const guest = new SegmentedGuest(24 * TIB, 3);
    const maker = makerOf(guest);
    expect([maker.slotFor(5), maker.slotFor(6)]).toEqual([1, 2]);
    for (const region of [7, 8]) expect(() => maker.slotFor(region)).toThrow(NoSlotError);
    expect([5, 6, 7, 8].map((region) => guest.regions.slotOf(region))).toEqual([1, 2, 0, 0]);
    // What is asked for in vain is no slot in use.
    expect(guest.regions.count).toBe(3);
    expect(maker.slotFor(6)).toBe(2);
  });

  it('asks for room at every sixteenth, before it is anybody', () => {
    const guest = new SegmentedGuest(24 * TIB, 40);
    const maker = makerOf(guest);
    for (let region = 0; region < 39; region++) maker.slotFor(region);
    expect(guest.roomAsked).toEqual([16 * REGION_BYTES, 16 * REGION_BYTES]);
  });

  it('is no region of its own when the wait for room throws, and the next region goes on with the next slot', () => {
    const guest = new SegmentedGuest(24 * TIB, 20);
    const maker = new SlotMaker(guest.regions, () => {
      throw new Error('no room');
    });
    for (let region = 0; region < 15; region++) maker.slotFor(region);
    expect(() => maker.slotFor(15)).toThrow('no room');
    expect([guest.regions.slotOf(15), guest.regions.regionAt(16)]).toEqual([0, undefined]);
    expect(maker.slotFor(15)).toBe(17);
  });

  it('of the last region ends where the guest does', () => {
    const guest = new SegmentedGuest(cutShort, 4);
    expect(makerOf(guest).slotFor(lastRegion)).toBe(1);
    const states = statesOf(guest, 1);
    expect([states[0], states[1], states[REGION_PAGES - 1]]).toEqual([PRESENT, OUTSIDE, OUTSIDE]);
    expect(new Set(states.slice(1))).toEqual(new Set([OUTSIDE]));
    // And no other slot is touched by that.
    expect([statesOf(guest, 2)[0], statesOf(guest, 0)[0]]).toEqual([PRESENT, OUTSIDE]);
  });
});

describe('a region that two vCPUs touch first', () => {
  it('lies at the slot of the quicker, and the slower has its own to spare for the next', () => {
    const guest = new SegmentedGuest(24 * TIB, 8);
    const slower = overtaken(guest, 9, makerOf(guest));
    expect(slower.slotFor(9)).toBe(2);
    expect([guest.regions.regionAt(1), guest.regions.regionAt(2)]).toEqual([undefined, 9]);
    // Nobody's, and not marked: a harvest has nothing to take there.
    expect([...guest.views.summary]).toEqual([0, 0, 1, 0, 0, 0, 0, 0]);
    expect(slower.slotFor(10)).toBe(1);
    expect(guest.regions.regionAt(1)).toBe(10);
    expect([guest.views.summary[1], guest.regions.count]).toEqual([1, 3]);
    expect(slower.slotFor(11)).toBe(3);
  });

  it('leaves no fence in the spare slot when it is the last one', () => {
    const guest = new SegmentedGuest(cutShort, 8);
    const slower = overtaken(guest, lastRegion, makerOf(guest));
    expect(slower.slotFor(lastRegion)).toBe(2);
    expect(statesOf(guest, 1).every((state) => state === PRESENT)).toBe(true);
    expect(statesOf(guest, 2)[1]).toBe(OUTSIDE);
    expect(slower.slotFor(3)).toBe(1);
    expect(statesOf(guest, 1).every((state) => state === PRESENT)).toBe(true);
  });
});

describe('a region that has its slot elsewhere', () => {
  it('gets that one, whatever came before, once and as often as it is said', () => {
    const { regions, views } = new SegmentedGuest(24 * TIB, 8);
    expect([regions.place(5, 100), regions.place(2, 0), regions.place(5, 100)]).toEqual([true, true, false]);
    expect([regions.slotOf(100), regions.slotOf(0), regions.slotOf(1)]).toEqual([5, 2, 0]);
    expect([regions.regionAt(5), regions.regionAt(2), regions.regionAt(3)]).toEqual([100, 0, undefined]);
    // Its pages come as they are: nothing of it was dirtied here.
    expect([...views.summary].every((mark) => mark === 0)).toBe(true);
    expect(regions.count).toBe(6);
    expect(regions.place(7, 24 * 2 ** 19 - 1)).toBe(true);
    expect(regions.count).toBe(8);
  });

  it.each([
    ['slot 0', 0, 1, /^slot 0 is none/],
    ['a slot that this host does not have', 8, 1, /^slot 8 is none of the 7 slots/],
    ['the largest slot that can be said', 2 ** 32 - 1, 1, /^slot 4294967295 is none/],
    ['a region past the end', 1, 24 * 2 ** 19, /^region 12582912 lies outside/],
    ['the largest region that can be said', 1, 2 ** 32 - 1, /^region 4294967295 lies outside/],
    ['another slot', 4, 100, /^region 100 lies at slot 3, not at slot 4/],
    ["another region's slot", 3, 101, /^slot 3 is of region 100, not of region 101/],
    ['the slot of one and the region of another', 3, 7, /lies at slot 5/],
  ])('is refused with %s, and nothing changes', (_, slot, region, why) => {
    const { regions, views } = new SegmentedGuest(24 * TIB, 8);
    regions.place(3, 100);
    regions.place(5, 7);
    const before = [...regions.words.owners, regions.count, ...views.pageTable];
    expect(() => regions.place(slot, region)).toThrow(SlotError);
    expect(() => regions.place(slot, region)).toThrow(why);
    expect([...regions.words.owners, regions.count, ...views.pageTable]).toEqual(before);
    expect([regions.slotOf(100), regions.slotOf(7), regions.slotOf(101)]).toEqual([3, 5, 0]);
  });

  it('has nothing past its end when it is the last, and is not fenced when it is whole', () => {
    const guest = new SegmentedGuest(cutShort, 8);
    guest.regions.place(3, lastRegion);
    guest.regions.place(4, lastRegion - 1);
    expect(statesOf(guest, 3).slice(0, 2)).toEqual([PRESENT, OUTSIDE]);
    expect(statesOf(guest, 4).at(-1)).toBe(PRESENT);
  });

  it('is followed by slots that are made here, none of them one that was placed', () => {
    const guest = new SegmentedGuest(24 * TIB, 8);
    guest.regions.place(4, 100);
    const maker = makerOf(guest);
    expect([maker.slotFor(100), maker.slotFor(1), maker.slotFor(2)]).toEqual([4, 5, 6]);
  });
});

describe('the first and the last region', () => {
  it.each([
    ['whole', 24 * TIB, 24 * 2 ** 19 - 1],
    ['cut short', cutShort, lastRegion],
    ['a page', 24 * TIB + PAGE_BYTES, 24 * 2 ** 19],
  ])('are there, and no other, where the last is %s', (_, memoryBytes, last) => {
    const { regions } = new SegmentedGuest(memoryBytes, 4);
    expect([regions.slotOf(0), regions.slotOf(last)]).toEqual([0, 0]);
    expect(() => regions.place(1, last + 1)).toThrow(SlotError);
    expect(regions.place(1, last)).toBe(true);
  });
});

describe('the regions of a guest in one piece', () => {
  it('lie where they are, from 0 on', () => {
    const regions = regionsInOnePiece(1100);
    expect([regions.first, regions.count, regions.regionAt(2)]).toEqual([0, 3, 2]);
  });
});
