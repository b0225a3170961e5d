// A bump allocator over guest memory: hands out one piece after the other, and takes back all of them at once.
// Several vCPUs may allocate at the same time; it knows nothing of what lies in the pieces.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import { AllocatorFullError, checkAligned, GuestStateError, gpaText } from './state-error.js';

const MAGIC = 0x41726e61;

// Layout from the arena's gpa on: magic, granules taken (atomic), granules in all.
const TAKEN_AT = 4;
const GRANULES_AT = 8;
const HEADER_BYTES = 16;

/** Pieces are multiples of this, and lie on it. */
const GRANULE_BYTES = 16;
/** Half of what a word counts: several vCPUs that overshoot at once, each by less than an arena, never wrap it. */
const GRANULES_MAX = 2 ** 31 - 1;

/**
 * A bump allocator. All of its state lies in guest memory: make it once, in `boot`, with `Arena.create`, and have as many
 * views of it as you like, on any vCPU and after any move, by `new Arena(memory, gpa)`.
 */
export class Arena {
  /** Where it lies. */
  readonly gpa: number;
  readonly #memory: GuestMemory;

  /** Makes an arena of `byteCount` bytes at `gpa`, which 16 divides; it begins with 16 bytes of its own. */
  static create(memory: GuestMemory, gpa: number, byteCount: number): Arena {
    checkAligned(gpa, GRANULE_BYTES, 'an arena');
    const granules = Math.floor((byteCount - HEADER_BYTES) / GRANULE_BYTES);
    if (!(granules >= 1 && granules <= GRANULES_MAX && gpa + byteCount <= memory.memoryBytes)) {
      throw new GuestStateError(
        `an arena at ${gpaText(gpa)} cannot have ${byteCount} bytes: at least 32, fewer than 32 GiB, and within guest memory`,
      );
    }
    memory.store32(gpa, MAGIC);
    memory.store32(gpa + TAKEN_AT, 0);
    memory.store32(gpa + GRANULES_AT, granules);
    return new Arena(memory, gpa);
  }

  /** The arena that was made at `gpa`. */
  constructor(memory: GuestMemory, gpa: number) {
    if (memory.load32(gpa) !== MAGIC) {
      throw new GuestStateError(`there is no arena at ${gpaText(gpa)}: make one with Arena.create in boot`);
    }
    this.#memory = memory;
    this.gpa = gpa;
  }

  /** Bytes that are handed out. */
  get usedBytes(): number {
    return this.#memory.atomicLoad32(this.gpa + TAKEN_AT) * GRANULE_BYTES;
  }

  /** Bytes that can still be handed out. */
  get freeBytes(): number {
    return this.#memory.load32(this.gpa + GRANULES_AT) * GRANULE_BYTES - this.usedBytes;
  }

  /**
   * Answers the gpa of `byteCount` bytes that are yours until `reset`; 16 divides it. They hold what lay there before.
   * @throws AllocatorFullError when there is no room.
   */
  allocate(byteCount: number): number {
    const memory = this.#memory;
    const granules = memory.load32(this.gpa + GRANULES_AT);
    const asked = Math.max(1, Math.ceil(byteCount / GRANULE_BYTES));
    // Looked at before it is taken: who asks for more than there is, again and again, moves nothing.
    if (asked <= granules - memory.atomicLoad32(this.gpa + TAKEN_AT)) {
      const before = memory.atomicAdd32(this.gpa + TAKEN_AT, asked);
      if (before + asked <= granules) return this.gpa + HEADER_BYTES + before * GRANULE_BYTES;
      // Another vCPU came in between. What it is given back may make one fail that asks right now; it is nearly full anyway.
      memory.atomicAdd32(this.gpa + TAKEN_AT, -asked);
    }
    throw new AllocatorFullError(
      `the arena at ${gpaText(this.gpa)} has no room for ${byteCount} bytes (${this.freeBytes} of ${granules * GRANULE_BYTES} are free): make it larger, or reset it`,
    );
  }

  /** Takes everything back. No vCPU may use a piece any more. */
  reset(): void {
    this.#memory.atomicStore32(this.gpa + TAKEN_AT, 0);
  }
}
