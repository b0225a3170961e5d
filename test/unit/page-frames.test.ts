import fc from 'fast-check';
import { crc32 } from 'node:zlib';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/shared/errors.js';
import { PAGE_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { decodeHeader, FRAME_HEADER_BYTES, type FrameHeader } from '../../src/shared/wire/frames.js';
import {
  CHECKED,
  countPages,
  decodeMark,
  decodePagesCheck,
  decodePageSent,
  decodeRegionHead,
  encodeMark,
  encodePageSent,
  encodeRegionHead,
  MARK_BYTES,
  PAGES_CHECK_BYTES,
  PUSHED,
  REGION_HEAD_BYTES,
  REGION_MAP_BYTES,
  type RegionHead,
  runsOf,
} from '../../src/shared/wire/page-frames.js';

const WORDS = REGION_MAP_BYTES / 4;

function mapOf(...pages: readonly number[]): Int32Array {
  const map = new Int32Array(WORDS);
  for (const page of pages) map[page >>> 5]! |= 1 << (page & 31);
  return map;
}

/** Body bytes of a head, as they lie in its frame, and the frame's header. */
function bodyOf(head: RegionHead, flags = 0, check = 0n): [body: Buffer, header: FrameHeader] {
  const bytes = encodeRegionHead(head, flags, check);
  return [bytes.subarray(FRAME_HEADER_BYTES), decodeHeader(bytes)];
}

function headOf(region: number, sent: readonly number[], zero: readonly number[]): RegionHead {
  return { round: 1, region, sent: mapOf(...sent), zero: mapOf(...zero) };
}

/** Guests of any size with a region of theirs, each page of it sent, zero or neither. */
const heads = fc
  .integer({ min: 1, max: 3 * REGION_PAGES })
  .chain((pageCount) =>
    fc.record({
      pageCount: fc.constant(pageCount),
      region: fc.nat({ max: Math.ceil(pageCount / REGION_PAGES) - 1 }),
    }),
  )
  .chain(({ pageCount, region }) => {
    const pages = Math.min(REGION_PAGES, pageCount - region * REGION_PAGES);
    const fates = fc.array(fc.constantFrom('sent', 'zero', 'neither'), {
      minLength: pages,
      maxLength: pages,
      size: 'max',
    });
    return fc.record({ round: fc.nat({ max: 2 ** 32 - 1 }), fates }).map(({ round, fates: fate }) => {
      const pagesWith = (wanted: string): number[] =>
        fate.flatMap((one, page) => (one === wanted ? [page] : []));
      const head = { round, region, sent: mapOf(...pagesWith('sent')), zero: mapOf(...pagesWith('zero')) };
      return { pageCount, head };
    });
  });

describe('the head of a region', () => {
  it('reads back as it was written', () => {
    fc.assert(
      fc.property(heads, ({ pageCount, head }) => {
        for (const flags of [0, PUSHED, CHECKED, PUSHED | CHECKED]) {
          const [body, header] = bodyOf(head, flags);
          const checkBytes = flags >= CHECKED ? PAGES_CHECK_BYTES : 0;
          expect(header.bodyBytes).toBe(REGION_HEAD_BYTES + countPages(head.sent) * PAGE_BYTES + checkBytes);
          expect(decodeRegionHead(body, header, pageCount)).toEqual(head);
        }
      }),
    );
  });

  it('has the bytes that docs/protocol.md promises', () => {
    const bytes = encodeRegionHead(
      { round: 0x01020304, region: 5, sent: mapOf(0, 9), zero: mapOf(511) },
      PUSHED,
      0n,
    );
    expect(bytes.length).toBe(FRAME_HEADER_BYTES + REGION_HEAD_BYTES);
    const check = crc32(bytes.subarray(FRAME_HEADER_BYTES), crc32(bytes.subarray(0, 8)));
    expect(bytes.readUInt32BE(8)).toBe(check);
    expect(bytes.toString('hex', 0, 8)).toBe('10010000' + '00002088');
    expect(bytes.toString('hex', 12, 24)).toBe('01020304' + '00000005' + '01020000');
    expect(bytes[bytes.length - 1]).toBe(0x80);
  });

  it('may name all pages of its region, and none', () => {
    const all = mapOf();
    all.fill(-1);
    const head = { round: 0, region: 1, sent: all, zero: mapOf() };
    expect(decodeRegionHead(...bodyOf(head), 2 * REGION_PAGES)).toEqual(head);
    const none = headOf(0, [], []);
    expect(decodeRegionHead(...bodyOf(none), 1)).toEqual(none);
  });

  it.each([
    ['lies past the last one', headOf(1, [], []), REGION_PAGES],
    ['lies far outside', headOf(2 ** 32 - 1, [], [0]), REGION_PAGES],
    ['lies where its pages would wrap around', headOf(2 ** 23, [0], []), REGION_PAGES],
    ['sends a page past an odd guest', headOf(0, [3], []), 3],
    ['clears a page past an odd guest', headOf(0, [0, 1, 2], [3]), 3],
    ['sends a page past the second region of an odd guest', headOf(1, [1], []), 513],
    ['clears the last page of a region that the guest does not fill', headOf(1, [], [511]), 1023],
    ['names a page as sent and as zero', headOf(0, [1, 40], [40]), REGION_PAGES],
    ['names its last page as sent and as zero', headOf(0, [511], [511]), REGION_PAGES],
  ])('is refused when it %s', (_, head, pageCount) => {
    expect(() => decodeRegionHead(...bodyOf(head), pageCount)).toThrow(ProtocolError);
  });

  it('is refused for each page past the guest, and for none in it', () => {
    for (const pageCount of [1, 31, 32, 33, 513, 1023, 1025]) {
      const region = Math.ceil(pageCount / REGION_PAGES) - 1;
      for (let page = 0; page < REGION_PAGES; page++) {
        const isInside = region * REGION_PAGES + page < pageCount;
        for (const head of [headOf(region, [page], []), headOf(region, [], [page])]) {
          const decode = (): RegionHead => decodeRegionHead(...bodyOf(head), pageCount);
          if (isInside) expect(decode()).toEqual(head);
          else expect(decode, `page ${page} of ${pageCount}`).toThrow(ProtocolError);
        }
      }
    }
  });

  it('is refused when the length of its frame is not that of its pages', () => {
    const [body, { bodyBytes }] = bodyOf(headOf(0, [0, 2], [1]));
    const wrong = [
      0,
      REGION_HEAD_BYTES - 1,
      REGION_HEAD_BYTES,
      bodyBytes - PAGE_BYTES,
      bodyBytes - 1,
      bodyBytes + 1,
    ];
    for (const claimed of [...wrong, bodyBytes + PAGE_BYTES, 2 ** 32 - 1]) {
      expect(
        () => decodeRegionHead(body, { bodyBytes: claimed, flags: 0 }, REGION_PAGES),
        String(claimed),
      ).toThrow(ProtocolError);
    }
  });

  it('is refused with a flag that nobody knows', () => {
    const [body, { bodyBytes }] = bodyOf(headOf(0, [0], []));
    for (const flags of [4, 8, 16, 32, 64, 128])
      expect(() => decodeRegionHead(body, { bodyBytes, flags }, 1), String(flags)).toThrow(ProtocolError);
  });

  it('is refused when the check that its flag promises has no room, or has and is not promised', () => {
    const [body, { bodyBytes }] = bodyOf(headOf(0, [0], []));
    expect(() => decodeRegionHead(body, { bodyBytes, flags: CHECKED }, 1)).toThrow(ProtocolError);
    const withRoom = bodyBytes + PAGES_CHECK_BYTES;
    expect(() => decodeRegionHead(body, { bodyBytes: withRoom, flags: 0 }, 1)).toThrow(ProtocolError);
  });

  it('meets random bytes with ProtocolError, or names only pages of the guest', () => {
    const bytes = fc.uint8Array({ minLength: REGION_HEAD_BYTES, maxLength: REGION_HEAD_BYTES });
    fc.assert(
      fc.property(bytes, fc.nat({ max: 4 }), fc.boolean(), (random, region, isQuiet) => {
        const body = Buffer.from(random);
        body.writeUInt32BE(region, 4);
        if (isQuiet) body.fill(0, 12);
        const sent = new Int32Array(WORDS).map((_, index) => body.readInt32LE(8 + 4 * index));
        const bodyBytes = REGION_HEAD_BYTES + countPages(sent) * PAGE_BYTES;
        try {
          const head = decodeRegionHead(body, { bodyBytes, flags: 0 }, 1025);
          const pastLast = Math.max(0, ...runsOf(head.sent).flat(), ...runsOf(head.zero).flat());
          expect(region * REGION_PAGES + pastLast).toBeLessThanOrEqual(Math.max(1025, region * REGION_PAGES));
        } catch (error) {
          expect(error).toBeInstanceOf(ProtocolError);
        }
      }),
    );
  });
});

describe('the check of pages', () => {
  it('stands behind the head of a region, and is covered with it', () => {
    for (const check of [0n, 1n, -1n, 2n ** 63n - 1n, -(2n ** 63n)]) {
      const [body, header] = bodyOf(headOf(0, [0, 2], [1]), CHECKED, check);
      expect(body.length).toBe(REGION_HEAD_BYTES + PAGES_CHECK_BYTES);
      expect(decodePagesCheck(body)).toBe(check);
      expect(crc32(body, header.ownCheck)).toBe(header.check);
    }
  });
});

describe('the runs of a region', () => {
  it('cover its pages, each once, in order', () => {
    fc.assert(
      fc.property(heads, ({ head: { sent } }) => {
        const covered = new Int32Array(WORDS);
        let from = -1;
        for (const [first, pastLast] of runsOf(sent)) {
          expect(first).toBeGreaterThan(from);
          expect(pastLast).toBeGreaterThan(first);
          for (let page = first; page < pastLast; page++) covered[page >>> 5]! |= 1 << (page & 31);
          from = pastLast;
        }
        expect(covered).toEqual(sent);
      }),
    );
  });
});

describe('a mark', () => {
  it.each(['ROUND_END', 'ROUND_PLACED', 'PAGE_WANTED'] as const)(
    '%s reads back as it was written',
    (name) => {
      for (const [first, second] of [
        [0, 0],
        [1, 2 ** 32 - 1],
        [2 ** 31, 7],
      ] as const) {
        const frame = encodeMark(name, first, second);
        expect(decodeHeader(frame)).toMatchObject({ name, flags: 0, bodyBytes: MARK_BYTES });
        expect(decodeMark(frame.subarray(FRAME_HEADER_BYTES))).toEqual([first, second]);
      }
    },
  );

  it('is refused with any other length', () => {
    for (const length of [0, 1, 7, 9, 64])
      expect(() => decodeMark(Buffer.alloc(length))).toThrow(ProtocolError);
  });
});

describe('a page that was asked for', () => {
  const bytes = Buffer.alloc(PAGE_BYTES).map((_, index) => index * 7);

  it('reads back as it was written', () => {
    const frame = encodePageSent(1024, bytes);
    expect(decodeHeader(frame)).toMatchObject({
      name: 'PAGE_SENT',
      flags: 0,
      bodyBytes: MARK_BYTES + PAGE_BYTES,
    });
    const back = decodePageSent(frame.subarray(FRAME_HEADER_BYTES), 1025);
    expect(back.page).toBe(1024);
    expect(Buffer.compare(back.bytes, bytes)).toBe(0);
  });

  it('is refused when the guest has no such page, or when it is not whole', () => {
    const body = encodePageSent(1024, bytes).subarray(FRAME_HEADER_BYTES);
    expect(() => decodePageSent(body, 1024)).toThrow(ProtocolError);
    for (const length of [0, 3, MARK_BYTES, body.length - 1])
      expect(() => decodePageSent(body.subarray(0, length), 1025)).toThrow(ProtocolError);
    expect(() => decodePageSent(Buffer.concat([body, Buffer.of(0)]), 1025)).toThrow(ProtocolError);
  });
});
