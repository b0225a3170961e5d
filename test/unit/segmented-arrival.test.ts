// What comes in of a guest in segments: pages by their frames, whichever segment they lie in; what is touched for them, and
// what is missing, by its guest addresses.
import { describe, expect, it } from 'vitest';
import { ArrivingPages } from '../../src/destination/pages/arriving-pages.js';
import { touchedParts, touchPages } from '../../src/destination/memory/touch.js';
import { ProtocolError } from '../../src/shared/errors.js';
import type { GuestMachine } from '../../src/shared/guest/machine.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, PageState, REGION_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { placeAbsentPage, settleArrived } from '../../src/shared/memory/placement.js';
import { CHECKED } from '../../src/shared/wire/page-frames.js';
import { RegionWriter } from '../../src/source/pages/region-writer.js';
import { SegmentedGuest } from '../support/segmented-guest.js';
import { feed, receiverOver } from './page-fixtures.js';

const { PRESENT, ABSENT, PLACING, ARRIVED } = PageState;
const MEMORY_BYTES = 2 ** 40 + PAGE_BYTES;
const SLOTS = 2100;
/** Neighbours, the second of them in the second segment. */
const BORDER = 2048;

function guestOf(): SegmentedGuest {
  const guest = new SegmentedGuest(MEMORY_BYTES, SLOTS);
  guest.regions.place(BORDER - 1, 7);
  guest.regions.place(BORDER, 2 ** 19 - 1);
  return guest;
}

/** The PAGES frames of some pages of the source, as they would cross the wire now. */
function framesOf({ views }: SegmentedGuest, frames: readonly number[], flags = 0): Buffer {
  const pages = new PageBitmap(views.pageCount);
  for (const frame of frames) pages.add(frame);
  const writer = new RegionWriter(views);
  return Buffer.concat(
    [...new Set(frames.map((frame) => Math.floor(frame / REGION_PAGES)))].flatMap((slot) => [
      ...(writer.frame(pages, 0, slot, flags)?.parts ?? []),
    ]),
  );
}

describe('a receiver of a guest in segments', () => {
  it.each([0, CHECKED])(
    'places pages on both sides of the end of a segment, and zero pages (flags %d)',
    (flags) => {
      const source = guestOf();
      const destination = new SegmentedGuest(MEMORY_BYTES, SLOTS);
      const far = (2 ** 19 - 1) * REGION_BYTES;
      const addresses = [
        ...[0, 1, 2, 100, 101, 511].map((page) => 7 * REGION_BYTES + page * PAGE_BYTES),
        ...[0, 2, 4, 6, 8, 10, 511].map((page) => far + page * PAGE_BYTES),
      ];
      const { receiver } = receiverOver(destination.views, undefined, flags === CHECKED);
      for (const version of [1, 2]) {
        addresses.forEach((gpa, at) => {
          source.memory.fill(gpa, PAGE_BYTES, version === 2 && at % 3 === 0 ? 0 : 16 * version + at);
        });
        feed(
          receiver,
          framesOf(
            source,
            addresses.map((gpa) => source.frameAt(gpa)),
            flags,
          ),
        );
        for (const slot of [BORDER - 1, BORDER])
          expect(Buffer.compare(source.slotBytes(slot), destination.slotBytes(slot))).toBe(0);
      }
      // They came before anybody said whose they are; once that is said, the guest finds them.
      destination.regions.place(BORDER, 2 ** 19 - 1);
      expect(destination.memory.load8(far + 2 * PAGE_BYTES)).toBe(source.memory.load8(far + 2 * PAGE_BYTES));
      expect([0, 1, BORDER - 2, BORDER + 1].every((slot) => destination.slotBytes(slot)[0] === 0)).toBe(true);
    },
  );

  it('refuses slot 0, and slots that there are not', () => {
    const source = guestOf();
    const { receiver } = receiverOver(new SegmentedGuest(MEMORY_BYTES, BORDER).views);
    expect(() => {
      feed(receiver, framesOf(source, [5]));
    }).toThrow(ProtocolError);
    receiver.reset();
    expect(() => {
      feed(receiver, framesOf(source, [BORDER * REGION_PAGES]));
    }).toThrow(ProtocolError);
    receiver.reset();
    feed(receiver, framesOf(source, [(BORDER - 1) * REGION_PAGES]));
  });
});

describe('pages of a guest in segments that come while it runs', () => {
  it('are placed once and settled, in every segment', () => {
    const { views } = guestOf();
    const frames = [(BORDER - 1) * REGION_PAGES + 511, BORDER * REGION_PAGES];
    for (const frame of frames) views.pageTable[frame] = ABSENT;
    for (const [at, frame] of frames.entries())
      expect([
        placeAbsentPage(views, frame, new Uint8Array(PAGE_BYTES).fill(at + 1)),
        placeAbsentPage(views, frame, new Uint8Array(PAGE_BYTES).fill(9)),
      ]).toEqual([true, false]);
    expect(frames.map((frame) => views.pageTable[frame])).toEqual([ARRIVED, ARRIVED]);
    settleArrived(views, () => undefined);
    expect(frames.map((frame) => views.pageTable[frame])).toEqual([PRESENT, PRESENT]);
  });

  it('are missing by their guest addresses, in runs across slots', () => {
    const guest = new SegmentedGuest(MEMORY_BYTES, 12);
    const { regions, views } = guest;
    // Regions 40 and 41 side by side, in slots that are not; the last region in between.
    regions.place(5, 40);
    regions.place(2, 41);
    regions.place(3, 2 ** 19);
    Atomics.store(regions.words.used, 0, 9);
    const at = (slot: number, page: number): number => slot * REGION_PAGES + page;
    for (const frame of [at(5, 510), at(5, 511), at(2, 0), at(3, 0)]) views.pageTable[frame] = ABSENT;
    views.pageTable[at(2, 1)] = PLACING;
    views.pageTable[at(2, 3)] = ABSENT;
    views.pageTable[at(2, 2)] = ARRIVED;
    const arriving = new ArrivingPages({
      shared: { memory: guest.handle },
      safepoints: {},
    } as unknown as Pick<GuestMachine, 'shared' | 'safepoints'>);
    const first = 40 * REGION_PAGES;
    expect(arriving.missing()).toEqual({
      count: 6,
      runs: [
        [first + 510, first + 514],
        [first + 515, first + 516],
        [2 ** 28, 2 ** 28 + 1],
      ],
    });
  });
});

describe('what is touched of a guest in segments', () => {
  it.each([
    ['nothing but slot 0', 0, [REGION_BYTES]],
    ['the slots that it has', 3 * REGION_BYTES, [4 * REGION_BYTES]],
    ['all of the first segment', 2047 * REGION_BYTES, [2 ** 32]],
    ['the first slots of the second segment, those first', 2049 * REGION_BYTES, [2 * REGION_BYTES, 2 ** 32]],
    ['no more than there is', 2 ** 40, [(SLOTS - BORDER) * REGION_BYTES, 2 ** 32]],
  ])('is %s', (_, touchedBytes, expected) => {
    const guest = new SegmentedGuest(MEMORY_BYTES, SLOTS);
    const parts = touchedParts(guest.handle, touchedBytes);
    expect(parts.map(({ byteLength }) => byteLength)).toEqual(expected);
    expect(parts.every(({ byteOffset }) => byteOffset === 0)).toBe(true);
  });

  it('is as it was', () => {
    const guest = new SegmentedGuest(MEMORY_BYTES, 4);
    guest.memory.store32(2 ** 40, 77);
    for (const part of touchedParts(guest.handle, REGION_BYTES)) touchPages(part);
    expect(guest.memory.load32(2 ** 40)).toBe(77);
    expect(guest.memory.load8(5)).toBe(0);
  });
});
