// Touches and clears memory: what a process uses for the first time, the kernel has to find and zero.
// Bytes only; whose they are, and who writes to them meanwhile, is docs/memory-model.md.
import { occupiedBytes, viewMemory, type MemoryHandle } from '../../shared/memory/layout.js';
import { PAGE_BYTES, REGION_BYTES } from '../../shared/memory/pages.js';

const WORDS_PER_PAGE = PAGE_BYTES / 4;
const CLEARED_BYTES = 32 * REGION_BYTES;

/**
 * Touches every page of `bytes`, the last one first: whoever fills them from the first one on, and touches them by that,
 * is met half way. Changes nothing, whoever writes to them at the same time: an atomic OR with 0 stores what is there.
 */
export function touchPages(
  { buffer, byteOffset, byteLength }: Uint8Array<SharedArrayBuffer>,
  note?: (touchedBytes: number) => void,
): void {
  const words = new Int32Array(buffer, byteOffset, byteLength >>> 2);
  for (let word = words.length - WORDS_PER_PAGE; word >= 0; word -= WORDS_PER_PAGE) {
    Atomics.or(words, word, 0);
    if (word % (REGION_BYTES / 4) === 0) note?.(byteLength - 4 * word);
  }
}

/**
 * The bytes that a guest of `touchedBytes` has: all of a guest in one piece, the first slots of one in segments; the last
 * ones first.
 */
export function touchedParts(
  handle: MemoryHandle,
  touchedBytes: number,
): readonly Uint8Array<SharedArrayBuffer>[] {
  const { segments, regions } = viewMemory(handle);
  if (regions.first === 0) return segments.map(({ bytes }) => bytes);
  const parts: Uint8Array<SharedArrayBuffer>[] = [];
  let left = regions.first * REGION_BYTES + touchedBytes;
  for (const { bytes } of segments) {
    if (left > 0) parts.unshift(bytes.subarray(0, left));
    left -= bytes.length;
  }
  return parts;
}

/** Makes all zero that a guest in one piece can have written to. Nobody uses it meanwhile. */
export function clearMemory(handle: MemoryHandle): void {
  const { kernels } = viewMemory(handle);
  const { length } = occupiedBytes(handle);
  // In parts: all of the largest guest's memory is 2^32 bytes, which is no number of a kernel's.
  for (let at = 0; at < length; at += CLEARED_BYTES)
    kernels.clearBytes(at, Math.min(CLEARED_BYTES, length - at));
}
