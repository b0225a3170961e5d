// The taking over of a guest: when, and of which hand-over; and what of its memory is marked, restored and told.
import { describe, expect, it } from 'vitest';
import { allocatePlacementGate, PlacementGate } from '../../src/destination/pages/placement-gate.js';
import { TakeOver, type TakenOver } from '../../src/destination/take-over.js';
import { ProtocolError } from '../../src/shared/errors.js';
import { parkedClockUs } from '../../src/shared/guest/guest-clock.js';
import { REGISTERS_PER_VCPU } from '../../src/shared/guest/guest-program.js';
import { allocateMachine, registersOf } from '../../src/shared/guest/shared-machine.js';
import { compact } from '../../src/shared/memory/compacted-bitmap.js';
import { allocateHandOverGate, HandOverGate } from '../../src/shared/memory/hand-over-gate.js';
import { viewMemory } from '../../src/shared/memory/layout.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState } from '../../src/shared/memory/pages.js';
import { SafepointControl } from '../../src/shared/memory/safepoint-control.js';
import { FRAME_HEADER_BYTES, FrameReader } from '../../src/shared/wire/frames.js';
import { decodeMark } from '../../src/shared/wire/page-frames.js';
import {
  encodeAnnouncement,
  encodeHandOver,
  type HandOver,
} from '../../src/shared/wire/switch-over-frames.js';

const PAGES = 90;

function bitmapOf(pageCount: number, ...pages: number[]): Uint8Array<ArrayBuffer> {
  const bitmap = new PageBitmap(pageCount);
  for (const page of pages) bitmap.add(page);
  return compact(bitmap);
}

const bodyOf = (frame: readonly Uint8Array[]): Buffer => Buffer.concat(frame).subarray(FRAME_HEADER_BYTES);
const announcementOf = (number: number, ...pages: number[]): Buffer =>
  bodyOf(encodeAnnouncement({ number, bitmap: bitmapOf(PAGES, ...pages) }));

const good: HandOver = {
  announcement: 0,
  pagesFollow: true,
  finalRound: 3,
  finalPages: 0,
  registers: [new Float64Array(REGISTERS_PER_VCPU).fill(7), new Float64Array(REGISTERS_PER_VCPU).fill(8)],
  guestClockUs: 5,
  bitmap: bitmapOf(PAGES, 1, 8),
};

const preCopy: HandOver = { ...good, pagesFollow: false, finalPages: 2 };

/** A place with two page connections, both of which have placed round 2. */
function place() {
  const machine = allocateMachine({
    program: 'replay',
    memoryBytes: PAGES * PAGE_BYTES,
    vcpus: 2,
    seed: 1,
    writeRate: 1,
  });
  const { pageTable } = viewMemory(machine.memory);
  pageTable.fill(PageState.PRESENT, 0, PAGES);
  const safepoints = new SafepointControl(machine.safepointWords);
  const placement = new PlacementGate(allocatePlacementGate(PAGES), PAGES, 2);
  const gate = new HandOverGate(allocateHandOverGate());
  gate.open();
  const answers: string[] = [];
  const told: ('placing' | TakenOver | Error)[] = [];
  const takeOver = new TakeOver({
    machine,
    safepoints,
    placement,
    gate,
    answer: (frame) => {
      const [{ header, body }] = new FrameReader().consume(Buffer.from(frame)) as [
        ReturnType<FrameReader['consume']>[0],
      ];
      const isRunning = safepoints.isStopCommanded ? '' : ', running';
      answers.push(`${header.name} ${decodeMark(body).join(' ')}${isRunning}`);
    },
    placing: () => told.push('placing'),
    takenOver: (facts) => told.push(facts),
    declined: (error) => told.push(error as Error),
  });
  const places = (round: number): void => {
    placement.notePlaced(0, round);
    placement.notePlaced(1, round);
  };
  places(2);
  return {
    machine,
    safepoints,
    placement,
    gate,
    answers,
    told,
    takeOver,
    places,
    handOver: (handOver: HandOver) => {
      takeOver.handOver(bodyOf(encodeHandOver(handOver)));
    },
    absent: () =>
      Array.from({ length: PAGES }, (_, page) => page).filter(
        (page) => pageTable[page] !== PageState.PRESENT,
      ),
  };
}

/** Nothing of the guest was used, and it may not be any more. */
function expectDeclined(one: ReturnType<typeof place>, message: RegExp | string): void {
  const { told, gate, safepoints, answers } = one;
  expect(told.at(-1)).toBeInstanceOf(ProtocolError);
  expect((told.at(-1) as Error).message).toMatch(message);
  expect([gate.isPassed, safepoints.isHandedOver, safepoints.isStopCommanded]).toEqual([false, false, true]);
  expect(answers.filter((answer) => answer.startsWith('TAKEN_OVER'))).toEqual([]);
}

describe('a guest whose pages follow', () => {
  it('is taken over with all that it lacks marked, restored, and answered before it runs', () => {
    const one = place();
    one.handOver(good);
    expect(one.absent()).toEqual([1, 8]);
    expect([0, 1].map((vcpu) => registersOf(one.machine, vcpu)[0])).toEqual([7, 8]);
    expect(parkedClockUs(one.machine)).toBe(5);
    expect([one.safepoints.isHandedOver, one.safepoints.lackingPages]).toEqual([true, 2]);
    expect(one.answers).toEqual(['TAKEN_OVER 3 2']);
    expect(one.safepoints.isStopCommanded).toBe(false);
    expect(one.told).toMatchObject([{ pagesFollow: true, lackingPages: 2 }]);
    const { receivedAt, validatedAt, markedAt, answeredAt } = one.told[0] as TakenOver;
    expect([receivedAt, validatedAt, markedAt, answeredAt]).toEqual(
      [receivedAt, validatedAt, markedAt, answeredAt].toSorted((before, after) => before - after),
    );
  });

  it('may lack any number of them, none among those', () => {
    const one = place();
    one.handOver({ ...good, bitmap: bitmapOf(PAGES) });
    expect(one.answers).toEqual(['TAKEN_OVER 3 0']);
    expect(one.absent()).toEqual([]);
  });

  it('lacks what was announced and what was dirtied since, each page once', () => {
    const one = place();
    one.takeOver.announce(announcementOf(1, 1, 8, 40));
    expect(one.answers).toEqual(['ANNOUNCED 1 3']);
    one.handOver({ ...good, announcement: 1, bitmap: bitmapOf(PAGES, 8, 41) });
    expect(one.absent()).toEqual([1, 8, 40, 41]);
    expect(one.answers.at(-1)).toBe('TAKEN_OVER 3 4');
  });

  it('lacks what was announced last, when it was announced more than once', () => {
    const one = place();
    one.takeOver.announce(announcementOf(1, 1, 8, 40));
    one.takeOver.announce(announcementOf(2, 8, 9));
    // Said again on a new connection.
    one.takeOver.announce(announcementOf(2, 8, 9));
    expect(one.answers).toEqual(['ANNOUNCED 1 3', 'ANNOUNCED 2 2', 'ANNOUNCED 2 2']);
    one.handOver({ ...good, announcement: 2, bitmap: bitmapOf(PAGES, 9) });
    expect(one.absent()).toEqual([8, 9]);
  });

  it('lacks what the hand-over names and no more, when that builds on no announcement', () => {
    const one = place();
    one.takeOver.announce(announcementOf(1, 1, 40));
    one.handOver(good);
    expect(one.absent()).toEqual([1, 8]);
    expect(one.answers.at(-1)).toBe('TAKEN_OVER 3 2');
  });

  it('is refused when it builds on another announcement than came', () => {
    const one = place();
    one.takeOver.announce(announcementOf(1, 1, 40));
    one.handOver({ ...good, announcement: 2 });
    expectDeclined(one, 'builds on announcement 2, and the last that came was 1');
  });

  it('is refused while one connection is behind, or further than the round before the last', () => {
    const behind = place();
    behind.placement.notePlaced(1, 1);
    behind.handOver(good);
    expectDeclined(behind, 'round 2 was the last before it');
    const ahead = place();
    ahead.placement.notePlaced(1, 3);
    ahead.handOver(good);
    expectDeclined(ahead, 'round 2 was the last before it');
  });

  it('is refused while a region of its pages is on its way, and takes none after', () => {
    const one = place();
    expect(one.placement.enter()).toBe(true);
    one.handOver(good);
    expectDeclined(one, 'on its way');
    expect(one.placement.enter()).toBe(false);
  });
});

describe('a guest whose last pages come within the stun', () => {
  // As the receivers: the pages of the last round come with their checks.
  const brings = (one: ReturnType<typeof place>, ...pages: number[]): void => {
    for (const page of pages) one.placement.checkedPages.add(page);
    one.places(3);
    one.takeOver.roundPlaced();
  };

  it('is taken over once the last round has brought them on every connection', () => {
    const one = place();
    one.handOver(preCopy);
    expect(one.told).toEqual(['placing']);
    expect([one.gate.isPassed, one.answers.length]).toEqual([false, 0]);
    // One connection is not whole yet; and what is said again while it waits changes nothing.
    one.placement.checkedPages.add(1);
    one.placement.notePlaced(0, 3);
    one.takeOver.roundPlaced();
    one.handOver(preCopy);
    expect(one.told).toEqual(['placing']);
    brings(one, 8);
    expect(one.told.slice(1)).toMatchObject([{ pagesFollow: false, lackingPages: 0 }]);
    expect(one.answers).toEqual(['TAKEN_OVER 3 0']);
    expect(one.absent()).toEqual([]);
    expect(one.safepoints.isStopCommanded).toBe(false);
  });

  it('is taken over at once when the last round is there before the hand-over', () => {
    const one = place();
    brings(one, 1, 8);
    one.handOver(preCopy);
    expect(one.told).toMatchObject([{ pagesFollow: false, lackingPages: 0 }]);
  });

  it('is brought what was announced and what was dirtied since, and lacks nothing then', () => {
    const one = place();
    one.takeOver.announce(announcementOf(1, 1, 8));
    one.handOver({ ...preCopy, announcement: 1, finalPages: 3, bitmap: bitmapOf(PAGES, 8, 40) });
    expect(one.told).toEqual(['placing']);
    brings(one, 1, 8, 40);
    expect(one.told.slice(1)).toMatchObject([{ pagesFollow: false, lackingPages: 0 }]);
    expect(one.absent()).toEqual([]);
  });

  it.each([
    ['fewer pages than its bitmap', { finalPages: 1 }, [1], 'names 2 pages, the hand-over 1'],
    ['more pages than its bitmap', { finalPages: 3 }, [1, 8, 9], 'names 2 pages, the hand-over 3'],
    ['a page that did not come', {}, [1], 'did not bring page 8'],
    ['another page in the place of one', {}, [1, 9], 'did not bring page 8'],
    ['a page more than it names', {}, [1, 8, 9], 'brought page 9'],
  ])('is refused with %s', (_, wrong, pages, message) => {
    const one = place();
    one.handOver({ ...preCopy, ...wrong });
    brings(one, ...pages);
    expectDeclined(one, message);
  });

  it('is refused when another round came after the last', () => {
    const one = place();
    one.handOver(preCopy);
    one.places(4);
    one.takeOver.roundPlaced();
    expectDeclined(one, 'round 3 was the last before it');
  });
});

describe('a hand-over', () => {
  it.each<[string, Partial<HandOver>]>([
    ['fewer vCPUs', { registers: good.registers.slice(1) }],
    ['more vCPUs', { registers: [...good.registers, ...good.registers] }],
    ['a clock before its beginning', { guestClockUs: -1 }],
    ['a bitmap of a smaller guest', { bitmap: bitmapOf(PAGES - 1, 1, 7) }],
    ['a bitmap of a larger guest', { bitmap: bitmapOf(PAGES + 1, 1, 8) }],
    ['a bitmap that is none', { bitmap: Uint8Array.of(1, 2, 3, 4, 5) }],
    ['a bitmap with something behind it', { bitmap: Buffer.concat([good.bitmap, Buffer.of(0)]) }],
  ])('is declined with %s, and nothing of it is used', (_, wrong) => {
    for (const handOver of [good, preCopy]) {
      const one = place();
      one.handOver({ ...handOver, ...wrong });
      expectDeclined(one, '');
      expect(one.absent()).toEqual([]);
      expect(registersOf(one.machine, 0)[0]).toBe(0);
    }
  });

  it('is declined for a guest that is not whole here', () => {
    const one = place();
    one.safepoints.markExited(1);
    one.handOver(good);
    expect(one.told.at(-1)).toMatchObject({ code: 'GUEST_FAILED' });
    expect(one.gate.isPassed).toBe(false);
  });

  it('that was answered is answered again with what is lacking still, and the guest taken over once', () => {
    const one = place();
    one.handOver(good);
    one.safepoints.notePlaced(1);
    one.handOver(good);
    expect(one.answers).toEqual(['TAKEN_OVER 3 2', 'TAKEN_OVER 3 1, running']);
    expect(one.told).toHaveLength(1);
    // An announcement that comes late marks nothing of a guest that runs.
    one.takeOver.announce(announcementOf(1, 50));
    expect(one.absent()).toEqual([1, 8]);
    expect(one.answers).toHaveLength(2);
  });

  it('is not taken from whom the guest was refused, nor before it may be, nor once that comes while it waits', () => {
    const shut = place();
    expect(shut.gate.shut()).toBe(true);
    shut.handOver(good);
    shut.takeOver.announce(announcementOf(1, 50));
    expect([shut.told, shut.answers, shut.absent()]).toEqual([[], [], []]);
    const waiting = place();
    waiting.handOver(preCopy);
    expect(waiting.gate.shut()).toBe(true);
    for (const page of [1, 8]) waiting.placement.checkedPages.add(page);
    waiting.places(3);
    waiting.takeOver.roundPlaced();
    expect([waiting.told, waiting.answers]).toEqual([['placing'], []]);
    expect(waiting.safepoints.isStopCommanded).toBe(true);
  });

  it('keeps the main thread from refusing the guest once it is taken over', () => {
    const one = place();
    one.handOver(good);
    expect(one.gate.shut()).toBe(false);
  });

  it('keeps its announcement while it waits for the last round', () => {
    const one = place();
    one.takeOver.announce(announcementOf(1, 1, 8));
    one.handOver({ ...preCopy, announcement: 1, bitmap: bitmapOf(PAGES) });
    one.takeOver.announce(announcementOf(2, 60));
    expect(one.answers).toEqual(['ANNOUNCED 1 2']);
    for (const page of [1, 8]) one.placement.checkedPages.add(page);
    one.places(3);
    one.takeOver.roundPlaced();
    expect(one.absent()).toEqual([]);
    expect(one.answers.at(-1)).toBe('TAKEN_OVER 3 0');
  });

  it.each([
    ['another guest', bitmapOf(PAGES + 1, 3)],
    ['no guest', Uint8Array.of(9, 9, 9, 9, 9, 9)],
  ])('cannot build on an announcement of the pages of %s', (_, bitmap) => {
    const one = place();
    expect(() => {
      one.takeOver.announce(bodyOf(encodeAnnouncement({ number: 1, bitmap })));
    }).toThrow(ProtocolError);
    one.handOver({ ...good, announcement: 1 });
    expectDeclined(one, 'the last that came was 0');
  });
});
