// Frames and messages that are well formed and mean harm, made by their grammar: every field with values that it cannot
// have, or can just have. No socket. docs/testing.md tells how to try more of them.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { MicrostunError, ProtocolError } from '../../src/shared/errors.js';
import { BitmapDecoder } from '../../src/shared/memory/bitmap-stream.js';
import {
  BitmapError,
  compact,
  encodeBitmap,
  expand,
  PACKED,
  RAW,
} from '../../src/shared/memory/compacted-bitmap.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES, REGION_PAGES } from '../../src/shared/memory/pages.js';
import { encodeBody } from '../../src/shared/wire/fields.js';
import {
  countPages,
  decodeRegionHead,
  REGION_HEAD_BYTES,
  runsOf,
} from '../../src/shared/wire/page-frames.js';
import { encodeMessage, messageNames } from '../../src/shared/wire/messages.js';
import { decodeHandOver, decodeRegions } from '../../src/shared/wire/switch-over-frames.js';
import { bitmaps } from '../support/bitmaps.js';
import { countOf, firstSeed } from '../support/fuzz/chance.js';
import { announcement, handOver, TakeOverSite } from '../support/take-over-site.js';
import { bodyOf, decode, fieldsOf, isRefused } from '../unit/message-bodies.js';
import { examples } from '../unit/message-examples.js';

/** FUZZ_SEED and FUZZ_COUNT, as fast-check takes them; a failure prints the seed and the path to its smallest example. */
const parameters = (everyday: number): { seed: number; numRuns: number } => ({
  seed: firstSeed,
  numRuns: countOf(everyday),
});

const u32 = fc.oneof(
  fc.constantFrom(0, 1, 2, 7, 8, 511, 512, 513, 1099, 1100, 0x7fff_ffff, 0x8000_0000, 0xffff_ffff),
  fc.integer({ min: 0, max: 0xffff_ffff }),
  fc.nat(2000),
);

/** Answers what it answers; undefined where the bytes are refused as they may be. Anything else is thrown on. */
function orRefused<T>(decoding: () => T): T | undefined {
  try {
    return decoding();
  } catch (error) {
    if (error instanceof ProtocolError || error instanceof BitmapError) return undefined;
    throw error;
  }
}

describe('a message with fields that it cannot have', () => {
  const numbers = fc.oneof(
    fc.double(),
    u32,
    fc.constantFrom(
      -1,
      -0,
      NaN,
      Infinity,
      -Infinity,
      2 ** 53,
      2 ** 53 - 1,
      2 ** 64,
      1e308,
      5e-324,
      4096,
      4097,
    ),
  );
  const texts = fc.oneof(
    fc.string({ unit: 'binary', maxLength: 40 }),
    fc.constantFrom(
      '',
      '__proto__',
      'constructor',
      '\u001b[2J',
      '\u202e',
      '../../etc/passwd',
      '/bin/sh',
      '\ud800',
      'x'.repeat(2001),
    ),
    fc.uuid(),
  );
  const bytes = fc.uint8Array({ maxLength: 64 }).map((array) => Buffer.from(array));
  const leaf = fc.oneof(numbers, texts, bytes, fc.boolean(), fc.constant(null));
  const value = fc.oneof(
    { weight: 5, arbitrary: leaf },
    { weight: 2, arbitrary: fc.array(leaf, { maxLength: 70 }) },
    { weight: 1, arbitrary: fc.dictionary(fc.string({ maxLength: 8 }), leaf, { maxKeys: 4 }) },
    { weight: 1, arbitrary: fc.array(fc.array(leaf, { maxLength: 4 }), { maxLength: 4 }) },
  );
  const hostile = fc.record({
    name: fc.constantFrom(...messageNames),
    nth: fc.nat(9),
    changes: fc.array(fc.record({ nth: fc.nat(20), inner: fc.nat(20), value, isLeftOut: fc.boolean() }), {
      minLength: 1,
      maxLength: 3,
    }),
  });

  it('is refused, or is one that would be said just so', () => {
    let taken = 0;
    fc.assert(
      fc.property(hostile, ({ name, nth, changes }) => {
        const fields = fieldsOf(examples[name][nth % examples[name].length]!);
        for (const change of changes) changeField(fields, change);
        let body: Buffer;
        try {
          body = encodeBody(fields);
        } catch {
          return;
        }
        if (isRefused(name, body)) return;
        taken++;
        const again = bodyOf(decode(name, body));
        // Text is read as it can be shown.
        if (!/reason|findings/.test(body.toString('latin1')))
          expect(again.toString('hex')).toBe(body.toString('hex'));
        expect(Buffer.concat(encodeMessage(decode(name, again))).length).toBeGreaterThan(0);
      }),
      parameters(1500),
    );
    expect(taken).toBeGreaterThan(0);
  });

  function changeField(
    fields: Record<string, unknown>,
    {
      nth,
      inner,
      value: harm,
      isLeftOut,
    }: { nth: number; inner: number; value: unknown; isLeftOut: boolean },
  ): void {
    const names = Object.keys(fields);
    const field = names[nth % Math.max(1, names.length)] ?? 'more';
    const there = fields[field];
    if (isLeftOut && inner % 4 === 0) Reflect.deleteProperty(fields, field);
    else if (
      typeof there === 'object' &&
      there !== null &&
      !ArrayBuffer.isView(there) &&
      !Array.isArray(there)
    ) {
      const copy = { ...there } as Record<string, unknown>;
      changeField(copy, { nth: inner, inner: nth, value: harm, isLeftOut });
      fields[field] = copy;
    } else fields[field] = harm;
  }
});

describe("a region's head that means harm", () => {
  const words = fc.array(fc.oneof(fc.constant(0), fc.constant(-1), fc.integer()), {
    minLength: 16,
    maxLength: 16,
  });
  const heads = fc.record({
    round: u32,
    region: u32,
    sent: words,
    zero: fc.oneof(words, fc.constant(Array.from({ length: 16 }, () => 0))),
    flags: fc.constantFrom(0, 1, 2, 3, 4, 255),
    bodyBytes: fc.option(u32),
    pageCount: fc.constantFrom(1, 33, 512, 513, 1100, 2 ** 20, 2 ** 31),
  });

  it('is refused, or names pages of the guest alone, each once, and as many as bytes come', () => {
    fc.assert(
      fc.property(heads, ({ round, region, sent, zero, flags, bodyBytes, pageCount }) => {
        const head = Buffer.alloc(REGION_HEAD_BYTES);
        head.writeUInt32BE(round, 0);
        head.writeUInt32BE(region, 4);
        sent.forEach((word, index) => head.writeInt32LE(word, 8 + index * 4));
        zero.forEach((word, index) => head.writeInt32LE(word, 72 + index * 4));
        const pages = countPages(Int32Array.from(sent));
        const stated = bodyBytes ?? REGION_HEAD_BYTES + pages * PAGE_BYTES + ((flags & 2) === 0 ? 0 : 4);
        const read = orRefused(() => decodeRegionHead(head, { bodyBytes: stated, flags }, pageCount));
        if (read === undefined) return;
        expect(stated).toBe(REGION_HEAD_BYTES + pages * PAGE_BYTES + ((flags & 2) === 0 ? 0 : 4));
        for (const map of [read.sent, read.zero])
          for (const [, pastLast] of runsOf(map))
            expect(region * REGION_PAGES + pastLast).toBeLessThanOrEqual(pageCount);
        expect(read.sent.some((word, index) => (word & read.zero[index]!) !== 0)).toBe(false);
      }),
      parameters(2000),
    );
  });
});

describe('a bitmap that means harm', () => {
  /** A packed bitmap whose sections come from several, in another order, or another number of times. */
  const shuffled = fc
    .record({
      parts: fc.array(fc.record({ bitmap: bitmaps, from: fc.nat(), length: fc.nat(300) }), {
        minLength: 1,
        maxLength: 4,
      }),
      format: fc.constantFrom(0, RAW, 2, PACKED, 255),
      isCounted: fc.boolean(),
      pageCount: u32,
    })
    .map(({ parts, format, isCounted, pageCount }) => {
      const body = Buffer.concat(
        parts.map(({ bitmap, from, length }) => {
          const bytes = compact(bitmap).subarray(9);
          const at = bytes.length === 0 ? 0 : from % bytes.length;
          return bytes.subarray(from % 3 === 0 ? 0 : at, at + length);
        }),
      );
      const header = Buffer.alloc(9, format);
      header.fill(0, 1);
      const pages = isCounted ? parts[0]!.bitmap.pageCount : pageCount;
      header.writeUInt32BE(pages, 5);
      return { bytes: Buffer.concat([header, body]), pageCount: Math.min(pages, 1 << 22) };
    });

  it('is refused, or is the one form of its pages, in one piece as in many', () => {
    fc.assert(
      fc.property(shuffled, fc.integer({ min: 1, max: 300 }), ({ bytes, pageCount }, pieceBytes) => {
        const whole = orRefused(() => expand(bytes, pageCount));
        const inPieces = orRefused(() => {
          const bitmap = new PageBitmap(pageCount);
          const decoder = new BitmapDecoder(pageCount, (firstPage, words) => {
            bitmap.words.set(words, firstPage / 32);
          });
          for (let at = 0; at < bytes.length; at += pieceBytes)
            decoder.push(bytes.subarray(at, at + pieceBytes));
          decoder.end();
          return bitmap;
        });
        expect(inPieces === undefined).toBe(whole === undefined);
        if (whole === undefined) return;
        expect(Buffer.from(encodeBitmap(whole, bytes[0] === RAW ? 'raw' : 'compacted')).equals(bytes)).toBe(
          true,
        );
        expect(Buffer.from(inPieces!.words.buffer).equals(Buffer.from(whole.words.buffer))).toBe(true);
      }),
      parameters(500),
    );
  });
});

describe('a hand-over that means harm', () => {
  const bodies = fc
    .record({
      fields: fc.array(fc.record({ at: fc.nat(9), value: u32 }), { maxLength: 3 }),
      clock: fc.option(fc.double()),
      cut: fc.option(fc.nat(300)),
    })
    .map(({ fields, clock, cut }) => {
      const body = handOver({ announcement: 1, pages: [3, 700] });
      for (const { at, value } of fields) body.writeUInt32BE(value, at * 4);
      if (clock !== null) body.writeDoubleBE(clock, 32);
      return cut === null ? body : body.subarray(0, cut);
    });

  it('is refused, or says what can be', () => {
    fc.assert(
      fc.property(bodies, (body) => {
        const read = orRefused(() => decodeHandOver(body, 2, 0));
        if (read === undefined) return;
        expect(read.guestClockUs).toBeGreaterThanOrEqual(0);
        expect(read.registers.map((registers) => registers.length)).toEqual(
          read.registers.map(() => read.registers[0]!.length),
        );
        expect(read.finalRound).toBeLessThanOrEqual(1_000_000);
      }),
      parameters(2000),
    );
  });

  it('gives the guest away only where it says what was announced and placed', () => {
    fc.assert(
      fc.property(bodies, fc.nat(3), (body, placed) => {
        const site = new TakeOverSite();
        if (placed > 0) site.placed(placed - 1);
        site.takeOver.announce(announcement(1, 5, 6));
        site.takeOver.handOver(body);
        if (!site.gate.isPassed) {
          expect(site.log).not.toContain('RUN');
          return;
        }
        const said = decodeHandOver(body, 2, 0);
        expect([0, 1]).toContain(said.announcement);
        expect(site.placement.placedRound(said.pagesFollow ? said.finalRound - 1 : said.finalRound)).toBe(
          'whole',
        );
      }),
      parameters(100),
    );
  });
});

describe('regions that mean harm', () => {
  const SLOTS = 6;
  const told = fc.array(
    fc.tuple(fc.oneof(fc.nat(SLOTS + 1), u32), fc.oneof(fc.nat(8), fc.constantFrom(2559, 2560), u32)),
    { maxLength: 12 },
  );

  it('get one slot each, and a slot one region, or the guest is refused', () => {
    fc.assert(
      fc.property(fc.array(told, { minLength: 1, maxLength: 3 }), fc.nat(7), (frames, cut) => {
        const site = new TakeOverSite({ memoryBytes: 5 * 2 ** 30, slots: SLOTS });
        for (const regions of frames) {
          const body = Buffer.alloc(8 * regions.length + (cut === 1 ? 4 : 0));
          regions.forEach(([slot, region], index) => {
            body.writeUInt32BE(slot, index * 8);
            body.writeUInt32BE(region, index * 8 + 4);
          });
          if (body.length === 0) expect(() => decodeRegions(body)).toThrow(ProtocolError);
          site.takeOver.takeRegions(body);
        }
        if (site.declined !== undefined) expect(site.declined).toBeInstanceOf(MicrostunError);
        const { regions } = site.views;
        const owned = Array.from({ length: SLOTS }, (_, slot) => regions.regionAt(slot)).filter(
          (one) => one !== undefined,
        );
        expect(new Set(owned).size).toBe(owned.length);
        expect(regions.regionAt(0)).toBeUndefined();
        expect(owned.every((region) => region < 2560)).toBe(true);
        expect(regions.count).toBeLessThanOrEqual(SLOTS);
        expect(site.gate.isPassed).toBe(false);
      }),
      parameters(200),
    );
  });
});
