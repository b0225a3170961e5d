// The window of a service: a row of slots, one a connection, each of some words; then two rings a slot.
// A layout; streams.ts is the guest's side of it, stream-ports.ts the device's. docs/memory-model.md argues the order.
import { PAGE_BYTES } from '../../memory/pages.js';

/** A slot has a cache line of its own. */
export const SLOT_BYTES = 64;

/** What a connection is, as its device knows it. */
export const SlotStatus = {
  FREE: 0,
  OPEN: 1,
  /** The client says no more; it still hears. */
  ENDED: 2,
  /** The client is gone. */
  LOST: 3,
} as const;
export type SlotStatus = (typeof SlotStatus)[keyof typeof SlotStatus];

/**
 * Offsets of u32 words in a slot; each has one writer while the slot is not free, and the device alone writes to one that
 * is. Counts of bytes go round at 2^32.
 */
export const SlotWord = {
  /** By the device. */
  STATUS: 0,
  /** Bytes that came in, and those that the guest has consumed. By the device; by the guest. */
  IN_HEAD: 4,
  IN_TAIL: 8,
  /** Bytes that the guest wrote, and those that are known to have gone out. By the guest; by the device. */
  OUT_HEAD: 12,
  OUT_TAIL: 16,
  /** 1: the guest wants it closed once all that it wrote has gone out. By the guest. */
  CLOSED: 20,
  /** 1: bytes wait outside for room in the ring. By the device. */
  IN_WAITS: 24,
  /** 1: the guest could not write all that it wanted. Set by the guest, cleared by the device. */
  OUT_WAITS: 28,
  /** Which stream of which gateway carries it; 0 and 0: none does. By the device. */
  GATEWAY: 32,
  STREAM: 36,
} as const;

/** Where the parts of a service's window lie. */
export interface ServiceLayout {
  slotGpa(slot: number): number;
  inGpa(slot: number): number;
  outGpa(slot: number): number;
}

export function serviceLayout(gpa: number, connections: number, ringBytes: number): ServiceLayout {
  const ringsGpa = gpa + Math.ceil((connections * SLOT_BYTES) / PAGE_BYTES) * PAGE_BYTES;
  return {
    slotGpa: (slot) => gpa + slot * SLOT_BYTES,
    inGpa: (slot) => ringsGpa + 2 * slot * ringBytes,
    outGpa: (slot) => ringsGpa + (2 * slot + 1) * ringBytes,
  };
}
