import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/shared/errors.js';
import { PAGE_BYTES, PageState, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { encodeHeader, FRAME_HEADER_BYTES, FrameType } from '../../src/shared/wire/frames.js';
import {
  CHECKED,
  encodeMark,
  headBytesOf,
  MARK_BYTES,
  PUSHED,
  REGION_HEAD_BYTES,
} from '../../src/shared/wire/page-frames.js';
import {
  allPages,
  AnyOrder,
  feed,
  guestOf,
  isRefused,
  isSame,
  isSameBytes,
  isUntouchedAround,
  pageOf,
  receiverOver,
  sealed,
  regionsOf,
  write,
} from './page-fixtures.js';

const { PRESENT, TRACED, ARRIVED, ABSENT, PLACING } = PageState;

describe('a region that is pushed to a running guest', () => {
  it('is placed where a page is absent and spurned everywhere else', () => {
    const pageCount = 513;
    const source = guestOf(pageCount);
    const destination = guestOf(pageCount);
    const { receiver, order, arrivals } = receiverOver(destination, new AnyOrder(), true);
    receiver.isGuestRunning = true;
    const states = fc.constantFrom(PRESENT, TRACED, ARRIVED, ABSENT, ABSENT, PLACING);
    const fates = fc.array(fc.record({ state: states, version: fc.nat({ max: 2 }) }), {
      minLength: pageCount,
      maxLength: pageCount,
      size: 'max',
    });
    fc.assert(
      fc.property(fates, (pages) => {
        pages.forEach(({ state, version }, page) => {
          write(source, page, version);
          write(destination, page, 3);
          destination.pageTable[page] = state;
        });
        order.pages = 0;
        receiver.spurnedPages = 0;
        const placedBefore = arrivals();
        feed(receiver, regionsOf(source, allPages(pageCount), 0, PUSHED | CHECKED), () => 100_000);
        pages.forEach(({ state }, page) => {
          const isPlaced = state === ABSENT;
          if (destination.pageTable[page] !== (isPlaced ? ARRIVED : state))
            expect.fail(`page ${page} went from state ${state} to ${destination.pageTable[page]}`);
          const isSourcePage = isSameBytes(pageOf(source, page), pageOf(destination, page));
          if (isSourcePage !== isPlaced) expect.fail(`page ${page} in state ${state} has the wrong bytes`);
        });
        expect(receiver.spurnedPages).toBe(pages.filter(({ state }) => state !== ABSENT).length);
        expect(order.pages).toBe(pageCount);
        expect(arrivals() - placedBefore).toBe(pages.filter(({ state }) => state === ABSENT).length);
      }),
      { numRuns: 20 },
    );
  });

  it('clears an absent page that holds an older copy', () => {
    const source = guestOf(3);
    const destination = guestOf(3);
    const { receiver } = receiverOver(destination);
    for (const page of [0, 1, 2]) write(source, page, 1);
    feed(receiver, regionsOf(source, allPages(3), 0));
    write(source, 1, 0);
    destination.pageTable.fill(ABSENT, 0, 3);
    receiver.isGuestRunning = true;
    feed(receiver, regionsOf(source, allPages(3), 0, PUSHED));
    expect(isSame(source, destination)).toBe(true);
    expect([...destination.pageTable.subarray(0, 3)]).toEqual([ARRIVED, ARRIVED, ARRIVED]);
  });

  it('changes nothing of the guest before it is whole', () => {
    const source = guestOf(3);
    const destination = guestOf(3);
    const { receiver, arrivals } = receiverOver(destination);
    receiver.isGuestRunning = true;
    for (const page of [0, 1, 2]) write(source, page, 1);
    destination.pageTable.fill(ABSENT, 0, 3);
    const stream = regionsOf(source, allPages(3), 0, PUSHED);
    feed(receiver, stream.subarray(0, -1), () => 1000);
    expect(isSame(guestOf(3), destination)).toBe(true);
    expect([...destination.pageTable.subarray(0, 3)]).toEqual([ABSENT, ABSENT, ABSENT]);
    expect(arrivals()).toBe(0);
    feed(receiver, stream.subarray(-1));
    expect(isSame(source, destination)).toBe(true);
    expect(arrivals()).toBe(3);
  });

  it('is refused before the guest runs, as is one that would overwrite it after', () => {
    const source = guestOf(3);
    write(source, 1, 1);
    for (const isGuestRunning of [false, true]) {
      const destination = guestOf(3);
      const { receiver } = receiverOver(destination);
      receiver.isGuestRunning = isGuestRunning;
      const wrongKind = regionsOf(source, allPages(3), 0, isGuestRunning ? 0 : PUSHED);
      const header = wrongKind.subarray(0, FRAME_HEADER_BYTES);
      expect(() => {
        feed(receiver, header);
      }).toThrow(ProtocolError);
      expect(isSame(guestOf(3), destination)).toBe(true);
    }
  });
});

describe('a hostile page stream', () => {
  it.each([
    ['has a region shorter than its head', encodeHeader('PAGES', REGION_HEAD_BYTES - 1, 0, [])],
    ['has a region of no bytes', encodeHeader('PAGES', 0, 0, [])],
    ['brings a hand-over', encodeHeader('HAND_OVER', 5000, 0, [])],
    ['brings a page that belongs on the fault connection', encodeHeader('PAGE_SENT', 8 + PAGE_BYTES, 0, [])],
    ['has a frame of type 0', Buffer.alloc(FRAME_HEADER_BYTES)],
    ['has a frame of an unknown type', Buffer.from('ff0000000000000000000000', 'hex')],
    ['has a region of 4 GiB', Buffer.from([FrameType.PAGES, 0, 0, 0, 255, 255, 255, 255, 0, 0, 0, 0])],
  ])('is refused with the header when it %s', (_, header) => {
    expect(isRefused(receiverOver(guestOf(3)).receiver, header)).toBe(true);
  });

  it('is refused with the head of a region, before any of its pages', () => {
    const source = guestOf(4);
    write(source, 3, 1);
    const destination = guestOf(3);
    const head = regionsOf(source, allPages(4), 0).subarray(0, FRAME_HEADER_BYTES + REGION_HEAD_BYTES);
    expect(isRefused(receiverOver(destination).receiver, head)).toBe(true);
  });

  it('is refused with the head of a region that has a flag nobody knows', () => {
    const head = Buffer.alloc(REGION_HEAD_BYTES);
    const frame = Buffer.concat([encodeHeader('PAGES', REGION_HEAD_BYTES, 4, [head]), head]);
    expect(isRefused(receiverOver(guestOf(3)).receiver, frame)).toBe(true);
  });

  it.each([0, CHECKED])('is refused when a bit of a head or of a mark was flipped (flags %d)', (flags) => {
    const source = guestOf(3);
    write(source, 1, 1);
    const destination = guestOf(3);
    const region = regionsOf(source, allPages(3), 0, flags);
    const head = region.subarray(0, FRAME_HEADER_BYTES + headBytesOf(flags));
    for (const frame of [head, encodeMark('ROUND_END', 0, 3)]) {
      for (let bit = 0; bit < frame.length * 8; bit++) {
        const damaged = Buffer.from(frame);
        damaged[bit >>> 3]! ^= 1 << (bit & 7);
        const { receiver, frames } = receiverOver(destination, new AnyOrder(), flags === CHECKED);
        // A length that grew leaves the receiver waiting for the rest.
        const isWaiting = !isRefused(receiver, damaged);
        if (frames.length > 0) expect.fail(`bit ${bit} was not noticed`);
        if (isWaiting) expect(bit >>> 5, `bit ${bit}`).toBe(1);
      }
    }
    expect(isSame(guestOf(3), destination)).toBe(true);
  });

  it.each([CHECKED, CHECKED | PUSHED])(
    'takes nothing of a checked region with a bit flipped for placed (flags %d)',
    (flags) => {
      const source = guestOf(3);
      for (const page of [0, 2]) write(source, page, 1);
      const region = regionsOf(source, allPages(3), 0, flags);
      const isPushed = (flags & PUSHED) !== 0;
      const first = FRAME_HEADER_BYTES + REGION_HEAD_BYTES;
      for (let at = first; at < region.length; at += at % 97 === 0 ? 1 : 13) {
        const destination = guestOf(3);
        destination.pageTable.fill(ABSENT, 0, 3);
        const { receiver, order, gate } = receiverOver(destination, new AnyOrder(), true);
        receiver.isGuestRunning = isPushed;
        const damaged = Buffer.from(region);
        damaged[at]! ^= 1 << (at & 7);
        expect(isRefused(receiver, damaged), `byte ${at}`).toBe(true);
        expect([order.regions, order.pages]).toEqual([0, 0]);
        // What is lacking is overwritten by the next that comes; a guest that runs has nothing of it.
        receiver.reset();
        expect(gate.shut()).toBe(true);
        if (isPushed) expect(isSame(guestOf(3), destination)).toBe(true);
        expect([...destination.pageTable.subarray(0, 3)]).toEqual([ABSENT, ABSENT, ABSENT]);
      }
    },
  );

  it.each([
    ['without a check where one was agreed', 0, true],
    ['with a check where none was agreed', CHECKED, false],
  ])('is refused when its pages come %s', (_, flags, pageChecks) => {
    const source = guestOf(3);
    write(source, 1, 1);
    const { receiver } = receiverOver(guestOf(3), undefined, pageChecks);
    const header = regionsOf(source, allPages(3), 0, flags).subarray(0, FRAME_HEADER_BYTES);
    expect(isRefused(receiver, header)).toBe(true);
  });

  it.each([false, true])(
    'never writes but to pages that it announced, and meets ProtocolError only (guest runs: %s)',
    (isGuestRunning) => {
      const pageCount = 3;
      const source = guestOf(pageCount);
      for (const page of [0, 2]) write(source, page, 1);
      const flags = isGuestRunning ? PUSHED : 0;
      const stream = Buffer.concat([
        regionsOf(source, allPages(pageCount), 0, flags),
        encodeMark('ROUND_END', 0, pageCount),
        regionsOf(source, allPages(pageCount), 1, flags),
      ]);
      const headBytes = FRAME_HEADER_BYTES + REGION_HEAD_BYTES;
      const second = headBytes + 2 * PAGE_BYTES + FRAME_HEADER_BYTES + MARK_BYTES;
      // Most changes hit a header or a head; those of pages teach nothing.
      const places = fc.oneof(
        fc.nat({ max: headBytes }),
        fc.integer({ min: second, max: second + headBytes }),
        fc.nat({ max: stream.length - 1 }),
      );
      const changes = fc.array(fc.tuple(places, fc.oneof(fc.nat({ max: 7 }), fc.nat({ max: 255 }))), {
        maxLength: 3,
      });
      const destination = guestOf(pageCount);
      const untouchedPage = Buffer.alloc(PAGE_BYTES, 0xaa);
      fc.assert(
        fc.property(changes, fc.nat({ max: stream.length }), (changed, cutAt) => {
          const hostile = Buffer.from(stream.subarray(0, cutAt));
          for (const [at, byte] of changed) if (at < hostile.length) hostile[at] = byte;
          destination.segments[0]!.bytes.fill(0xaa);
          destination.pageTable.fill(isGuestRunning ? ABSENT : PRESENT, 0, pageCount);
          const { receiver } = receiverOver(destination);
          receiver.isGuestRunning = isGuestRunning;
          isRefused(receiver, sealed(hostile));
          const announced = announcedPages(hostile);
          for (let page = 0; page < pageCount; page++) {
            const isTouched = !isSameBytes(pageOf(destination, page), untouchedPage);
            if (isTouched && !announced.has(page)) expect.fail(`page ${page} was written and not announced`);
          }
          expect(isUntouchedAround(destination)).toBe(true);
        }),
        { numRuns: 500 },
      );
    },
  );

  it('meets random bytes with ProtocolError and nothing else', () => {
    const destination = guestOf(3);
    const header = fc
      .tuple(fc.constantFrom(...Object.values(FrameType)), fc.nat({ max: 2 }), fc.nat({ max: 9000 }))
      .map(([type, flags, bodyBytes]) => {
        const bytes = Buffer.alloc(FRAME_HEADER_BYTES);
        bytes[0] = type;
        bytes[1] = flags;
        bytes.writeUInt32BE(bodyBytes, 4);
        return bytes;
      });
    const pieces = fc.array(fc.oneof(header, fc.uint8Array({ maxLength: 300 })), { maxLength: 8 });
    fc.assert(
      fc.property(pieces, fc.boolean(), (parts, isGuestRunning) => {
        const { receiver } = receiverOver(destination);
        receiver.isGuestRunning = isGuestRunning;
        isRefused(receiver, sealed(Buffer.concat(parts)));
      }),
      { numRuns: 500 },
    );
  });
});

/** Pages that a stream names in heads of regions, up to the first frame that makes no sense. */
function announcedPages(stream: Buffer): Set<number> {
  const pages = new Set<number>();
  for (let at = 0; at + FRAME_HEADER_BYTES <= stream.length;) {
    const body = at + FRAME_HEADER_BYTES;
    if (stream[at] === FrameType.PAGES && body + REGION_HEAD_BYTES <= stream.length) {
      const firstPage = stream.readUInt32BE(body + 4) * REGION_PAGES;
      for (let page = 0; page < REGION_PAGES; page++) {
        const byte = body + 8 + (page >>> 3);
        const named = stream[byte]! | stream[byte + REGION_PAGES / 8]!;
        if ((named >>> (page & 7)) & 1) pages.add(firstPage + page);
      }
    }
    at = body + stream.readUInt32BE(at + 4);
  }
  return pages;
}
