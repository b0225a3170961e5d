// Mutations of a stream of frames, as somebody makes them who means harm: cut, flipped, spliced, repeated, lengths lied
// about; and the checks of the frames put right after it, or nothing would ever be looked at behind them.
// Knows headers and bytes; what the frames mean is whoever takes them's.
import { crc32 } from 'node:zlib';
import { FRAME_HEADER_BYTES, FrameType } from '../../../src/shared/wire/frames.js';
import { hashKernelsOf, NO_PAGES } from '../../../src/shared/memory/page-hashes.js';
import { PAGE_BYTES } from '../../../src/shared/memory/pages.js';
import { CHECKED, headBytesOf, REGION_HEAD_BYTES } from '../../../src/shared/wire/page-frames.js';
import type { Chance } from './chance.js';

const LENGTH_OFFSET = 4;
const CHECK_OFFSET = 8;

/** Numbers that are wrong more often than others. */
const numbers = [0, 1, 2, 7, 8, 9, 127, 128, 255, 256, 511, 512, 4095, 4096, 65_535, 65_536];
const hugeNumbers = [0x7fff_ffff, 0x8000_0000, 0xffff_fffe, 0xffff_ffff, 1 << 21, 1 << 28];

/** The frames of a stream, each with its header; what is no whole frame is left out. */
export function framesOf(stream: Buffer): Buffer[] {
  const frames: Buffer[] = [];
  for (let at = 0; at + FRAME_HEADER_BYTES <= stream.length;) {
    const end = at + FRAME_HEADER_BYTES + stream.readUInt32BE(at + LENGTH_OFFSET);
    if (end > stream.length) break;
    frames.push(stream.subarray(at, end));
    at = end;
  }
  return frames;
}

/** The frame with its length and its check put right, or its check alone, for a length that lies. */
export function mended(frame: Buffer, isLengthMended = true): Buffer {
  if (frame.length < FRAME_HEADER_BYTES) return frame;
  const bytes = Buffer.from(frame);
  const bodyBytes = bytes.length - FRAME_HEADER_BYTES;
  if (isLengthMended) bytes.writeUInt32BE(bodyBytes, LENGTH_OFFSET);
  const checkedBytes = bytes[0] === FrameType.PAGES ? Math.min(headBytesOf(bytes[1]!), bodyBytes) : bodyBytes;
  mendPagesCheck(bytes);
  const ownCheck = crc32(bytes.subarray(0, CHECK_OFFSET));
  const checked = bytes.subarray(FRAME_HEADER_BYTES, FRAME_HEADER_BYTES + checkedBytes);
  bytes.writeUInt32BE(crc32(checked, ownCheck), CHECK_OFFSET);
  return bytes;
}

const staged = new WebAssembly.Memory({ initial: 32, maximum: 32, shared: true });
const kernels = hashKernelsOf(staged);

// Of a CHECKED frame whose pages are whole.
function mendPagesCheck(frame: Buffer): void {
  if (frame[0] !== FrameType.PAGES || (frame[1]! & CHECKED) === 0) return;
  const pages = frame.subarray(FRAME_HEADER_BYTES + headBytesOf(CHECKED));
  if (pages.length % PAGE_BYTES !== 0 || pages.length > staged.buffer.byteLength) return;
  if (frame.length < FRAME_HEADER_BYTES + headBytesOf(CHECKED)) return;
  new Uint8Array(staged.buffer).set(pages);
  const check = kernels.foldPages(0, pages.length / PAGE_BYTES, NO_PAGES);
  frame.writeBigInt64BE(check, FRAME_HEADER_BYTES + REGION_HEAD_BYTES);
}

/** One frame changed here and there, by itself and by parts of `others`; mostly with its check right. */
export function mutated(chance: Chance, frame: Buffer, others: readonly Buffer[]): Buffer {
  let bytes: Buffer = Buffer.from(frame);
  for (let change = chance.below(3); change >= 0; change--) bytes = changedOnce(chance, bytes, others);
  if (chance.isOneIn(10)) return bytes;
  return mended(bytes, !chance.isOneIn(8));
}

/** The frames, of which some are changed, left out, repeated or out of their order. */
export function mutatedFrames(
  chance: Chance,
  frames: readonly Buffer[],
  others: readonly Buffer[],
): Buffer[] {
  const changed = [...frames];
  for (let change = chance.below(3); change >= 0; change--) {
    const at = chance.below(changed.length);
    const frame = changed[at] ?? chance.pick(others);
    switch (chance.below(8)) {
      case 0:
        changed.splice(at, 1);
        break;
      case 1:
        changed.splice(at, 0, frame);
        break;
      case 2:
        changed.splice(at, 0, chance.pick(others));
        break;
      case 3:
        changed.push(...changed.splice(at, 1));
        break;
      default:
        changed[at] = mutated(chance, frame, others);
    }
  }
  return changed;
}

/** The same as a stream, which is perhaps cut in the middle. */
export function mutatedStream(chance: Chance, frames: readonly Buffer[], others: readonly Buffer[]): Buffer {
  const stream = Buffer.concat(mutatedFrames(chance, frames, others));
  return chance.isOneIn(6) ? stream.subarray(0, chance.below(stream.length + 1)) : stream;
}

function changedOnce(chance: Chance, bytes: Buffer, others: readonly Buffer[]): Buffer {
  // Bodies are often long and what they mean is in their first bytes.
  const reach = chance.isOneIn(2) ? bytes.length : Math.min(bytes.length, 64);
  const at = chance.below(reach + 1);
  const length = chance.isOneIn(4)
    ? chance.below(bytes.length - at + 1)
    : chance.below(Math.min(17, bytes.length - at + 1));
  switch (chance.below(10)) {
    case 0:
      return bytes.subarray(0, at);
    case 1:
      return Buffer.concat([bytes.subarray(0, at), bytes.subarray(at + length)]);
    case 2:
      return Buffer.concat([bytes.subarray(0, at), chance.bytes(chance.below(17)), bytes.subarray(at)]);
    case 3:
      return Buffer.concat([bytes.subarray(0, at + length), bytes.subarray(at)]);
    case 4:
      return spliced(chance, bytes, at, length, others);
    case 5:
    case 6:
      return withNumber(chance, bytes, at);
    default:
      if (at < bytes.length)
        bytes[at] = chance.isOneIn(2) ? bytes[at]! ^ (1 << chance.below(8)) : chance.below(256);
      return bytes;
  }
}

function spliced(
  chance: Chance,
  bytes: Buffer,
  at: number,
  length: number,
  others: readonly Buffer[],
): Buffer {
  const other = chance.pick(others);
  const from = chance.below(other.length);
  const part = other.subarray(from, from + Math.max(1, chance.below(256)));
  return Buffer.concat([bytes.subarray(0, at), part, bytes.subarray(at + length)]);
}

function withNumber(chance: Chance, bytes: Buffer, at: number): Buffer {
  // A number in the middle of a frame is at a multiple of its size more often than not.
  const from = chance.isOneIn(4) ? at : at & ~3;
  if (from + 4 > bytes.length) return bytes;
  const there = bytes.readUInt32BE(from);
  const value = chance.isOneIn(2)
    ? there + chance.pick([-1, 1, -8, 8, 4096])
    : chance.pick(chance.isOneIn(2) ? numbers : hugeNumbers);
  if (chance.isOneIn(3)) bytes.writeUInt32LE(value >>> 0, from);
  else bytes.writeUInt32BE(value >>> 0, from);
  return bytes;
}
