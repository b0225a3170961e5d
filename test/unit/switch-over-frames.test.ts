// The frames of a switch-over: what is written is read, and nothing that a peer makes up is more than refused.
import { describe, expect, it } from 'vitest';
import { ProtocolError } from '../../src/shared/errors.js';
import { REGISTERS_PER_DEVICE } from '../../src/shared/guest/devices/device-state.js';
import { REGISTERS_PER_VCPU } from '../../src/shared/guest/guest-program.js';
import { BODY_BYTES_MAX } from '../../src/shared/frame-limits.js';
import { ROUNDS_MAX } from '../../src/shared/limits.js';
import { encodeRaw } from '../../src/shared/memory/compacted-bitmap.js';
import { PIECE_BYTES_MAX } from '../../src/shared/memory/layout.js';
import { PageBitmap } from '../../src/shared/memory/page-bitmap.js';
import { PAGE_BYTES } from '../../src/shared/memory/pages.js';
import { VCPUS_MAX } from '../../src/shared/memory/safepoint-words.js';
import { FRAME_HEADER_BYTES, FrameReader, type FrameName } from '../../src/shared/wire/frames.js';
import { decodeMark, encodeMark } from '../../src/shared/wire/page-frames.js';
import {
  decodeAnnouncement,
  decodeHandOver,
  encodeAnnouncement,
  encodeHandOver,
  type HandOver,
} from '../../src/shared/wire/switch-over-frames.js';
import { Chance } from '../support/simulated-world.js';

const VCPUS = 3;
const DEVICES = 2;
/** Where the fields of a HAND_OVER lie, as docs/protocol.md has them. */
const AT = {
  announcement: 0,
  bits: 4,
  finalRound: 8,
  finalPages: 12,
  vcpus: 16,
  devices: 28,
  clock: 32,
  stoppedAt: 40,
  registers: 48,
};
const DEVICES_AT = AT.registers + 8 * REGISTERS_PER_VCPU * VCPUS;
const HEAD_BYTES = DEVICES_AT + (8 + 8 * REGISTERS_PER_DEVICE) * DEVICES;
const BITMAP_HEADER_BYTES = 9;

const strange = [0, -0, 1.5, -1, Infinity, -Infinity, NaN, Number.MAX_VALUE, Number.MIN_VALUE, 2 ** 53];

function registersOf(vcpus: number): Float64Array[] {
  return Array.from({ length: vcpus }, (_, vcpu) =>
    Float64Array.from(
      { length: REGISTERS_PER_VCPU },
      (_, register) => strange[(register + vcpu) % strange.length]!,
    ),
  );
}

const handOver: HandOver = {
  announcement: 7,
  pagesFollow: false,
  finalRound: 12,
  finalPages: 34,
  regions: 56,
  chunks: 78,
  registers: registersOf(VCPUS),
  devices: Array.from({ length: DEVICES }, (_, device) => ({
    version: device + 1,
    registers: Float64Array.from({ length: REGISTERS_PER_DEVICE }, (_, register) => register / (device + 1)),
  })),
  isPaused: false,
  stoppedAtUs: 5678.5,
  guestClockUs: 1234.5,
  bitmap: Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2),
};

function bodyOf(name: FrameName, frame: readonly Uint8Array[]): Buffer {
  const [read, ...more] = new FrameReader([name]).consume(Buffer.concat(frame));
  expect(more).toEqual([]);
  return read!.body;
}

function handOverBody(told: Partial<HandOver> = {}): Buffer {
  return Buffer.from(bodyOf('HAND_OVER', encodeHandOver({ ...handOver, ...told })));
}

function announcementBody(number = 1, bitmap: Uint8Array = handOver.bitmap): Buffer {
  return Buffer.from(bodyOf('ANNOUNCEMENT', encodeAnnouncement({ number, bitmap })));
}

/** The same bytes with others around them, as a body lies in what a socket brought. */
function amidst(body: Buffer, others: number): Buffer {
  const bytes = Buffer.alloc(body.length + 128, others);
  body.copy(bytes, 64);
  return bytes.subarray(64, 64 + body.length);
}

/** Whether it is refused, as everything that is wrong must be. */
function isRefused(decode: () => unknown): boolean {
  try {
    decode();
    return false;
  } catch (error) {
    if (error instanceof ProtocolError) return true;
    throw error;
  }
}

describe('a frame of a switch-over reads back as it was written', () => {
  it.each([1, 2, 2 ** 32 - 1])('announcement %d', (number) => {
    const { number: read, bitmap } = decodeAnnouncement(announcementBody(number));
    expect([read, [...bitmap]]).toEqual([number, [...handOver.bitmap]]);
  });

  it.each<Partial<HandOver>>([
    {},
    { announcement: 0, pagesFollow: true, finalRound: 0, finalPages: 0, guestClockUs: 0 },
    { isPaused: true },
    { isPaused: true, pagesFollow: true },
    { announcement: 2 ** 32 - 1, finalRound: ROUNDS_MAX, finalPages: 2 ** 20, guestClockUs: 2 ** 53 },
  ])('hand-over with %o', (told) => {
    const expected = { ...handOver, ...told };
    const read = decodeHandOver(handOverBody(told), VCPUS, DEVICES);
    expect({ ...read, bitmap: [...read.bitmap] }).toEqual({ ...expected, bitmap: [...expected.bitmap] });
  });

  it.each([1, 2, VCPUS_MAX])('hand-over of %d vCPUs', (vcpus) => {
    const body = handOverBody({ registers: registersOf(vcpus) });
    expect(decodeHandOver(body, vcpus, DEVICES).registers).toEqual(registersOf(vcpus));
  });

  it('keeps every bit of a register, of one that is no number as well', () => {
    const bits = new BigUint64Array(REGISTERS_PER_VCPU).fill(0x7ff8_dead_beef_0001n);
    const body = handOverBody({ registers: registersOf(VCPUS).with(1, new Float64Array(bits.buffer)) });
    expect(new BigUint64Array(decodeHandOver(body, VCPUS, DEVICES).registers[1]!.buffer)).toEqual(bits);
  });

  it.each(['ANNOUNCED', 'TAKEN_OVER'] as const)('%s', (name) => {
    expect(decodeMark(bodyOf(name, [encodeMark(name, 3, 2 ** 32 - 1)]))).toEqual([3, 2 ** 32 - 1]);
  });

  it('has room for the largest guest, however its bitmap is encoded', () => {
    const bitmap = encodeRaw(new PageBitmap(PIECE_BYTES_MAX / PAGE_BYTES));
    const largest = handOverBody({ registers: registersOf(VCPUS_MAX), bitmap });
    expect(decodeHandOver(largest, VCPUS_MAX, DEVICES).bitmap).toHaveLength(bitmap.length);
    expect(largest.length).toBeLessThan(BODY_BYTES_MAX.HAND_OVER);
    expect(decodeAnnouncement(announcementBody(1, bitmap)).bitmap).toHaveLength(bitmap.length);
  });
});

describe('a frame of a switch-over lies on the wire as it is documented', () => {
  it('announcement', () => {
    const frame = Buffer.concat(
      encodeAnnouncement({ number: 1, bitmap: Uint8Array.of(3, 0, 0, 0, 0, 0, 0, 0, 9, 1, 2) }),
    );
    expect(frame.subarray(0, 8).toString('hex')).toBe('1a0000000000000f');
    expect(frame.subarray(FRAME_HEADER_BYTES).toString('hex')).toBe('00000001' + '0300000000000000090102');
  });

  it('hand-over', () => {
    const registers = [Float64Array.from({ length: REGISTERS_PER_VCPU }, (_, register) => register)];
    const frame = Buffer.concat(encodeHandOver({ ...handOver, pagesFollow: true, registers }));
    const body = frame.subarray(FRAME_HEADER_BYTES);
    expect([frame[0], body.length]).toEqual([28, 48 + 256 + 2 * 72 + handOver.bitmap.length]);
    expect(body.subarray(0, 32).toString('hex')).toBe(
      '00000007000000010000000c0000002200000001000000380000004e00000002',
    );
    expect([body.readDoubleBE(32), body.readDoubleBE(40), body.readDoubleBE(48 + 8 * 31)]).toEqual([
      1234.5, 5678.5, 31,
    ]);
    // The second of its devices.
    const device = body.subarray(48 + 256 + 72);
    expect([device.readUInt32BE(0), device.readUInt32BE(4), device.readDoubleBE(8 + 8 * 7)]).toEqual([
      2, 0, 3.5,
    ]);
    expect(body.subarray(48 + 256 + 2 * 72).toString('hex')).toBe('0300000000000000090102');
  });
});

describe('what is wrong is refused', () => {
  const sizes = [
    ['announcement', announcementBody(), 4 + BITMAP_HEADER_BYTES, decodeAnnouncement],
    [
      'hand-over',
      handOverBody(),
      HEAD_BYTES + BITMAP_HEADER_BYTES,
      (body: Buffer) => decodeHandOver(body, VCPUS, DEVICES),
    ],
  ] as const;

  it.each(sizes)('%s: cut short anywhere, and not a byte behind it is read', (_, body, least, decode) => {
    for (let length = 0; length < body.length; length++) {
      // What lies behind is what was cut off, so whoever reads on finds nothing wrong.
      const isShort = isRefused(() => decode(body.subarray(0, length)));
      expect(isShort, `${length} bytes`).toBe(length < least);
    }
  });

  it.each(sizes)('%s: what lies around it does not matter', (_, body, _least, decode) => {
    expect(decode(amidst(body, 0xff))).toEqual(decode(amidst(body, 0)));
    const { bitmap } = decode(amidst(body, 0xff));
    expect(Buffer.from(bitmap)).toEqual(Buffer.from(handOver.bitmap));
  });

  it('an announcement without number', () => {
    expect(isRefused(() => decodeAnnouncement(announcementBody(0)))).toBe(true);
  });

  it.each([
    ['a reserved low bit', (body: Buffer) => body.writeUInt32BE(4, AT.bits)],
    ['all of its bits', (body: Buffer) => body.writeUInt32BE(2 ** 32 - 1, AT.bits)],
    ['a reserved high bit', (body: Buffer) => body.writeUInt8(1, AT.bits)],
    ['a round after the last', (body: Buffer) => body.writeUInt32BE(ROUNDS_MAX + 1, AT.finalRound)],
    ['no vCPU', (body: Buffer) => body.writeUInt32BE(0, AT.vcpus)],
    ['a vCPU fewer', (body: Buffer) => body.writeUInt32BE(VCPUS - 1, AT.vcpus)],
    ['a vCPU more', (body: Buffer) => body.writeUInt32BE(VCPUS + 1, AT.vcpus)],
    ['more vCPUs than there can be', (body: Buffer) => body.writeUInt32BE(2 ** 32 - 1, AT.vcpus)],
    ['a device less', (body: Buffer) => body.writeUInt32BE(DEVICES - 1, AT.devices)],
    ['more devices than there can be', (body: Buffer) => body.writeUInt32BE(2 ** 32 - 1, AT.devices)],
    ['reserved bits of a device', (body: Buffer) => body.writeUInt32BE(1, DEVICES_AT + 4)],
    ['a reserved high bit of a device', (body: Buffer) => body.writeUInt8(0x80, DEVICES_AT + 4)],
    ['a clock before its beginning', (body: Buffer) => body.writeDoubleBE(-1, AT.clock)],
    ['a clock of no number', (body: Buffer) => body.writeDoubleBE(NaN, AT.clock)],
    ['a clock that never comes', (body: Buffer) => body.writeDoubleBE(Infinity, AT.clock)],
    ['a stop before its beginning', (body: Buffer) => body.writeDoubleBE(-1, AT.stoppedAt)],
    ['a stop that never comes', (body: Buffer) => body.writeDoubleBE(2 ** 53, AT.stoppedAt)],
    ['a stop of no number', (body: Buffer) => body.writeDoubleBE(NaN, AT.stoppedAt)],
  ])('a hand-over with %s', (_, spoil) => {
    const body = handOverBody();
    expect(isRefused(() => decodeHandOver(body, VCPUS, DEVICES))).toBe(false);
    spoil(body);
    expect(isRefused(() => decodeHandOver(body, VCPUS, DEVICES))).toBe(true);
  });

  it.each([...Array.from({ length: 8 }, (_, length) => length), 9, 64])('a mark of %d bytes', (length) => {
    expect(isRefused(() => decodeMark(Buffer.alloc(length)))).toBe(true);
  });

  it('whatever it is: made up, or spoilt anywhere, it is read or refused, and what is read is in range', () => {
    let read = 0;
    for (let seed = 1; seed <= 3000; seed++) {
      const chance = new Chance(seed);
      const body = chance.isTrue(0.2) ? Buffer.alloc(chance.between(0, 2 * HEAD_BYTES)) : handOverBody();
      for (let byte = chance.between(1, 8); byte > 0 && body.length > 0; byte--)
        body[chance.between(0, chance.isTrue(0.5) ? Math.min(31, body.length - 1) : body.length - 1)] =
          chance.between(0, 255);
      const cut = amidst(
        body.subarray(0, chance.isTrue(0.3) ? chance.between(0, body.length) : body.length),
        0xff,
      );
      isRefused(() => decodeAnnouncement(cut));
      isRefused(() => {
        const { registers, guestClockUs, finalRound, bitmap } = decodeHandOver(cut, VCPUS, DEVICES);
        read++;
        expect(registers.map(({ length }) => length)).toEqual([
          REGISTERS_PER_VCPU,
          REGISTERS_PER_VCPU,
          REGISTERS_PER_VCPU,
        ]);
        expect(guestClockUs >= 0 && guestClockUs < Infinity && finalRound <= ROUNDS_MAX).toBe(true);
        expect(bitmap.byteOffset + bitmap.length).toBe(cut.byteOffset + cut.length);
      });
    }
    expect(read).toBeGreaterThan(100);
  });
});
