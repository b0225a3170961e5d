import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { encodeFrame } from '../../src/shared/wire/frames.js';
import { CHECKED, decodeMark, encodeMark } from '../../src/shared/wire/page-frames.js';
import {
  allPages,
  feed,
  guestOf,
  isSame,
  pageOf,
  receiverOver,
  somePages,
  regionsOf,
  write,
} from './page-fixtures.js';

const range = (from: number, to: number): number[] => Array.from({ length: to - from }, (_, at) => from + at);

describe('a page receiver', () => {
  // Few runs of pages go straight into guest memory, many are packed: 3 pages and 11 try both.
  it.each([
    ['straight into place', 3, [1, 1, 1], [2, 0, 1]],
    ['run by run', 6, [1, 0, 1, 1, 0, 1], [0, 2, 0, 2, 2, 0]],
    ['packed, and moved apart', 11, [1, 0, 1, 0, 1, 0, 1, 0, 1, 0, 1], [0, 2, 0, 2, 0, 2, 0, 2, 0, 2, 0]],
  ])('places regions %s wherever the stream is cut in two', (_, pageCount, before, after) => {
    const source = guestOf(pageCount);
    const destination = guestOf(pageCount);
    before.forEach((version, page) => {
      write(source, page, version);
    });
    const first = regionsOf(source, allPages(pageCount), 0);
    after.forEach((version, page) => {
      write(source, page, version);
    });
    const stream = Buffer.concat([
      first,
      encodeMark('ROUND_END', 0, pageCount),
      regionsOf(source, allPages(pageCount), 1),
      encodeMark('ROUND_END', 1, pageCount),
    ]);
    const { receiver, order, frames } = receiverOver(destination);
    for (let cut = 0; cut <= stream.length; cut++) {
      frames.length = 0;
      order.pages = 0;
      order.regions = 0;
      feed(receiver, stream.subarray(0, cut));
      feed(receiver, stream.subarray(cut));
      if (!isSame(source, destination)) expect.fail(`memory differs after a cut at byte ${cut}`);
      if (frames.length !== 2 || order.pages !== 2 * pageCount || order.regions !== 2)
        expect.fail(`the count is wrong after a cut at byte ${cut}`);
    }
    expect(frames.map(({ header, body }) => [header.name, ...decodeMark(body)])).toEqual([
      ['ROUND_END', 0, pageCount],
      ['ROUND_END', 1, pageCount],
    ]);
  });

  it('makes good a packed region that was cut anywhere, by the next that brings its pages in pieces', () => {
    const pageCount = 20;
    const source = guestOf(pageCount);
    for (let page = 0; page < pageCount; page += 2) write(source, page, 1);
    const stream = regionsOf(source, allPages(pageCount), 0);
    for (let page = 0; page < pageCount; page++) write(source, page, page % 3 === 0 ? 2 : 0);
    const half = (from: number): Buffer =>
      regionsOf(source, somePages(pageCount, ...range(from, from + pageCount / 2)), 0);
    for (let cut = 0; cut < stream.length; cut += 997) {
      const destination = guestOf(pageCount);
      const { receiver } = receiverOver(destination);
      feed(receiver, stream.subarray(0, cut));
      receiver.reset();
      feed(receiver, half(0));
      feed(receiver, half(pageCount / 2));
      if (!isSame(source, destination)) expect.fail(`memory differs after a cut at byte ${cut}`);
    }
  });

  it('leaves a page alone that lies among those of a region and is not one of them', () => {
    const pageCount = 20;
    const source = guestOf(pageCount);
    const destination = guestOf(pageCount);
    for (const page of range(0, pageCount)) write(source, page, page % 2);
    write(destination, 10, 7);
    const { receiver } = receiverOver(destination);
    feed(
      receiver,
      regionsOf(source, somePages(pageCount, ...range(0, pageCount).filter((page) => page !== 10)), 0),
    );
    write(source, 10, 7);
    expect(isSame(source, destination)).toBe(true);
  });

  it('places a stream that comes byte by byte', () => {
    const source = guestOf(3);
    const destination = guestOf(3);
    write(source, 0, 1);
    write(source, 2, 2);
    const { receiver } = receiverOver(destination);
    feed(receiver, regionsOf(source, allPages(3), 0), () => 1);
    expect(isSame(source, destination)).toBe(true);
  });

  it.each([3, 512, 513, 1025])(
    'makes the memory of %d pages that of the source, round after round',
    (pageCount) => {
      const source = guestOf(pageCount);
      const destination = guestOf(pageCount);
      const { receiver, order } = receiverOver(destination);
      // A round: stretches of pages that it sends, with the version that the source gave them since; 0 is a zero page.
      const stretch = fc.record({
        first: fc.nat({ max: pageCount - 1 }),
        pages: fc.oneof(
          fc.constant(1),
          fc.integer({ min: 1, max: 40 }),
          fc.integer({ min: 1, max: pageCount }),
        ),
        version: fc.nat({ max: 3 }),
      });
      const rounds = fc.array(fc.array(stretch, { maxLength: 12 }), { minLength: 1, maxLength: 3 });
      const chunkSizes = fc.array(
        fc.oneof(fc.integer({ min: 1, max: 200 }), fc.integer({ min: 200, max: 300_000 })),
        { minLength: 1, maxLength: 20 },
      );
      fc.assert(
        fc.property(rounds, chunkSizes, fc.boolean(), (all, chunks, isChecked) => {
          let chunk = 0;
          receiver.pageChecks = isChecked;
          order.pages = 0;
          let sentPages = 0;
          all.forEach((stretches, round) => {
            const pages = somePages(pageCount);
            for (const { first, pages: length, version } of stretches) {
              for (let page = first; page < Math.min(pageCount, first + length); page++) {
                write(source, page, version);
                pages.add(page);
              }
            }
            // Small chunks only where there is little to cut: a chunk a byte of 4 MiB would only take time.
            const stream = regionsOf(source, pages, round, isChecked ? CHECKED : 0);
            feed(receiver, stream, () => Math.max(chunks[chunk++ % chunks.length]!, stream.length >>> 11));
            sentPages += pages.count();
          });
          expect(order.pages).toBe(sentPages);
          expect(isSame(source, destination)).toBe(true);
        }),
        { numRuns: 30 },
      );
    },
  );

  it('brings a page over that differs from zero in a single bit, wherever it is', () => {
    const source = guestOf(2);
    const destination = guestOf(2);
    const { receiver } = receiverOver(destination);
    for (let word = 0; word < PAGE_BYTES / 4; word++) {
      write(source, 1, 0);
      pageOf(source, 1)[4 * word + (word & 3)] = 1 << (word & 7);
      feed(receiver, regionsOf(source, allPages(2), word));
      if (!isSame(source, destination)) expect.fail(`the bit in word ${word} was lost`);
    }
  });

  it('clears a page that was not zero before, and no other', () => {
    const source = guestOf(513);
    const destination = guestOf(513);
    const { receiver } = receiverOver(destination);
    for (const page of [0, 255, 511, 512]) write(source, page, 1);
    feed(receiver, regionsOf(source, allPages(513), 0));
    for (const page of [255, 512]) write(source, page, 0);
    feed(receiver, regionsOf(source, somePages(513, 255, 512), 1));
    expect(isSame(source, destination)).toBe(true);
    expect(pageOf(destination, 511).some((byte) => byte !== 0)).toBe(true);
  });

  it('counts pages and whole regions as they are placed', () => {
    const source = guestOf(1025);
    const { receiver, order } = receiverOver(guestOf(1025));
    for (const page of [3, 600, 1024]) write(source, page, 1);
    const stream = regionsOf(source, allPages(1025), 0);
    feed(receiver, stream.subarray(0, -1));
    expect([order.regions, order.pages]).toEqual([2, 1024]);
    feed(receiver, stream.subarray(-1));
    expect([order.regions, order.pages, receiver.spurnedPages]).toEqual([3, 1025, 0]);
  });

  it('begins anew with a header after a reset in the middle of a frame', () => {
    const source = guestOf(3);
    for (const page of [0, 1, 2]) write(source, page, 1);
    const stream = regionsOf(source, allPages(3), 0);
    for (const cut of [1, 11, 12, 100, 148, 149, 5000, stream.length - 1]) {
      const destination = guestOf(3);
      const { receiver, order, frames } = receiverOver(destination);
      feed(receiver, stream.subarray(0, cut));
      receiver.reset();
      feed(receiver, stream);
      feed(receiver, encodeMark('ROUND_END', 0, 3));
      expect(isSame(source, destination)).toBe(true);
      expect(frames).toHaveLength(1);
      expect(order.pages).toBe(3);
    }
  });

  it('hands on frames that are no region, empty ones too, as copies that stay', () => {
    const { receiver, frames } = receiverOver(guestOf(1));
    feed(receiver, Buffer.concat(encodeFrame('FAREWELL', [])));
    feed(receiver, encodeMark('ROUND_END', 1, 2));
    feed(receiver, encodeMark('ROUND_END', 3, 4));
    expect(frames.map(({ header, body }) => [header.name, body.toString('hex')])).toEqual([
      ['FAREWELL', ''],
      ['ROUND_END', '0000000100000002'],
      ['ROUND_END', '0000000300000004'],
    ]);
  });

  it('clears a page whose older copy was cut in the middle by a lost connection', () => {
    const source = guestOf(2);
    const destination = guestOf(2);
    const { receiver } = receiverOver(destination);
    for (const page of [0, 1]) write(source, page, 1);
    feed(receiver, regionsOf(source, allPages(2), 0).subarray(0, -100));
    receiver.reset();
    for (const page of [0, 1]) write(source, page, 0);
    feed(receiver, regionsOf(source, allPages(2), 0));
    expect(isSame(source, destination)).toBe(true);
  });
});
