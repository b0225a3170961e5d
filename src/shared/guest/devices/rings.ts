// Bytes into and out of a ring in guest memory; its length is a power of two, and counts of bytes go round at 2^32.
// Moves bytes and no count: who publishes them, and when, is the caller's.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';

/** Copies `byteCount` bytes from the place of the byte that is counted `from`. */
export function readRing(
  memory: GuestMemory,
  ringGpa: number,
  ringBytes: number,
  from: number,
  target: Uint8Array,
  byteCount: number,
): void {
  const at = from & (ringBytes - 1);
  const first = Math.min(byteCount, ringBytes - at);
  if (first > 0) memory.read(ringGpa + at, first === target.length ? target : target.subarray(0, first));
  if (byteCount > first) memory.read(ringGpa, target.subarray(first, byteCount));
}

/** Copies all of `source`, which is no longer than the ring, to the place of the byte that is counted `from`. */
export function writeRing(
  memory: GuestMemory,
  ringGpa: number,
  ringBytes: number,
  from: number,
  source: Uint8Array,
): void {
  const at = from & (ringBytes - 1);
  const first = Math.min(source.length, ringBytes - at);
  memory.write(ringGpa + at, first === source.length ? source : source.subarray(0, first));
  if (source.length > first) memory.write(ringGpa, source.subarray(first));
}
