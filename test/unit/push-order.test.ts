// In which order a push goes over the pages, and that it gives each of them, whatever is asked for or cut meanwhile.
import { describe, expect, it } from 'vitest';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { REGION_PAGES } from '../../src/shared/memory/pages.js';
import { regionsInOnePiece } from '../../src/shared/memory/regions.js';
import { PushOrder } from '../../src/source/pages/push-order.js';
import { somePages } from './page-fixtures.js';

const PAGES = 4 * REGION_PAGES - 100;

/** A push of `dirty`, of which `late` were dirtied last, over one connection of `stride`. */
function pushOf(dirty: readonly number[], late: readonly number[] = [], stride = 1) {
  const pages = somePages(PAGES, ...dirty);
  const state: { asked: number | undefined } = { asked: undefined };
  const views = {
    pageCount: PAGES,
    regions: regionsInOnePiece(PAGES),
    dirtyWords: pages.words as Int32Array<SharedArrayBuffer>,
  };
  const takeAsked = (): number | undefined => {
    const { asked } = state;
    state.asked = undefined;
    return asked;
  };
  const order = new PushOrder(views, { first: 0, stride }, somePages(PAGES, ...late).words, takeAsked);
  /** The pages of the next frame, as many as fit; undefined when the push is over. */
  const frame = (pagesMax: number): number[] | undefined => {
    const place = order.next();
    if (place === undefined) return undefined;
    const { region, from, pages: left } = place;
    const end = Math.min(PAGES, (region + 1) * REGION_PAGES);
    const given: number[] = [];
    let page = region * REGION_PAGES + from;
    for (; page < end && given.length < pagesMax; page++) if (left.has(page)) given.push(page);
    order.noteWritten(page === end ? REGION_PAGES : page - region * REGION_PAGES);
    return given;
  };
  const rest = (pagesMax: number): number[][] => {
    const frames: number[][] = [];
    for (let next = frame(pagesMax); next !== undefined; next = frame(pagesMax)) frames.push(next);
    return frames;
  };
  return { order, pages, state, frame, rest };
}

describe('a push', () => {
  it('brings what was dirtied most recently first, and then the rest, each page once', () => {
    const { rest } = pushOf([1, 5, 40, 600, 1200, 1300], [40, 1200, 1300]);
    expect(rest(2)).toEqual([[40], [1200, 1300], [1, 5], [600]]);
  });

  it('goes on around a page that was asked for, one frame of it, and then in its order', () => {
    const { state, frame, rest } = pushOf([1, 2, 3, 4, 600, 601, 602, 603, 700]);
    expect(frame(2)).toEqual([1, 2]);
    state.asked = 601;
    expect(frame(2)).toEqual([601, 602]);
    expect(rest(2)).toEqual([[3, 4], [600, 603], [700]]);
  });

  it('leaves a page that was asked for to the connection whose region it is', () => {
    const { state, rest } = pushOf([1, 600, 1100], [], 2);
    state.asked = 600;
    expect(rest(9)).toEqual([[1], [1100]]);
  });

  it('does not bring what was answered meanwhile, also when nothing else is left', () => {
    const { pages, frame, rest } = pushOf([1, 2, 600]);
    expect(frame(1)).toEqual([1]);
    for (const page of [2, 600]) pages.words[page >>> 5]! &= ~(1 << (page & 31));
    expect(rest(1)).toEqual([]);
  });

  it('brings again, of all frames, only those that a cut connection lost', () => {
    const { order, state, frame, rest } = pushOf([1, 2, 3, 40, 600, 601, 1200], [40, 600]);
    expect(frame(9)).toEqual([40]);
    expect(frame(9)).toEqual([600]);
    state.asked = 2;
    expect(frame(1)).toEqual([2]);
    expect(frame(1)).toEqual([1]);
    order.goBack(1);
    expect(rest(9)).toEqual([[600], [1, 2, 3], [601], [1200]]);
  });

  it('gives every page once whatever is asked for and cut, on any number of connections', () => {
    let seed = 1;
    const random = (below: number): number => {
      seed = (Math.imul(seed, 1664525) + 1013904223) >>> 0;
      return Math.floor((seed / 2 ** 32) * below);
    };
    for (let run = 0; run < 200; run++) {
      const every = Array.from({ length: PAGES }, (_, page) => page);
      const some = every.filter(() => random(3) === 0);
      const { order, state, frame } = pushOf(
        some,
        every.filter(() => random(4) === 0),
      );
      const frames: number[][] = [];
      for (;;) {
        if (random(5) === 0) state.asked = random(PAGES);
        const next = frame(1 + random(64));
        if (next === undefined) break;
        frames.push(next);
        if (random(30) !== 0) continue;
        const arrived = random(frames.length + 1);
        order.goBack(arrived);
        frames.length = arrived;
      }
      const given = new PageBitmap(PAGES);
      for (const page of frames.flat()) {
        if (given.has(page)) expect.fail(`run ${run}: page ${page} is pushed twice`);
        given.add(page);
      }
      expect(given.count()).toBe(some.length);
    }
  });
});
