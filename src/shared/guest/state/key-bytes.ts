// Bytes on their way between a vCPU's own arrays and guest memory: hashed, compared, copied in and copied out.
// Short runs go word by word through the door, because a view of an array costs more than they do.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';

/** From so many bytes on a block move is faster than a loop over words. */
const BLOCK_BYTES_MIN = 64;

/**
 * A 32-bit hash of `length` bytes from `from` on (MurmurHash3). A seed that clients cannot know makes it hard for them to
 * choose keys that all collide, and no more than hard.
 */
export function hashOfBytes(bytes: Uint8Array, from: number, length: number, seed: number): number {
  let hash = seed | 0;
  const end = from + length;
  let at = from;
  for (; at + 4 <= end; at += 4) {
    hash ^= scrambled(bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24));
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  if (at < end) {
    let rest = 0;
    for (let shift = 0; at < end; at++, shift += 8) rest |= bytes[at]! << shift;
    hash ^= scrambled(rest);
  }
  hash ^= length;
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return hash ^ (hash >>> 16);
}

function scrambled(word: number): number {
  const product = Math.imul(word, 0xcc9e2d51);
  return Math.imul((product << 15) | (product >>> 17), 0x1b873593);
}

/** Whether guest memory from `gpa` on, which 4 divides, holds `length` bytes from `from` on. */
export function holdsBytes(
  memory: GuestMemory,
  gpa: number,
  bytes: Uint8Array,
  from: number,
  length: number,
): boolean {
  let at = 0;
  for (; at + 4 <= length; at += 4) {
    const index = from + at;
    const word =
      bytes[index]! | (bytes[index + 1]! << 8) | (bytes[index + 2]! << 16) | (bytes[index + 3]! << 24);
    if (memory.load32(gpa + at) !== word) return false;
  }
  for (; at < length; at++) if (memory.load8(gpa + at) !== bytes[from + at]) return false;
  return true;
}

/** Copies `length` bytes from `from` on into guest memory. */
export function copyIn(
  memory: GuestMemory,
  gpa: number,
  source: Uint8Array,
  from: number,
  length: number,
): void {
  if (length >= BLOCK_BYTES_MIN) {
    memory.write(gpa, new Uint8Array(source.buffer, source.byteOffset + from, length));
    return;
  }
  let at = 0;
  if (gpa % 4 === 0) {
    for (; at + 4 <= length; at += 4) {
      const index = from + at;
      memory.store32(
        gpa + at,
        source[index]! | (source[index + 1]! << 8) | (source[index + 2]! << 16) | (source[index + 3]! << 24),
      );
    }
  }
  for (; at < length; at++) memory.store8(gpa + at, source[from + at]!);
}

/** Copies `length` bytes out of guest memory into `target`, from `to` on. */
export function copyOut(
  memory: GuestMemory,
  gpa: number,
  target: Uint8Array,
  to: number,
  length: number,
): void {
  if (length >= BLOCK_BYTES_MIN) {
    memory.read(gpa, new Uint8Array(target.buffer, target.byteOffset + to, length));
    return;
  }
  let at = 0;
  if (gpa % 4 === 0) {
    for (; at + 4 <= length; at += 4) {
      const word = memory.load32(gpa + at);
      const index = to + at;
      target[index] = word;
      target[index + 1] = word >> 8;
      target[index + 2] = word >> 16;
      target[index + 3] = word >> 24;
    }
  }
  for (; at < length; at++) target[to + at] = memory.load8(gpa + at);
}
