// Frames of a switch-over on the fault connection: the bitmap that goes ahead, the hand-over and their answers. Fixed
// layouts, big-endian, no msgpack: they are made and read within the stun. Pure; docs/protocol.md says who sends them when.
import { ProtocolError } from '../errors.js';
import type { Checkpoint } from '../guest/checkpoint.js';
import { REGISTERS_PER_DEVICE, type DeviceState } from '../guest/devices/device-state.js';
import { DEVICES_MAX } from '../guest/devices/device-windows.js';
import { REGISTERS_PER_VCPU } from '../guest/guest-program.js';
import { ROUNDS_MAX } from '../limits.js';
import { BITMAP_HEADER_BYTES } from '../memory/compacted-bitmap.js';
import { VCPUS_MAX } from '../memory/safepoint-words.js';
import { CLEAR_CHUNK } from '../memory/space-bitmap.js';
import { INSTANT_US_MAX } from '../units.js';
import { encodeFrame } from './frames.js';

/** Before the bitmap of an ANNOUNCEMENT: its number u32. */
const ANNOUNCEMENT_HEAD_BYTES = 4;

/**
 * Before the registers of a HAND_OVER: announcement u32, bits u32 (1: pages follow, 2: the guest is paused), final round u32, final pages u32,
 * vCPUs u32, regions u32, chunks u32, devices u32, guest's clock f64, its stop f64. After the registers the state of each
 * device: its version u32, reserved u32 (0), its registers f64.
 */
const HAND_OVER_HEAD_BYTES = 48;
const DEVICES_OFFSET = 28;
const CLOCK_OFFSET = 32;
const STOPPED_AT_OFFSET = 40;

/** Hosts that have been up for 68 years are restarted first: an instant's seconds fit a word of the machine's. */
const STOPPED_AT_US_MAX = 2 ** 31 * 1e6 - 1;

const BYTES_A_VCPU = 8 * REGISTERS_PER_VCPU;
const BYTES_A_DEVICE = 8 + 8 * REGISTERS_PER_DEVICE;

/** A HAND_OVER is no longer, but for its bitmap. */
export const HAND_OVER_BYTES_MAX =
  HAND_OVER_HEAD_BYTES + VCPUS_MAX * BYTES_A_VCPU + DEVICES_MAX * BYTES_A_DEVICE;

/** The pages that the destination will lack, said while the guest still runs at the source. */
export interface Announcement {
  /** Counts up with each of a migration, from 1. */
  readonly number: number;
  /** As compacted-bitmap.ts encodes it. */
  readonly bitmap: Uint8Array;
}

/** What gives the guest away: all of it but its pages. */
export interface HandOver extends Checkpoint {
  /** The announcement whose pages are lacking too; 0 where nothing was announced. */
  readonly announcement: number;
  /** Whether the lacking pages follow after the resume, by push and by fault; else the final round brings them. */
  readonly pagesFollow: boolean;
  /** The round that carries the last pages. */
  readonly finalRound: number;
  /** How many pages that round must bring to a parked guest; 0 where they follow. */
  readonly finalPages: number;
  /** Of a guest in segments: how many regions have a slot, all of which were told before; else 0. */
  readonly regions: number;
  /** Chunks of a raw bitmap that went before, and stand in for `bitmap`, which is empty then; else 0. */
  readonly chunks: number;
  /** When the guest was stopped, on the destination's clock as far as the source knows it, in microseconds. */
  readonly stoppedAtUs: number;
  /** The pages that are lacking besides those that were announced, encoded. */
  readonly bitmap: Uint8Array;
}

/** A region of a guest in segments and the slot in which it lies. */
export type RegionSlot = readonly [slot: number, region: number];

const REGION_SLOT_BYTES = 8;
/** Regions of a REGIONS frame. */
export const REGIONS_PER_FRAME_MAX = 8192;

/** A whole REGIONS, as parts for the socket: for each region slot u32, region u32. */
export function encodeRegions(regions: readonly RegionSlot[]): Uint8Array[] {
  const body = Buffer.alloc(regions.length * REGION_SLOT_BYTES);
  regions.forEach(([slot, region], index) => {
    body.writeUInt32BE(slot, index * REGION_SLOT_BYTES);
    body.writeUInt32BE(region, index * REGION_SLOT_BYTES + 4);
  });
  return encodeFrame('REGIONS', [body]);
}

/** @throws ProtocolError when it is cut short, or empty. */
export function decodeRegions(body: Buffer): RegionSlot[] {
  if (body.length === 0 || body.length % REGION_SLOT_BYTES !== 0)
    throw new ProtocolError(`REGIONS has ${body.length} bytes, which is no whole number of regions`);
  return Array.from({ length: body.length / REGION_SLOT_BYTES }, (_, index) => [
    body.readUInt32BE(index * REGION_SLOT_BYTES),
    body.readUInt32BE(index * REGION_SLOT_BYTES + 4),
  ]);
}

/** A whole ANNOUNCEMENT, as parts for the socket. */
export function encodeAnnouncement({ number, bitmap }: Announcement): Uint8Array[] {
  const head = Buffer.alloc(ANNOUNCEMENT_HEAD_BYTES);
  head.writeUInt32BE(number, 0);
  return encodeFrame('ANNOUNCEMENT', [head, bitmap]);
}

/**
 * The announcement in a body; its bitmap is a view of that and is not looked at.
 * @throws ProtocolError when it is cut short, or has no number.
 */
export function decodeAnnouncement(body: Buffer): Announcement {
  if (body.length < ANNOUNCEMENT_HEAD_BYTES + BITMAP_HEADER_BYTES)
    throw new ProtocolError(`an ANNOUNCEMENT of ${body.length} bytes is cut short`);
  const number = body.readUInt32BE(0);
  if (number === 0) throw new ProtocolError('an ANNOUNCEMENT has no number');
  return { number, bitmap: body.subarray(ANNOUNCEMENT_HEAD_BYTES) };
}

let clearFrame: readonly Uint8Array[] | undefined;

/** A whole BITMAP_CHUNK, as parts for the socket. Most chunks are the clear one: its frame is made once. */
export function encodeChunk(chunk: Uint8Array): readonly Uint8Array[] {
  if (chunk !== CLEAR_CHUNK) return encodeFrame('BITMAP_CHUNK', [chunk]);
  clearFrame ??= encodeFrame('BITMAP_CHUNK', [chunk]);
  return clearFrame;
}

/** A whole HAND_OVER, as parts for the socket. */
export function encodeHandOver(handOver: HandOver): Uint8Array[] {
  const { registers, devices } = handOver;
  const head = Buffer.alloc(
    HAND_OVER_HEAD_BYTES + registers.length * BYTES_A_VCPU + devices.length * BYTES_A_DEVICE,
  );
  head.writeUInt32BE(handOver.announcement, 0);
  head.writeUInt32BE((handOver.pagesFollow ? 1 : 0) | (handOver.isPaused ? 2 : 0), 4);
  head.writeUInt32BE(handOver.finalRound, 8);
  head.writeUInt32BE(handOver.finalPages, 12);
  head.writeUInt32BE(registers.length, 16);
  head.writeUInt32BE(handOver.regions, 20);
  head.writeUInt32BE(handOver.chunks, 24);
  head.writeUInt32BE(devices.length, DEVICES_OFFSET);
  head.writeDoubleBE(handOver.guestClockUs, CLOCK_OFFSET);
  head.writeDoubleBE(handOver.stoppedAtUs, STOPPED_AT_OFFSET);
  let at = HAND_OVER_HEAD_BYTES;
  for (const ofVcpu of registers) at = writeDoubles(head, ofVcpu, at);
  for (const { version, registers: ofDevice } of devices) {
    head.writeUInt32BE(version, at);
    at = writeDoubles(head, ofDevice, at + 8);
  }
  return encodeFrame('HAND_OVER', [head, handOver.bitmap]);
}

function writeDoubles(target: Buffer, doubles: Float64Array, from: number): number {
  let at = from;
  for (let index = 0; index < doubles.length; index++, at += 8) target.writeDoubleBE(doubles[index]!, at);
  return at;
}

/**
 * The hand-over in a body, for a guest of `vcpus` vCPUs and `devices` devices; its bitmap is a view of that and is not looked at.
 * @throws ProtocolError naming what is wrong with it.
 */
export function decodeHandOver(body: Buffer, vcpus: number, devices: number): HandOver {
  const devicesFrom = HAND_OVER_HEAD_BYTES + vcpus * BYTES_A_VCPU;
  const headBytes = devicesFrom + devices * BYTES_A_DEVICE;
  if (body.length < HAND_OVER_HEAD_BYTES) throw new ProtocolError('HAND_OVER is cut short');
  const stated = body.readUInt32BE(16);
  if (stated !== vcpus)
    throw new ProtocolError(`the checkpoint is wrong: it holds ${stated} vCPUs, the guest has ${vcpus}`);
  const statedDevices = body.readUInt32BE(DEVICES_OFFSET);
  if (statedDevices !== devices)
    throw new ProtocolError(
      `the checkpoint is wrong: it holds ${statedDevices} devices, the guest has ${devices}`,
    );
  if (body.length < headBytes + BITMAP_HEADER_BYTES) throw new ProtocolError('HAND_OVER is cut short');
  const bits = body.readUInt32BE(4);
  if (bits > 3) throw new ProtocolError(`the reserved bits of HAND_OVER are not 0: ${bits}`);
  const finalRound = body.readUInt32BE(8);
  if (finalRound > ROUNDS_MAX)
    throw new ProtocolError(`HAND_OVER names round ${finalRound}, and there is none`);
  const guestClockUs = body.readDoubleBE(CLOCK_OFFSET);
  if (!(guestClockUs >= 0 && guestClockUs <= INSTANT_US_MAX))
    throw new ProtocolError('the checkpoint is wrong: its clock makes no sense');
  const stoppedAtUs = body.readDoubleBE(STOPPED_AT_OFFSET);
  if (!(stoppedAtUs >= 0 && stoppedAtUs <= STOPPED_AT_US_MAX))
    throw new ProtocolError('the instant at which HAND_OVER says that the guest was stopped makes no sense');
  return {
    announcement: body.readUInt32BE(0),
    pagesFollow: (bits & 1) !== 0,
    isPaused: (bits & 2) !== 0,
    finalRound,
    finalPages: body.readUInt32BE(12),
    regions: body.readUInt32BE(20),
    chunks: body.readUInt32BE(24),
    guestClockUs,
    stoppedAtUs,
    registers: Array.from({ length: vcpus }, (_, vcpu) =>
      readDoubles(body, HAND_OVER_HEAD_BYTES + vcpu * BYTES_A_VCPU, REGISTERS_PER_VCPU),
    ),
    devices: Array.from({ length: devices }, (_, device) =>
      readDeviceState(body, devicesFrom + device * BYTES_A_DEVICE),
    ),
    bitmap: body.subarray(headBytes),
  };
}

// A register may hold any double, infinities among them: what they mean is the guest's business.
function readDoubles(body: Buffer, from: number, count: number): Float64Array {
  const doubles = new Float64Array(count);
  for (let index = 0; index < count; index++) doubles[index] = body.readDoubleBE(from + 8 * index);
  return doubles;
}

function readDeviceState(body: Buffer, from: number): DeviceState {
  if (body.readUInt32BE(from + 4) !== 0)
    throw new ProtocolError('the reserved bits of a device in HAND_OVER are not 0');
  return { version: body.readUInt32BE(from), registers: readDoubles(body, from + 8, REGISTERS_PER_DEVICE) };
}
