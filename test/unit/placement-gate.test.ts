// A guest that is handed over against regions that are still coming in: nothing of it is overwritten any more.
import { describe, expect, it } from 'vitest';
import { allocatePlacementGate, PlacementGate } from '../../src/destination/pages/placement-gate.js';
import { ProtocolError } from '../../src/shared/errors.js';
import { FRAME_HEADER_BYTES } from '../../src/shared/wire/frames.js';
import { CHECKED, REGION_HEAD_BYTES } from '../../src/shared/wire/page-frames.js';
import {
  allPages,
  feed,
  guestOf,
  isRefused,
  isSame,
  receiverOver,
  somePages,
  regionsOf,
  write,
} from './page-fixtures.js';

const HEAD_BYTES = FRAME_HEADER_BYTES + REGION_HEAD_BYTES;

describe('the placement gate', () => {
  it('lets nobody in once it is shut, and tells whether somebody was inside', () => {
    const buffer = allocatePlacementGate(1);
    const [one, other, main] = [1, 2, 3].map(() => new PlacementGate(buffer, 1, 2));
    expect([one!.enter(), other!.enter()]).toEqual([true, true]);
    one!.leave();
    expect(main!.shut()).toBe(false);
    other!.leave();
    expect(main!.shut()).toBe(true);
    expect(one!.enter()).toBe(false);
    expect(main!.shut()).toBe(true);
  });
});

describe('a region that is under way when the guest is handed over', () => {
  const staged = { pages: somePages(20, 0, 2, 4, 6, 8, 10), flags: 0 };
  const zero = { pages: somePages(20, 19), flags: 0 };

  it.each([
    ['staged', staged],
    ['staged, and checked', { ...staged, flags: CHECKED }],
  ])('is not placed when it is %s', (_, { pages, flags }) => {
    const source = guestOf(20);
    for (let page = 0; page < 19; page++) write(source, page, 1);
    const destination = guestOf(20);
    const { receiver, gate } = receiverOver(destination, undefined, flags === CHECKED);
    const region = regionsOf(source, pages, 0, flags);
    feed(receiver, region.subarray(0, -1));
    expect(gate.shut()).toBe(true);
    // Whether the guest runs was read before the last bytes came: only the gate can tell.
    expect(isRefused(receiver, region.subarray(-1))).toBe(true);
    expect(isSame(guestOf(20), destination)).toBe(true);
  });

  it('clears no page', () => {
    const destination = guestOf(20);
    write(destination, 19, 1);
    const before = Buffer.from(destination.segments[0]!.bytes);
    const { receiver, gate } = receiverOver(destination);
    gate.shut();
    expect(isRefused(receiver, regionsOf(guestOf(20), zero.pages, 0))).toBe(true);
    expect(Buffer.compare(before, Buffer.from(destination.segments[0]!.bytes))).toBe(0);
  });

  it('keeps the guest from being handed over while the kernel may write to its memory', () => {
    const source = guestOf(3);
    for (const page of [0, 1, 2]) write(source, page, 1);
    const { receiver, gate } = receiverOver(guestOf(3));
    const region = regionsOf(source, allPages(3), 0);
    feed(receiver, region.subarray(0, HEAD_BYTES));
    expect(gate.shut()).toBe(false);
    // Its connection was lost: nothing is read into guest memory any more.
    receiver.reset();
    expect(gate.shut()).toBe(true);
  });

  it('lets the guest be handed over before its pages may come and after they are placed', () => {
    const source = guestOf(3);
    for (const page of [0, 1, 2]) write(source, page, 1);
    const region = regionsOf(source, allPages(3), 0);
    for (const cut of [0, FRAME_HEADER_BYTES, HEAD_BYTES - 1, region.length]) {
      const { receiver, gate } = receiverOver(guestOf(3));
      feed(receiver, region.subarray(0, cut));
      expect(gate.shut(), `after ${cut} bytes`).toBe(true);
    }
  });

  it('is refused with its head, and gets no byte of guest memory to be read into', () => {
    const source = guestOf(3);
    for (const page of [0, 1, 2]) write(source, page, 1);
    const destination = guestOf(3);
    const { receiver, gate } = receiverOver(destination);
    gate.shut();
    expect(() => {
      feed(receiver, regionsOf(source, allPages(3), 0).subarray(0, HEAD_BYTES));
    }).toThrow(ProtocolError);
    expect(receiver.target.buffer).not.toBe(destination.segments[0]!.buffer);
  });
});
