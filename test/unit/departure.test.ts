// A guest's leaving, step by step: the real departure, tracer and safepoints of a machine without vCPUs, over a line that
// is written down.
import { dirtyRegionsOf } from '../../src/source/tracer/dirty-snapshot.js';
import { describe, expect, it } from 'vitest';
import { registersOf } from '../../src/shared/guest/shared-machine.js';
import { BITMAP_HEADER_BYTES, expand } from '../../src/shared/memory/compacted-bitmap.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { SafepointError } from '../../src/shared/memory/safepoint-error.js';
import type { BitmapLogic } from '../../src/source/tracer/tracer.js';
import { DepartureSite, DEPARTING_PAGES as PAGES, HOW as how, pagesIn } from '../support/departure-site.js';
import { Chance } from '../support/simulated-world.js';

describe('a guest that is to leave', () => {
  it('is announced while it runs, and parked when the destination has marked what was announced', () => {
    const site = new DepartureSite();
    site.dirtied(1, 600);
    site.departure.begin(how);
    expect(site.log).toEqual(['ANNOUNCEMENT 1: 1 600']);
    site.departure.announced(1);
    expect(site.log).toEqual(['ANNOUNCEMENT 1: 1 600', 'park', 'HAND_OVER of 1: ', 'departed']);
    expect(site.gate.isPassed).toBe(true);
    expect(site.left?.announced).toMatchObject({ pages: 2, bytes: site.bitmapBytes[0] });
  });

  it.each(['raw', 'compacted'] as const)('is parked at once where its bitmap is %s', (logic) => {
    const site = new DepartureSite();
    site.dirtied(1, 600);
    site.dirties(7);
    site.departure.begin({ ...how, logic });
    expect(site.log).toEqual(['park', 'HAND_OVER of 0: 1 7 600', 'departed']);
    expect(site.left?.announced).toBeNull();
    expect(site.left?.last.dirtyPages).toBe(3);
  });

  it.each(['ahead', 'compacted'] as const)('runs on until there is a connection (%s)', (logic) => {
    const site = new DepartureSite();
    site.dirtied(1);
    site.line.isUp = false;
    site.departure.begin({ ...how, logic });
    expect([site.log, site.safepoints.isStopCommanded]).toEqual([[], false]);
    site.line.isUp = true;
    site.departure.connected();
    site.departure.announced(1);
    expect(site.log.at(-1)).toBe('departed');
    expect(site.log.filter((said) => said.startsWith('HAND_OVER'))).toHaveLength(1);
  });

  it.each([true, false])(
    'sends its most urgent pages behind the hand-over, if pages follow (%s)',
    (pagesFollow) => {
      const site = new DepartureSite();
      site.ahead = (lackingPages, pagesMax) => [lackingPages, pagesMax, 7];
      site.dirtied(1, 600);
      site.departure.begin({ ...how, pagesFollow });
      site.departure.announced(1);
      const ahead = site.log.filter((said) => said.startsWith('ahead'));
      expect(ahead).toEqual(pagesFollow ? ['ahead: 2 5 7'] : []);
      if (pagesFollow)
        expect(site.log.indexOf('ahead: 2 5 7')).toBe(site.log.indexOf('HAND_OVER of 1: ') + 1);
    },
  );

  it('takes its registers, and what its round and its vCPUs are, with it', () => {
    const site = new DepartureSite();
    for (const vcpu of [0, 1]) registersOf(site.machine, vcpu).fill(vcpu + 0.5);
    site.departure.begin(how);
    site.departure.announced(1);
    const { registers, finalRound, guestClockUs, pagesFollow, finalPages } = site.handOver!;
    expect(registers.map((ofVcpu) => [...new Set(ofVcpu)])).toEqual([[0.5], [1.5]]);
    expect({ finalRound, guestClockUs, pagesFollow, finalPages }).toEqual({
      finalRound: 3,
      guestClockUs: 0,
      pagesFollow: true,
      finalPages: 0,
    });
  });

  it('stays when one of its vCPUs cannot be parked, and nothing is handed over', () => {
    const site = new DepartureSite();
    site.departure.begin(how);
    site.safepoints.markExited(1);
    site.departure.announced(1);
    expect(site.log).toEqual(['ANNOUNCEMENT 1: ', 'park', 'stayed']);
    expect(site.stayed).toBeInstanceOf(SafepointError);
    expect(site.gate.isPassed).toBe(false);
    site.departure.connected();
    expect(site.log).toHaveLength(3);
  });
});

describe('what was said is said again on a new connection', () => {
  it('the announcement until it is answered, then the hand-over until it is', () => {
    const site = new DepartureSite();
    site.dirtied(5);
    site.departure.begin(how);
    const announcement = site.written[0];
    site.dirties(6);
    site.departure.connected();
    expect(site.written[1]).toEqual(announcement);
    expect(site.safepoints.isStopCommanded).toBe(false);
    site.departure.announced(1);
    const handOver = site.written[2];
    site.departure.connected();
    expect(site.written).toEqual([announcement, announcement, handOver, handOver]);
    site.departure.announced(1);
    expect(site.written).toHaveLength(4);
    site.departure.takenOver();
    site.departure.connected();
    expect(site.written).toHaveLength(4);
    // The one that was said twice left once.
    expect(site.log.filter((said) => said === 'departed' || said === 'park')).toEqual(['park', 'departed']);
  });

  it.each(['waiting', 'announcing', 'handed over'] as const)('and not after its end: %s', (when) => {
    const site = new DepartureSite();
    if (when === 'waiting') site.line.isUp = false;
    site.departure.begin(how);
    if (when === 'handed over') site.departure.announced(1);
    const before = site.written.length;
    site.departure.end();
    site.line.isUp = true;
    site.departure.connected();
    site.departure.announced(1);
    expect(site.written).toHaveLength(before);
    // One that had left was told of already.
    expect(site.log.at(-1)).toBe(when === 'handed over' ? 'departed' : 'stayed');
    expect(site.stayed).toBe(when === 'handed over' ? 'nobody said so' : undefined);
  });

  it('an answer to an earlier announcement is none to a later one', () => {
    const site = new DepartureSite();
    site.departure.begin(how);
    site.departure.end();
    site.departure.begin(how);
    site.departure.announced(1);
    site.departure.announced(3);
    expect(site.safepoints.isStopCommanded).toBe(false);
    site.departure.announced(2);
    expect(site.log.slice(-3)).toEqual(['park', 'HAND_OVER of 2: ', 'departed']);
  });
});

describe('a gate that is shut keeps the guest', () => {
  it.each(['ahead', 'compacted'] as const)('before anything is said (%s)', (logic) => {
    const site = new DepartureSite();
    site.gate.shut();
    site.departure.begin({ ...how, logic });
    site.departure.announced(1);
    expect(site.log.at(-1)).toBe('stayed');
    expect(site.handOver).toBeUndefined();
    expect(site.safepoints.isStopCommanded).toBe(false);
  });

  it('between the announcement and its answer', () => {
    const site = new DepartureSite();
    site.departure.begin(how);
    expect(site.gate.shut()).toBe(true);
    site.departure.announced(1);
    expect(site.log).toEqual(['ANNOUNCEMENT 1: ', 'stayed']);
    expect([site.stayed, site.line.areFaultsServed]).toEqual([undefined, false]);
    expect(site.safepoints.isStopCommanded).toBe(false);
  });

  it('while its last pages are taken: it is parked, and nothing of it is handed over', () => {
    const site = new DepartureSite();
    site.whileParked = () => {
      expect(site.gate.shut()).toBe(true);
    };
    site.departure.begin(how);
    site.departure.announced(1);
    expect(site.log).toEqual(['ANNOUNCEMENT 1: ', 'park', 'stayed']);
    expect([site.gate.isPassed, site.line.areFaultsServed]).toEqual([false, false]);
    site.departure.connected();
    expect(site.log).toHaveLength(3);
  });

  it('but not once it has left: then it cannot be shut', () => {
    const site = new DepartureSite();
    site.departure.begin(how);
    site.departure.announced(1);
    expect([site.gate.shut(), site.gate.isPassed]).toEqual([false, true]);
  });
});

describe('only what was dirtied since the announcement crosses in the stun', () => {
  it('and a page that was dirtied again is counted once', () => {
    const site = new DepartureSite();
    site.dirtied(0, 31, 32, 513, PAGES - 1);
    site.departure.begin(how);
    site.dirties(31, 33, 513, 1024);
    site.departure.announced(1);
    expect(site.log.at(-2)).toBe('HAND_OVER of 1: 31 33 513 1024');
    expect(site.left?.last.dirtyPages).toBe(7);
    expect(pagesIn(site.tracer.dirty)).toEqual([0, 31, 32, 33, 513, 1024, PAGES - 1]);
    expect(dirtyRegionsOf(site.left!.dirty)).toEqual([
      [0, 4],
      [1, 1],
      [2, 2],
    ]);
  });

  it('nothing of a post-copy, which announces every page', () => {
    const site = new DepartureSite();
    site.departure.begin({ ...how, round: 0, everything: true });
    site.departure.announced(1);
    expect(site.handOver?.bitmap).toHaveLength(BITMAP_HEADER_BYTES);
    expect([site.left?.announced?.pages, site.left?.last.dirtyPages]).toEqual([PAGES, PAGES]);
  });

  it.each(['ahead', 'compacted', 'raw'] as const)(
    'what is said in all is what is dirty in all, and not a page more or less (%s)',
    (logic) => {
      for (let seed = 1; seed <= 60; seed++) {
        const chance = new Chance(seed);
        const some = (): number[] =>
          Array.from({ length: chance.between(0, 200) }, () => chance.between(0, PAGES - 1));
        expectAllSaid(logic, some(), some(), `seed ${seed}`);
      }
    },
  );

  function expectAllSaid(logic: BitmapLogic, before: number[], after: number[], name: string): void {
    const site = new DepartureSite();
    site.dirtied(...before);
    if (logic !== 'ahead') site.dirties(...after);
    site.departure.begin({ ...how, logic });
    if (logic === 'ahead') site.dirties(...after);
    site.departure.announced(1);
    const all = [...new Set([...before, ...after])].sort((one, other) => one - other);
    const said = new PageBitmap(PAGES);
    for (const bitmap of site.bitmaps) for (const page of pagesIn(expand(bitmap, PAGES))) said.add(page);
    expect(pagesIn(said), name).toEqual(all);
    expect(pagesIn(site.tracer.dirty), name).toEqual(all);
    expect(site.left?.last.dirtyPages, name).toBe(all.length);
    if (logic === 'ahead')
      expect(pagesIn(expand(site.handOver!.bitmap, PAGES)), name).toEqual(
        [...new Set(after)].sort((a, b) => a - b),
      );
  }

  it('and the next leaving begins anew', () => {
    const site = new DepartureSite();
    site.dirtied(1);
    site.departure.begin(how);
    site.whileParked = () => site.gate.shut();
    site.dirties(2);
    site.departure.announced(1);
    expect(site.stayed).toBeUndefined();
    site.whileParked = () => undefined;
    site.gate.open();
    site.departure.begin(how);
    site.dirties(3);
    site.departure.announced(2);
    expect(site.log.slice(-4)).toEqual(['ANNOUNCEMENT 2: 1 2', 'park', 'HAND_OVER of 2: 2 3', 'departed']);
  });

  it.each(['ahead', 'compacted'] as const)(
    'and nothing of an attempt before is said or hinted at (%s)',
    (logic) => {
      const site = new DepartureSite();
      site.departure.begin(how);
      site.dirties(2, 600);
      site.whileParked = () => site.gate.shut();
      site.departure.announced(1);
      site.whileParked = () => undefined;
      site.departure.end();
      site.tracer.removeTraces();
      site.tracer.installTraces();
      site.tracer.harvest();
      site.gate.open();
      site.departure.begin({ ...how, logic });
      if (logic === 'ahead') site.dirties(3);
      site.departure.announced(2);
      expect(site.log.at(-2)).toBe(logic === 'ahead' ? 'HAND_OVER of 2: 3' : 'HAND_OVER of 0: ');
      expect(site.latePages).toEqual(logic === 'ahead' ? [3] : []);
    },
  );
});

describe('pages of a guest that has left', () => {
  it.each([
    [{ pagesFollow: true, pagesMax: Infinity }, true],
    [{ pagesFollow: false, pagesMax: Infinity }, false],
    [{ pagesFollow: false, pagesMax: 3 }, false],
    [{ pagesFollow: false, pagesMax: 2 }, true],
  ] as const)('follow as it was told, or when they are too many: %o', (told, follow) => {
    const site = new DepartureSite();
    site.dirtied(1, 2);
    site.departure.begin({ ...how, ...told });
    site.dirties(2, 9);
    site.departure.announced(1);
    expect(site.left?.pagesFollow).toBe(follow);
    expect(site.handOver).toMatchObject({ pagesFollow: follow, finalPages: follow ? 0 : 3 });
    expect(site.line.areFaultsServed).toBe(follow);
  });

  it('may be asked for from the hand-over on, and not after its end', () => {
    const site = new DepartureSite();
    site.departure.begin(how);
    expect(site.line.areFaultsServed).toBe(false);
    site.departure.announced(1);
    // Before the hand-over is written: the first request may come at once.
    expect(site.servedAtWriting).toEqual([false, true]);
    site.departure.takenOver();
    expect(site.line.areFaultsServed).toBe(true);
    site.departure.end();
    expect(site.line.areFaultsServed).toBe(false);
  });
});
