// Replies that a connection's ring has no room for yet: pieces in the heap, in the order in which they are to go out.
// A slice ends with every reply in a ring or here; nothing more of a client is executed while some of its are here.
import type { GuestMemory } from '../../../memory/guest-memory.js';
import type { Heap } from '../../state/heap.js';
import { SlotState } from './layout.js';
import type { Streams } from './streams.js';

/** Offsets in a piece. */
const NEXT = 0;
const BYTES = 8;
const DATA = 16;
const PIECE_BYTES_MAX = 16_384;

export interface PendingReplies {
  has(slotGpa: number): boolean;
  /** Writes what there is room for. */
  flush(slot: number, slotGpa: number): void;
  /** Keeps bytes for later; false when there is no memory for them, and some may be missing. */
  keep(slotGpa: number, bytes: Uint8Array): boolean;
  drop(slotGpa: number): void;
}

export function createPendingReplies(memory: GuestMemory, heap: Heap, streams: Streams): PendingReplies {
  const buffer = new Uint8Array(PIECE_BYTES_MAX);

  function dropFirst(slotGpa: number): void {
    const piece = memory.loadF64(slotGpa + SlotState.PENDING);
    const next = memory.loadF64(piece + NEXT);
    memory.storeF64(slotGpa + SlotState.PENDING, next);
    if (next === 0) memory.storeF64(slotGpa + SlotState.PENDING_LAST, 0);
    memory.store32(slotGpa + SlotState.PENDING_FROM, 0);
    heap.free(piece);
  }

  const has = (slotGpa: number): boolean => memory.loadF64(slotGpa + SlotState.PENDING) !== 0;

  function keepPiece(slotGpa: number, bytes: Uint8Array): boolean {
    const piece = heap.tryAllocate(DATA + bytes.length);
    if (piece === 0) return false;
    memory.storeF64(piece + NEXT, 0);
    memory.store32(piece + BYTES, bytes.length);
    memory.write(piece + DATA, bytes);
    const last = memory.loadF64(slotGpa + SlotState.PENDING_LAST);
    memory.storeF64(last === 0 ? slotGpa + SlotState.PENDING : last + NEXT, piece);
    memory.storeF64(slotGpa + SlotState.PENDING_LAST, piece);
    return true;
  }

  return {
    has,
    flush(slot, slotGpa) {
      // No more than a ring takes, which is what a slice has time for.
      while (has(slotGpa)) {
        const piece = memory.loadF64(slotGpa + SlotState.PENDING);
        const from = memory.load32(slotGpa + SlotState.PENDING_FROM);
        const rest = buffer.subarray(0, memory.load32(piece + BYTES) - from);
        memory.read(piece + DATA + from, rest);
        const written = streams.write(slot, rest);
        if (written < rest.length) {
          memory.store32(slotGpa + SlotState.PENDING_FROM, from + written);
          return;
        }
        dropFirst(slotGpa);
      }
    },
    keep(slotGpa, bytes) {
      for (let from = 0; from < bytes.length; from += PIECE_BYTES_MAX)
        if (!keepPiece(slotGpa, bytes.subarray(from, from + PIECE_BYTES_MAX))) return false;
      return true;
    },
    drop(slotGpa) {
      while (has(slotGpa)) dropFirst(slotGpa);
    },
  };
}
