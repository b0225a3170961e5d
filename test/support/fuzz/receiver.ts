// A page receiver over a guest of which every byte is known: whatever it is fed, only pages that an accepted head named
// may be others afterwards, and what lies around the guest may not.
// Knows the receiver from outside; where its input comes from is the tests'.
import { NewestPages } from '../../../src/destination/pages/newest-pages.js';
import { IncomingRound } from '../../../src/destination/pages/incoming-round.js';
import { PageReceiver } from '../../../src/destination/pages/page-receiver.js';
import { ProtocolError } from '../../../src/shared/errors.js';
import { PageBitmap } from '../../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState, REGION_PAGES } from '../../../src/shared/memory/pages.js';
import { decodeMark, type RegionHead } from '../../../src/shared/wire/page-frames.js';
import { guestOf, isSameBytes, isUntouchedAround, pageOf } from '../../unit/page-fixtures.js';
import type { Chance } from './chance.js';

/** Two regions and the beginning of a third. */
const PAGES = 1100;
const RECEIVERS = 2;
const known = Buffer.alloc(PAGE_BYTES, 0xa5);
const allKnown = Buffer.alloc(PAGES * PAGE_BYTES, 0xa5);

export class FuzzedReceiver {
  readonly #views = guestOf(PAGES);
  readonly #newest = new PageBitmap(PAGES);
  regionsPlaced = 0;

  constructor() {
    this.#views.segments[0]!.bytes.set(allKnown);
  }

  /** Feeds the stream to a new receiver; throws where it does anything that it may not. */
  take(chance: Chance, stream: Buffer): void {
    const views = this.#views;
    const isGuestRunning = chance.isOneIn(3);
    const absent = new Set<number>();
    if (isGuestRunning) for (let page = 0; page < PAGES; page++) if (chance.isOneIn(2)) absent.add(page);
    for (const page of absent) views.pageTable[page] = PageState.ABSENT;
    const named = new Set<number>();
    const receiver = this.#newReceiver(chance, named, isGuestRunning);
    try {
      for (let at = 0; at < stream.length;) {
        const { target } = receiver;
        if (target.length === 0) throw new Error('the receiver has no room for the next bytes');
        const part = stream.subarray(at, at + Math.min(target.length, 1 + chance.below(8192)));
        target.set(part);
        receiver.advance(part.length);
        at += part.length;
      }
    } catch (error) {
      if (!(error instanceof ProtocolError)) throw error;
    }
    receiver.reset();
    if (this.#inside !== 0) throw new Error('the gate still has somebody inside');
    this.#look(named, absent, isGuestRunning);
  }

  #inside = 0;

  #newReceiver(chance: Chance, named: Set<number>, isGuestRunning: boolean): PageReceiver {
    const share = { index: chance.below(RECEIVERS), receivers: RECEIVERS };
    const round = new IncomingRound(share);
    const order = {
      check: (head: RegionHead, isPushed: boolean): void => {
        // The recorded rounds are of any number; the one that is under way is the first that comes.
        round.check({ ...head, round: round.round }, isPushed);
        if (head.region % share.receivers !== share.index)
          throw new Error('a region of another connection was taken');
        for (let page = 0; page < REGION_PAGES; page++)
          if ((((head.sent[page >>> 5]! | head.zero[page >>> 5]!) >>> (page & 31)) & 1) !== 0)
            named.add(head.region * REGION_PAGES + page);
      },
      notePlaced: (head: RegionHead): void => {
        this.regionsPlaced++;
        round.notePlaced(head);
      },
    };
    const gate = {
      enter: (): boolean => {
        this.#inside++;
        return true;
      },
      leave: (): void => {
        this.#inside--;
      },
    };
    const receiver = new PageReceiver(this.#views, order, gate, new NewestPages(this.#newest, share), {
      frame: ({ header, body }) => {
        if (header.name !== 'ROUND_END')
          throw new ProtocolError(`a ${header.name} frame on a page connection`);
        const [ended, pages] = decodeMark(body);
        round.end(ended, pages);
      },
      arrived: () => undefined,
    });
    receiver.isGuestRunning = isGuestRunning;
    receiver.pageChecks = chance.isOneIn(2);
    return receiver;
  }

  #look(named: ReadonlySet<number>, absent: ReadonlySet<number>, isGuestRunning: boolean): void {
    const views = this.#views;
    for (let page = 0; page < PAGES; page++) {
      const state = views.pageTable[page];
      const mayBeWritten = named.has(page) && (!isGuestRunning || absent.has(page));
      const isOther = !isSameBytes(pageOf(views, page), known);
      if (isOther && !mayBeWritten) throw new Error(`page ${page} was overwritten, and nobody may`);
      if (isOther) pageOf(views, page).set(known);
      const states = absent.has(page) ? [PageState.ABSENT, PageState.ARRIVED] : [PageState.PRESENT];
      if (!(states as (number | undefined)[]).includes(state))
        throw new Error(`page ${page} is in state ${state}`);
      if (state === PageState.ABSENT && isOther) throw new Error(`page ${page} is written and absent still`);
      views.pageTable[page] = PageState.PRESENT;
    }
    if (!isUntouchedAround(views)) throw new Error('something around the guest was written');
  }
}
