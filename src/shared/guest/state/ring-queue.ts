// A queue of byte records in a ring of guest memory, for one vCPU that puts in and one that takes out at the same time.
// Several on a side take turns under a lock. Knows nothing of what the bytes mean.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import { copyIn } from './key-bytes.js';
import { checkAligned, GuestStateError, gpaText } from './state-error.js';

const MAGIC = 0x52696e67;

// Layout: magic and units in all; where the next is taken out and where it is put in (atomic), each in a line of its own so
// that the two sides do not get into each other's way; then the units. One unit stays free: equal ends are an empty ring.
const UNITS_AT = 4;
const HEAD_AT = 64;
const TAIL_AT = 128;
const RING_AT = 192;
const UNIT_BYTES = 8;

/** Instead of a record's length: nothing is here, go on at the ring's beginning. */
const SKIP = -1;

/**
 * A ring queue. All of its state lies in guest memory: make it once, in `boot`, with `RingQueue.create`, and have views of it
 * by `new RingQueue(memory, gpa)`. One vCPU may put in while another takes out; nothing waits, and nobody is woken.
 */
export class RingQueue {
  /** Where it lies. */
  readonly gpa: number;
  readonly #memory: GuestMemory;
  readonly #units: number;

  /** Makes an empty queue of `byteCount` bytes at `gpa`, which 8 divides; the first 192 are its own. */
  static create(memory: GuestMemory, gpa: number, byteCount: number): RingQueue {
    checkAligned(gpa, UNIT_BYTES, 'a ring queue');
    const units = Math.floor((byteCount - RING_AT) / UNIT_BYTES);
    if (!(units >= 4 && units < 2 ** 28 && gpa + byteCount <= memory.memoryBytes)) {
      throw new GuestStateError(
        `a ring queue at ${gpaText(gpa)} cannot have ${byteCount} bytes: at least 224, fewer than 2 GiB, and within guest memory`,
      );
    }
    memory.fill(gpa, RING_AT, 0);
    memory.store32(gpa + UNITS_AT, units);
    memory.store32(gpa, MAGIC);
    return new RingQueue(memory, gpa);
  }

  /** The queue that was made at `gpa`. */
  constructor(memory: GuestMemory, gpa: number) {
    if (memory.load32(gpa) !== MAGIC) {
      throw new GuestStateError(
        `there is no ring queue at ${gpaText(gpa)}: make one with RingQueue.create in boot`,
      );
    }
    this.#memory = memory;
    this.gpa = gpa;
    this.#units = memory.load32(gpa + UNITS_AT);
  }

  /** Whether there is nothing in it now. */
  get isEmpty(): boolean {
    const memory = this.#memory;
    return memory.atomicLoad32(this.gpa + HEAD_AT) === memory.atomicLoad32(this.gpa + TAIL_AT);
  }

  /** The longest record that can ever get in: half of the ring, because a record lies in one piece. */
  get recordBytesMax(): number {
    return (Math.floor(this.#units / 2) - 1) * UNIT_BYTES;
  }

  /** Puts a record in; answers whether there was room. */
  push(bytes: Uint8Array, from = 0, length = bytes.length - from): boolean {
    const gpa = this.reserve(length);
    if (gpa === 0) return false;
    copyIn(this.#memory, gpa, bytes, from, length);
    this.commit();
    return true;
  }

  /**
   * Room for a record of `byteCount`, to be filled in place and put in by `commit`, in this slice or a later one; answers its
   * gpa, which 8 divides, or 0 when there is no room now.
   * @throws GuestStateError when there would never be.
   */
  reserve(byteCount: number): number {
    if (!(byteCount >= 0 && byteCount <= this.recordBytesMax)) {
      throw new GuestStateError(
        `a record of ${byteCount} bytes never gets into the ring queue at ${gpaText(this.gpa)}: at most ${this.recordBytesMax} do`,
      );
    }
    const memory = this.#memory;
    const all = this.#units;
    const units = unitsOf(byteCount);
    const head = memory.atomicLoad32(this.gpa + HEAD_AT);
    const tail = memory.load32(this.gpa + TAIL_AT);
    const free = (head - tail - 1 + all) % all;
    if (tail + units <= all) {
      if (units > free) return 0;
      return this.#open(tail, byteCount);
    }
    // It does not fit before the ring's end: what is left there is skipped.
    if (all - tail + units > free) return 0;
    memory.store32(this.#unitGpa(tail), SKIP);
    return this.#open(0, byteCount);
  }

  /** Puts in what was reserved last. */
  commit(): void {
    const memory = this.#memory;
    const tail = memory.load32(this.gpa + TAIL_AT);
    const at = memory.load32(this.#unitGpa(tail)) === SKIP ? 0 : tail;
    const next = at + unitsOf(memory.load32(this.#unitGpa(at)));
    memory.atomicStore32(this.gpa + TAIL_AT, next === this.#units ? 0 : next);
  }

  /** Where the oldest record lies, on 8; 0 when the queue is empty. It stays there until `drop`. */
  front(): number {
    const memory = this.#memory;
    const head = memory.load32(this.gpa + HEAD_AT);
    if (head === memory.atomicLoad32(this.gpa + TAIL_AT)) return 0;
    return this.#unitGpa(this.#firstAt(head)) + UNIT_BYTES;
  }

  /** How long the record is that `front` answered. */
  lengthOf(front: number): number {
    return this.#memory.load32(front - UNIT_BYTES);
  }

  /** Takes the oldest record out: its bytes are the queue's again. */
  drop(): void {
    const front = this.front();
    if (front === 0)
      throw new GuestStateError(`the ring queue at ${gpaText(this.gpa)} is empty: nothing to drop`);
    const units = unitsOf(this.lengthOf(front));
    const next = (front - UNIT_BYTES - this.gpa - RING_AT) / UNIT_BYTES + units;
    this.#memory.atomicStore32(this.gpa + HEAD_AT, next === this.#units ? 0 : next);
  }

  #open(unit: number, byteCount: number): number {
    const gpa = this.#unitGpa(unit);
    this.#memory.store32(gpa, byteCount);
    return gpa + UNIT_BYTES;
  }

  #firstAt(head: number): number {
    return this.#memory.load32(this.#unitGpa(head)) === SKIP ? 0 : head;
  }

  #unitGpa(unit: number): number {
    return this.gpa + RING_AT + unit * UNIT_BYTES;
  }
}

/** A unit for the length, and those of the bytes. */
function unitsOf(byteCount: number): number {
  return 1 + ((byteCount + UNIT_BYTES - 1) >>> 3);
}
