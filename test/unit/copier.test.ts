// The copier over links that are cut: what it sends again, in which pieces, and what it says was sent.
import { Duplex } from 'node:stream';
import type { Socket } from 'node:net';
import { describe, expect, it } from 'vitest';
import { IncomingRound } from '../../src/destination/pages/incoming-round.js';
import type { PageReceiver } from '../../src/destination/pages/page-receiver.js';
import type { MemoryViews } from '../../src/shared/memory/layout.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { Connection } from '../../src/shared/wire/connection.js';
import { decodeMark, encodeMark } from '../../src/shared/wire/page-frames.js';
import { Copier, type RoundProgress } from '../../src/source/pages/copier.js';
import type { FaultsBeside, RoundKind } from '../../src/source/pages/round-manner.js';
import { feed, guestOf, isSame, isSameBytes, pageOf, receiverOver, write } from './page-fixtures.js';

const PAGES = 2 * REGION_PAGES;
const KIB = 1024;

/** Carries so many bytes to the receiver, and is cut. */
class FakeLink extends Duplex {
  bytesWritten = 0;
  bytesRead = 0;
  readonly #receiver: PageReceiver;
  readonly #carried: (link: FakeLink) => void;
  #bytesLeft: number;

  constructor(receiver: PageReceiver, bytesMax: number, carried: (link: FakeLink) => void) {
    super();
    this.#carried = carried;
    this.#receiver = receiver;
    this.#bytesLeft = bytesMax;
  }

  override _write(chunk: Buffer, _: string, done: () => void): void {
    const carried = chunk.subarray(0, this.#bytesLeft);
    this.#bytesLeft -= carried.length;
    this.bytesWritten += carried.length;
    feed(this.#receiver, carried);
    this.#carried(this);
    if (this.#bytesLeft > 0) done();
    else this.destroy();
  }

  override _read(): void {
    // What is said is pushed.
  }
}

/** A copier, and a destination that dials again whenever a link was cut; `bytesMax` each may carry. */
function pair(
  source: MemoryViews,
  bytesMax: () => number,
  { faults, pageChecks = true }: { readonly faults?: FaultsBeside; readonly pageChecks?: boolean } = {},
) {
  const destination = guestOf(source.pageCount);
  const order = new IncomingRound({ index: 0, receivers: 1 });
  const { receiver, frames } = receiverOver(destination, order);
  const dirty = new PageBitmap(source.pageCount, source.dirtyWords);
  dirty.fill();
  const state = { links: 0, isStopped: false };
  let fail: (error: Error) => void = () => undefined;
  const stuck = new Promise<never>((_, reject) => {
    fail = reject;
  });
  receiver.pageChecks = pageChecks;
  const manner = { bytesPerSecond: undefined, pageChecks, isEncrypted: !pageChecks };
  const copier = new Copier(source, { first: 0, stride: 1 }, manner, faults);
  const dial = (): void => {
    if (++state.links > LINKS_MAX) {
      fail(new Error(`${order.pages} pages arrived over ${LINKS_MAX} links`));
      return;
    }
    receiver.reset();
    const answer = (link: FakeLink): void => {
      for (const frame of frames.splice(0)) {
        const [round, pages] = decodeMark(frame.body);
        order.end(round, pages);
        link.push(encodeMark('ROUND_PLACED', round, pages));
      }
    };
    const link = new FakeLink(receiver, bytesMax(), answer);
    link.on('close', dial);
    const connection = new Connection(link as unknown as Socket);
    const { round, regions } = order;
    connection.own({
      names: { own: 'a page connection', peer: 'the destination' },
      reads: copier.attach(connection, { round, regions }),
      lost: (error) => {
        copier.lose(error);
      },
    });
  };
  const progress: RoundProgress = { count: () => undefined, isStopped: () => state.isStopped };
  const copy = (kind: RoundKind): ReturnType<Copier['copyRound']> => {
    dial();
    return Promise.race([copier.copyRound(0, kind, progress), stuck]);
  };
  return { destination, receiver, order, dirty, state, copy };
}

const LINKS_MAX = 3000;

function fullGuest(): MemoryViews {
  const guest = guestOf(PAGES);
  // Every seventh is a zero page.
  for (let page = 0; page < PAGES; page++) write(guest, page, page % 7 === 0 ? 0 : 1);
  return guest;
}

describe('a link that is cut more often than it carries a region', () => {
  it.each([
    ['push', 100 * KIB, true],
    ['push', 30 * KIB, true],
    ['push', 100 * KIB, false],
    ['beside-guest', 100 * KIB, true],
    ['beside-guest', 30 * KIB, true],
    ['beside-guest', 100 * KIB, false],
    ['last', 100 * KIB, true],
  ] as const)(
    'brings every page all the same, most of them once: %s (%i bytes, checked: %s)',
    async (kind, bytesMax, pageChecks) => {
      const source = fullGuest();
      const { destination, receiver, state, copy } = pair(source, () => bytesMax, { pageChecks });
      if (kind === 'push') {
        destination.pageTable.fill(PageState.ABSENT, 0, PAGES);
        receiver.isGuestRunning = true;
      }
      const share = await copy(kind);
      expect(share.sentPages + share.zeroPages).toBe(PAGES);
      expect(isSame(source, destination)).toBe(true);
      expect(receiver.spurnedPages).toBe(0);
      expect(state.links).toBeLessThan((2 * PAGES * PAGE_BYTES) / bytesMax + 10);
    },
  );

  it('ends a region that has begun when its round is stopped: what stays dirty is what was not sent', async () => {
    for (const carried of [40, 150, 700, 1500, 2100]) {
      const source = fullGuest();
      let cuts = 0;
      const { destination, dirty, state, copy } = pair(source, () => {
        // Stopped once some pieces of a region have arrived.
        if (++cuts === 6) state.isStopped = true;
        return carried * KIB;
      });
      const share = await copy('beside-guest');
      const kept = dirty.count();
      expect([carried, share.sentPages + share.zeroPages + kept]).toEqual([carried, PAGES]);
      for (let page = 0; page < PAGES; page++)
        if (!dirty.has(page) && !isSameBytes(pageOf(source, page), pageOf(destination, page)))
          expect.fail(`page ${page} is not dirty any more and was not sent (${carried} KiB a link)`);
    }
  });
});

describe('a link that holds', () => {
  it.each([1, 31, 257, REGION_PAGES + 33])(
    'carries a guest of %i pages, whose last region is short',
    async (pages) => {
      const source = guestOf(pages);
      for (let page = 0; page < pages; page++) write(source, page, page % 7 === 0 ? 0 : 1);
      const { destination, copy } = pair(source, () => Infinity);
      const share = await copy('beside-guest');
      expect(share.sentPages + share.zeroPages).toBe(pages);
      expect(isSame(source, destination)).toBe(true);
    },
  );

  it.each([
    ['whole regions', 'last', [0, 1], 2],
    [
      'of a push no more than a few pages at a time, and those first that were dirtied last',
      'push',
      [1, 0],
      7,
    ],
  ] as const)('carries %s', async (_, kind, regions, framesMin) => {
    const source = fullGuest();
    const late = new PageBitmap(PAGES, source.lateWords);
    for (let page = REGION_PAGES; page < PAGES; page++) late.add(page);
    const { order, destination, receiver, copy } = pair(source, () => Infinity);
    if (kind === 'push') {
      destination.pageTable.fill(PageState.ABSENT, 0, PAGES);
      receiver.isGuestRunning = true;
    }
    const came: number[] = [];
    const note = order.notePlaced.bind(order);
    order.notePlaced = (head) => {
      came.push(head.region);
      note(head);
    };
    await copy(kind);
    expect([...new Set(came)]).toEqual(regions);
    expect(came.length).toBeGreaterThanOrEqual(framesMin);
    expect(isSame(source, destination)).toBe(true);
  });
});

describe('a push beside remote page faults', () => {
  it('holds back before each of its frames, a few pages each, and goes on around a page that was asked for', async () => {
    const source = fullGuest();
    const steps: string[] = [];
    let asked: number | undefined;
    const faults: FaultsBeside = {
      takeAsked: () => {
        const page = asked;
        asked = undefined;
        return page;
      },
      holdBack: () => steps.push('look'),
    };
    const { order, destination, receiver, copy } = pair(source, () => Infinity, { faults });
    destination.pageTable.fill(PageState.ABSENT, 0, PAGES);
    receiver.isGuestRunning = true;
    const note = order.notePlaced.bind(order);
    order.notePlaced = (head) => {
      steps.push(`region ${head.region}`);
      if (steps.length === 2) asked = REGION_PAGES + 100;
      note(head);
    };
    await copy('push');
    expect(isSame(source, destination)).toBe(true);
    expect(steps.slice(0, 6)).toEqual(['look', 'region 0', 'look', 'region 1', 'look', 'region 0']);
    expect(steps.length).toBeGreaterThan(2 * (PAGES / REGION_PAGES) * 3);
  });
});
