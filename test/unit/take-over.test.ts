// The taking over of a guest, step by step, in a real machine whose vCPUs never run: what is marked, restored and
// answered, in which order, and what is declined.
import { describe, expect, it } from 'vitest';
import { MicrostunError, ProtocolError } from '../../src/shared/errors.js';
import { REGISTERS_PER_VCPU } from '../../src/shared/guest/guest-program.js';
import { registersOf } from '../../src/shared/guest/shared-machine.js';
import { PageState } from '../../src/shared/memory/pages.js';
import { Command } from '../../src/shared/memory/safepoint-words.js';
import {
  announcement,
  bitmapOf,
  handOver,
  INCOMING_PAGES as PAGES,
  TakeOverSite,
} from '../support/take-over-site.js';
import { Chance } from '../support/simulated-world.js';

const COMMAND = 1;

function isCommandedToRun({ machine }: TakeOverSite): boolean {
  return new Int32Array(machine.safepointWords)[COMMAND] === Command.RUN;
}

/** Nothing of the guest is this side's, and a vCPU of it would not run. */
function expectNotTaken(site: TakeOverSite): void {
  expect([site.gate.isPassed, site.safepoints.isHandedOver, isCommandedToRun(site)]).toEqual([
    false,
    false,
    false,
  ]);
  expect(site.log.filter((what) => /TAKEN|RUN|taken/.test(what))).toEqual([]);
  expect(registersOf(site.machine, 0)[0]).toBe(0);
}

describe('an announcement', () => {
  it('has its pages marked, and is answered with their number', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 0, 31, 32, 700, PAGES - 1));
    expect(site.absent).toEqual([0, 31, 32, 700, PAGES - 1]);
    expect(site.log).toEqual(['ANNOUNCED 1 5']);
    expectNotTaken(site);
  });

  it('is answered as often as it is said', () => {
    const site = new TakeOverSite();
    for (let turn = 0; turn < 2; turn++) site.takeOver.announce(announcement(1, 4, 5));
    expect(site.log).toEqual(['ANNOUNCED 1 2', 'ANNOUNCED 1 2']);
    expect(site.absent).toEqual([4, 5]);
  });

  it('takes the place of the one before: what is announced no longer is here', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4, 5, 600));
    site.takeOver.announce(announcement(2, 5, 6));
    expect(site.absent).toEqual([5, 6]);
    expect(site.views.pageTable[4]).toBe(PageState.PRESENT);
    expect(site.log.at(-1)).toBe('ANNOUNCED 2 2');
  });

  it.each([
    ['of another guest', bitmapOf([1], 'compacted', PAGES - 1)],
    ['that is none', Uint8Array.of(9, 0, 0, 4, 76)],
    ['with a run past the end', Buffer.concat([bitmapOf([]), Uint8Array.of(0, 0xff, 0x7f)])],
    ['with an empty run', Buffer.concat([bitmapOf([]), Uint8Array.of(0, 0)])],
  ])('with a bitmap %s is refused, and changes no mark', (_, bitmap) => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4));
    const wrong = Buffer.concat([announcement(2).subarray(0, 4), bitmap]);
    site.takeOver.announce(wrong);
    expect(site.declined).toBeInstanceOf(ProtocolError);
    expect(site.absent).toEqual([4]);
    // And no guest is taken from whom said it.
    site.takeOver.handOver(handOver({ pages: [5] }));
    expect([site.absent, site.gate.isPassed]).toEqual([[4], false]);
  });

  it('that comes after the hand-over changes nothing and is not answered', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4));
    site.takeOver.handOver(handOver());
    const { length } = site.log;
    site.takeOver.announce(announcement(2, 9));
    expect([site.absent, site.log.length]).toEqual([[4], length]);
  });
});

describe('a hand-over', () => {
  it('has what was announced and what was dirtied since lacking, each page once', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4, 5, 600));
    // Page 4 was not dirtied again: it is fetched all the same.
    site.takeOver.handOver(handOver({ pages: [5, 6, PAGES - 1] }));
    expect(site.absent).toEqual([4, 5, 6, 600, PAGES - 1]);
    expect(site.safepoints.lackingPages).toBe(5);
    expect(site.facts).toMatchObject({ pagesFollow: true, lackingPages: 5 });
  });

  it('is answered before the vCPUs are told to run, and all is in its place by then', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4));
    site.takeOver.handOver(handOver({ pages: [6] }));
    expect(site.log).toEqual(['ANNOUNCED 1 1', 'TAKEN_OVER 0 2', 'RUN', 'taken over']);
    const whole = { absent: [4, 6], isHandedOver: true, registers: [1, 2], clockUs: 4000 };
    expect(site.seen.slice(1)).toEqual([
      { when: 'TAKEN_OVER 0 2', ...whole },
      { when: 'RUN', ...whole },
    ]);
    expect([site.gate.isPassed, site.gate.shut(), site.placement.enter()]).toEqual([true, false, false]);
    expect(isCommandedToRun(site)).toBe(true);
  });

  it('that is said again is answered again, and done once', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4, 5));
    site.takeOver.handOver(handOver({ pages: [6] }));
    registersOf(site.machine, 0)[0] = 77;
    site.safepoints.notePlaced(1);
    site.takeOver.handOver(handOver({ pages: [6, 7] }));
    expect(site.log.slice(1)).toEqual(['TAKEN_OVER 0 3', 'RUN', 'taken over', 'TAKEN_OVER 0 2']);
    expect([site.absent, registersOf(site.machine, 0)[0]]).toEqual([[4, 5, 6], 77]);
  });

  it.each(['compacted', 'raw'] as const)('without announcement names all by itself (%s)', (format) => {
    const site = new TakeOverSite();
    site.takeOver.handOver(handOver({ announcement: 0, bitmap: bitmapOf([3, 900], format) }));
    expect([site.absent, site.log]).toEqual([
      [3, 900],
      ['TAKEN_OVER 0 2', 'RUN', 'taken over'],
    ]);
  });

  it('without announcement makes void what was announced before', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 3, 4));
    site.takeOver.handOver(handOver({ announcement: 0, pages: [4, 5] }));
    expect([site.absent, site.safepoints.lackingPages]).toEqual([[4, 5], 2]);
  });

  it('counts what it lacks, whatever is announced and dirtied', () => {
    for (let seed = 1; seed <= 40; seed++) {
      const chance = new Chance(seed);
      const some = (): number[] =>
        Array.from({ length: chance.between(0, 150) }, () => chance.between(0, PAGES - 1));
      const site = new TakeOverSite();
      const announced = some();
      const late = some();
      site.takeOver.announce(announcement(1, ...some()));
      site.takeOver.announce(announcement(2, ...announced));
      site.takeOver.handOver(handOver({ announcement: 2, pages: late }));
      const all = [...new Set([...announced, ...late])].sort((one, other) => one - other);
      expect(site.absent, `seed ${seed}`).toEqual(all);
      expect(site.safepoints.lackingPages, `seed ${seed}`).toBe(all.length);
    }
  });
});

describe('a hand-over of a pre-copy', () => {
  const last = { pagesFollow: false, finalRound: 2, finalPages: 3, pages: [5, 6] } as const;

  it('takes over with no page absent when its last round has brought what was announced and dirtied since', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4, 5));
    site.placed(2, 4, 5, 6);
    site.takeOver.handOver(handOver(last));
    expect(site.log).toEqual(['ANNOUNCED 1 2', 'TAKEN_OVER 2 0', 'RUN', 'taken over']);
    expect([site.absent, site.facts?.lackingPages, site.facts?.pagesFollow]).toEqual([[], 0, false]);
    expect(site.seen.at(-1)).toMatchObject({ absent: [], registers: [1, 2], isHandedOver: true });
  });

  it('waits for its last round, on every connection, and says so once', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4, 5));
    site.placed(1);
    site.takeOver.handOver(handOver(last));
    site.takeOver.handOver(handOver(last));
    site.placement.notePlaced(0, 2);
    site.takeOver.roundPlaced();
    expect(site.log).toEqual(['ANNOUNCED 1 2', 'placing']);
    expectNotTaken(site);
    // A receiver may still come in meanwhile.
    expect(site.placement.enter()).toBe(true);
    site.placement.leave();
    // What was announced stands, whatever is announced now.
    site.takeOver.announce(announcement(2, 9));
    site.placed(2, 4, 5, 6);
    site.takeOver.roundPlaced();
    site.takeOver.roundPlaced();
    expect(site.log).toEqual(['ANNOUNCED 1 2', 'placing', 'TAKEN_OVER 2 0', 'RUN', 'taken over']);
    expect(site.absent).toEqual([]);
  });

  it.each([
    ['a page of the announcement', [5, 6]],
    ['a page that was dirtied since', [4, 5]],
  ])('is declined when %s did not come', (_, came) => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4, 5));
    site.placed(2, ...came);
    site.takeOver.handOver(handOver(last));
    expect(site.declined).toBeInstanceOf(ProtocolError);
    expectNotTaken(site);
  });

  it.each([
    ['brought a page that it does not name', { ...last }, [4, 5, 6, 7]],
    ['should bring fewer pages', { ...last, finalPages: 2 }, [4, 5, 6]],
    ['should bring more pages', { ...last, finalPages: 4 }, [4, 5, 6]],
  ])('is declined when its last round %s', (_, told, came) => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4, 5));
    site.placed(2, ...came);
    site.takeOver.handOver(handOver(told));
    expect(site.declined).toBeInstanceOf(ProtocolError);
    expectNotTaken(site);
  });

  it('does not mistake an announcement that is void for pages that must come', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4, 5));
    site.placed(2, 6);
    site.takeOver.handOver(handOver({ ...last, announcement: 0, finalPages: 1, pages: [6] }));
    expect([site.absent, site.log.at(-1)]).toEqual([[], 'taken over']);
  });

  it('that was declined while it waited is not taken up again', () => {
    const site = new TakeOverSite();
    site.takeOver.handOver(handOver({ ...last, announcement: 0, finalPages: 2 }));
    site.placed(3, 5, 6);
    site.takeOver.roundPlaced();
    site.placed(2, 5, 6);
    site.takeOver.roundPlaced();
    expect(site.log).toEqual(['placing', 'declined']);
    expectNotTaken(site);
  });

  it('that was declined is not taken over when it is said again, before anybody has heard of that', () => {
    const site = new TakeOverSite();
    expect(site.placement.enter()).toBe(true);
    site.takeOver.handOver(handOver({ announcement: 0 }));
    site.placement.leave();
    site.takeOver.announce(announcement(1, 4));
    site.takeOver.handOver(handOver({ announcement: 0 }));
    expect([site.log, site.absent]).toEqual([['declined'], []]);
    expectNotTaken(site);
  });
});

describe('a hand-over is declined, and the gate is not passed', () => {
  const registers = Array.from({ length: 3 }, () => new Float64Array(REGISTERS_PER_VCPU));

  it.each([
    ['builds on another announcement', handOver({ announcement: 2 })],
    ['is of fewer vCPUs', handOver({ registers: registers.slice(0, 1) })],
    ['is of more vCPUs', handOver({ registers })],
    ['has a bitmap of another guest', handOver({ bitmap: bitmapOf([1], 'raw', PAGES + 1) })],
    ['has a bitmap that is cut short', handOver({ bitmap: bitmapOf([1], 'raw').subarray(0, -1) })],
    ['has a bitmap that goes on', handOver({ bitmap: Buffer.concat([bitmapOf([1]), Uint8Array.of(1)]) })],
    ['has a clock that makes no sense', handOver({ guestClockUs: -1 })],
    ['says that a later round was the last before it', handOver({ finalRound: 2 })],
    ['is cut short', handOver().subarray(0, 20)],
    ['is empty', Buffer.alloc(0)],
  ])('when it %s', (_, body) => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4));
    site.takeOver.handOver(body);
    expect(site.declined).toBeInstanceOf(ProtocolError);
    expect(site.absent).toEqual([4]);
    expectNotTaken(site);
  });

  it('when nothing was announced that it could build on', () => {
    const site = new TakeOverSite();
    site.takeOver.handOver(handOver({ announcement: 1 }));
    expect(site.declined).toBeInstanceOf(ProtocolError);
    expectNotTaken(site);
  });

  it.each([true, false])(
    'when a round was placed that it does not know of (pages follow: %s)',
    (pagesFollow) => {
      const site = new TakeOverSite();
      site.placed(3);
      site.takeOver.handOver(handOver({ announcement: 0, pagesFollow, finalRound: 2 }));
      expect(site.declined).toBeInstanceOf(ProtocolError);
      expectNotTaken(site);
    },
  );

  it('when one receiver is further than the other', () => {
    const site = new TakeOverSite();
    site.placement.notePlaced(1, 0);
    site.takeOver.handOver(handOver({ announcement: 0, finalRound: 1 }));
    expect(site.declined).toBeInstanceOf(ProtocolError);
    expectNotTaken(site);
  });

  it('when a region of pages is on its way', () => {
    const site = new TakeOverSite();
    expect(site.placement.enter()).toBe(true);
    site.takeOver.handOver(handOver({ announcement: 0 }));
    expect(site.declined).toBeInstanceOf(ProtocolError);
    expectNotTaken(site);
  });

  it('when a vCPU has ended', () => {
    const site = new TakeOverSite();
    site.safepoints.markExited(1);
    site.takeOver.handOver(handOver({ announcement: 0 }));
    expect(site.declined).toBeInstanceOf(MicrostunError);
    expect(site.declined).toMatchObject({ code: 'GUEST_FAILED' });
    expectNotTaken(site);
  });
});

describe('a gate that is shut', () => {
  it('keeps announcements and hand-overs out: nothing is marked, answered or run', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4));
    expect(site.gate.shut()).toBe(true);
    site.takeOver.announce(announcement(2, 5));
    site.takeOver.handOver(handOver({ pages: [6] }));
    site.takeOver.handOver(Buffer.alloc(0));
    expect([site.absent, site.log]).toEqual([[4], ['ANNOUNCED 1 1']]);
    expectNotTaken(site);
  });

  it.each([true, false])('while a hand-over is looked at keeps it out (pages follow: %s)', (pagesFollow) => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4));
    site.placed(0, 4, 6);
    site.whileChecked = () => site.gate.shut();
    const finalRound = pagesFollow ? 1 : 0;
    site.takeOver.handOver(handOver({ pagesFollow, finalRound, finalPages: 2, pages: [6] }));
    expect([site.absent, site.log]).toEqual([[4], ['ANNOUNCED 1 1']]);
    expectNotTaken(site);
  });

  it('keeps out a hand-over that waits for its last pages', () => {
    const site = new TakeOverSite();
    site.takeOver.announce(announcement(1, 4));
    site.takeOver.handOver(handOver({ pagesFollow: false, finalPages: 1 }));
    expect(site.gate.shut()).toBe(true);
    site.placed(0, 4);
    site.takeOver.roundPlaced();
    expect([site.absent, site.log]).toEqual([[4], ['ANNOUNCED 1 1', 'placing']]);
    expectNotTaken(site);
  });

  it('is not opened by what comes before it was', () => {
    const site = new TakeOverSite();
    site.gate.shut();
    site.takeOver.handOver(handOver({ announcement: 0 }));
    site.gate.open();
    site.takeOver.roundPlaced();
    expectNotTaken(site);
    site.takeOver.handOver(handOver({ announcement: 0 }));
    expect(site.log).toEqual(['TAKEN_OVER 0 0', 'RUN', 'taken over']);
  });
});
