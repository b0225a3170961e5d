// Guest memory as its guest reaches it: the methods, and what they promise.
// A type and nothing else, of which whoever writes a guest needs to know no other; how it is kept is guest-memory.ts's.

/**
 * Guest memory as a vCPU sees it. Addresses (`gpa`) are guest physical byte addresses: below 4 GiB, or for a guest in
 * segments below 2^52; a word must lie on its natural alignment. All methods throw GuestMemoryError for such an address
 * outside of the guest; what is no whole number in that range is not an address, and single words do not check for it (the
 * block operations do). Memory that was never stored to is zero, and of a guest in segments takes none of the host's; a
 * store to it throws NoSlotError when the host has no more.
 */
export interface GuestMemory {
  /** How many bytes there are: addresses are below this. */
  readonly memoryBytes: number;
  /** How many pages of 4 KiB. */
  readonly pageCount: number;
  /** Unsigned 8-bit load. */
  load8(gpa: number): number;
  /** Unsigned 16-bit load. */
  load16(gpa: number): number;
  /** Signed 32-bit load. */
  load32(gpa: number): number;
  /** Unsigned 64-bit load. */
  load64(gpa: number): bigint;
  /** Load of a double. */
  loadF64(gpa: number): number;
  /** Stores the low 8 bits. */
  store8(gpa: number, value: number): void;
  /** Stores the low 16 bits. */
  store16(gpa: number, value: number): void;
  /** Stores the low 32 bits. */
  store32(gpa: number, value: number): void;
  /** Stores the low 64 bits. */
  store64(gpa: number, value: bigint): void;
  /** Stores a double. */
  storeF64(gpa: number, value: number): void;
  /** Signed 32-bit load; sequentially consistent between vCPUs, as all atomic operations are. */
  atomicLoad32(gpa: number): number;
  /** Stores the low 32 bits, and answers nothing. */
  atomicStore32(gpa: number, value: number): void;
  /** Adds `delta`; answers the old value. */
  atomicAdd32(gpa: number, delta: number): number;
  /** Stores `value`; answers the old one. */
  atomicExchange32(gpa: number, value: number): number;
  /** Stores `value` if `expected` is there; answers the old value either way. */
  atomicCompareExchange32(gpa: number, expected: number, value: number): number;
  /** Sets `byteCount` bytes to `value`. */
  fill(gpa: number, byteCount: number, value: number): void;
  /** Moves bytes within guest memory; the ranges may overlap. */
  move(toGpa: number, fromGpa: number, byteCount: number): void;
  /** Copies guest memory out into `target`, all of it. */
  read(gpa: number, target: Uint8Array): void;
  /** Copies all of `source` into guest memory. */
  write(gpa: number, source: Uint8Array): void;
}
