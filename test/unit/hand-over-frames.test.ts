// The frames of a switch-over: what is said comes back, and what is wrong with a hand-over is found before it is used.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/shared/errors.js';
import { REGISTERS_PER_VCPU } from '../../src/shared/guest/guest-program.js';
import { encodeRaw } from '../../src/shared/memory/compacted-bitmap.js';
import { MEMORY_BYTES_MAX } from '../../src/shared/memory/layout.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { VCPUS_MAX } from '../../src/shared/memory/safepoint-words.js';
import { FrameReader, FRAME_HEADER_BYTES } from '../../src/shared/wire/frames.js';
import {
  decodeAnnouncement,
  decodeHandOver,
  encodeAnnouncement,
  encodeHandOver,
  type HandOver,
} from '../../src/shared/wire/switch-over-frames.js';
import { plainValue } from './message-bodies.js';

const registersOf = (vcpus: number, value = 0): Float64Array[] =>
  Array.from({ length: vcpus }, (_, vcpu) => new Float64Array(REGISTERS_PER_VCPU).fill(value + vcpu / 3));

const small: HandOver = {
  announcement: 3,
  pagesFollow: true,
  finalRound: 4,
  finalPages: 17,
  registers: registersOf(2, 1.5),
  guestClockUs: 99.5,
  bitmap: Uint8Array.of(2, 0, 0, 0, 9, 1, 1),
};

const largest: HandOver = {
  announcement: 0xffff_ffff,
  pagesFollow: false,
  finalRound: 0xffff_ffff,
  finalPages: 0xffff_ffff,
  registers: registersOf(VCPUS_MAX),
  guestClockUs: 2 ** 53,
  bitmap: encodeRaw(new PageBitmap(MEMORY_BYTES_MAX / PAGE_BYTES)),
};

const bodyOf = (frame: readonly Uint8Array[]): Buffer => Buffer.concat(frame).subarray(FRAME_HEADER_BYTES);

const plain = (value: object): unknown =>
  Object.fromEntries(Object.entries(value).map(([field, one]) => [field, plainValue(one)]));

/** Whether it was refused. Anything but ProtocolError is the test's failure. */
function isRefused(decode: () => unknown): boolean {
  try {
    decode();
    return false;
  } catch (error) {
    if (error instanceof ProtocolError) return true;
    throw error;
  }
}

describe('HAND_OVER', () => {
  it.each([
    ['a small one', small],
    ['the largest', largest],
    ['one that builds on no announcement', { ...small, announcement: 0, finalRound: 0, guestClockUs: 0 }],
  ])('comes back as it was sent: %s', (_, handOver) => {
    const [frame] = new FrameReader(['HAND_OVER']).consume(Buffer.concat(encodeHandOver(handOver)));
    expect(frame!.header.name).toBe('HAND_OVER');
    expect(plain(decodeHandOver(frame!.body, handOver.registers.length))).toEqual(plain(handOver));
  });

  it('keeps every bit of a register', () => {
    const values = [-0, Infinity, -Infinity, 5e-324, Number.MAX_VALUE, 0.1, NaN];
    const registers = [new Float64Array(REGISTERS_PER_VCPU)];
    registers[0]!.set(values);
    const back = decodeHandOver(bodyOf(encodeHandOver({ ...small, registers })), 1);
    expect([...back.registers[0]!.subarray(0, values.length)]).toEqual(values);
    expect(Object.is(back.registers[0]![0], -0)).toBe(true);
  });

  it('is refused when its body is cut at any byte before its bitmap', () => {
    const body = bodyOf(encodeHandOver(small));
    for (let length = 0; length < body.length - 2; length++)
      expect(
        isRefused(() => decodeHandOver(body.subarray(0, length), 2)),
        `cut at byte ${length}`,
      ).toBe(true);
  });

  it('has whatever follows its registers for its bitmap, which is looked at elsewhere', () => {
    for (const bytes of [[0, 0, 0, 0, 0], Array<number>(5000).fill(0xc1)]) {
      const bitmap = Uint8Array.from(bytes);
      expect(plainValue(decodeHandOver(bodyOf(encodeHandOver({ ...small, bitmap })), 2).bitmap)).toEqual(
        plainValue(bitmap),
      );
    }
  });

  it.each<[string, Partial<HandOver>]>([
    ['fewer vCPUs', { registers: registersOf(1) }],
    ['more vCPUs', { registers: registersOf(3) }],
    ['a clock before its beginning', { guestClockUs: -1 }],
    ['a clock of no number', { guestClockUs: NaN }],
    ['a clock without an end', { guestClockUs: Infinity }],
    ['what no clock can have measured', { guestClockUs: 1e300 }],
  ])('is refused with %s', (_, wrong) => {
    const body = bodyOf(encodeHandOver({ ...small, ...wrong }));
    expect(() => decodeHandOver(body, 2)).toThrow(ProtocolError);
  });

  it.each([
    ['an answer that is neither yes nor no', 4, 2],
    ['reserved bits', 20, 1],
    ['vCPUs without their registers', 16, 0xffff_ffff],
    ['no vCPUs', 16, 0],
  ])('is refused with %s', (_, offset, value) => {
    const body = bodyOf(encodeHandOver(small));
    body.writeUInt32BE(value, offset);
    expect(() => decodeHandOver(body, 2)).toThrow(ProtocolError);
  });

  it('meets random bytes with ProtocolError and nothing else', () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 700 }), fc.integer({ min: 1, max: 2 }), (bytes, vcpus) => {
        isRefused(() => decodeHandOver(Buffer.from(bytes), vcpus));
        isRefused(() => decodeAnnouncement(Buffer.from(bytes)));
      }),
      { numRuns: 500 },
    );
  });

  it('meets a body with bytes changed with ProtocolError, or as one that can be sent again', () => {
    const body = bodyOf(encodeHandOver(small));
    const place = fc.tuple(fc.nat({ max: body.length - 1 }), fc.nat({ max: 255 }));
    fc.assert(
      fc.property(fc.array(place, { minLength: 1, maxLength: 4 }), (places) => {
        const changed = Buffer.from(body);
        for (const [at, byte] of places) changed[at] = byte;
        if (isRefused(() => decodeHandOver(changed, 2))) return;
        expect(bodyOf(encodeHandOver(decodeHandOver(changed, 2))).toString('hex')).toBe(
          changed.toString('hex'),
        );
      }),
      { numRuns: 500 },
    );
  });
});

describe('ANNOUNCEMENT', () => {
  it('comes back as it was sent', () => {
    for (const announcement of [
      { number: 1, bitmap: small.bitmap },
      { number: 0xffff_ffff, bitmap: largest.bitmap },
    ]) {
      const [frame] = new FrameReader(['ANNOUNCEMENT']).consume(
        Buffer.concat(encodeAnnouncement(announcement)),
      );
      expect(plain(decodeAnnouncement(frame!.body))).toEqual(plain(announcement));
    }
  });

  it('is refused without a number, or cut short', () => {
    const body = bodyOf(encodeAnnouncement({ number: 0, bitmap: small.bitmap }));
    expect(() => decodeAnnouncement(body)).toThrow(ProtocolError);
    body.writeUInt32BE(1, 0);
    for (let length = 0; length < body.length - 2; length++)
      expect(
        isRefused(() => decodeAnnouncement(body.subarray(0, length))),
        `cut at byte ${length}`,
      ).toBe(true);
  });
});
