// The connections of a service as its guest program sees them: streams of bytes in slots, in rings of guest memory.
// Nothing here blocks, and nothing is kept outside of guest memory; who carries the bytes is the device's business.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import type { DeviceWindow } from './device-windows.js';
import { readRing, writeRing } from './rings.js';
import { serviceLayout, SlotStatus, SlotWord, type ServiceLayout } from './slot-words.js';

/** What a program needs to know of a connection. `free`: there is none, or the program has closed it. */
export type StreamState = 'free' | 'open' | 'ended' | 'lost';

/**
 * The streams of one service. At any time one vCPU at the most works on a slot: by its number, say, or under a lock.
 * A slot that is `ended` (the client says no more, and still hears) or `lost` (it is gone, or the guest came here without
 * it) is the program's to close; only then another client may have it.
 */
export class ServiceStreams {
  /** Slots are numbered from 0 to one less. */
  readonly connections: number;
  /** What a slot holds in either direction. */
  readonly ringBytes: number;
  readonly #memory: GuestMemory;
  readonly #layout: ServiceLayout;
  /** There is work for the device. */
  readonly #touch: () => void;

  constructor(memory: GuestMemory, { device, gpa }: DeviceWindow, touch: () => void) {
    this.connections = device.connections;
    this.ringBytes = device.ringBytes;
    this.#memory = memory;
    this.#layout = serviceLayout(gpa, device.connections, device.ringBytes);
    this.#touch = touch;
  }

  /** Of the connection in a slot. */
  state(slot: number): StreamState {
    const gpa = this.#layout.slotGpa(slot);
    const status = this.#memory.atomicLoad32(gpa + SlotWord.STATUS);
    if (status === SlotStatus.FREE || this.#memory.load32(gpa + SlotWord.CLOSED) !== 0) return 'free';
    return status === SlotStatus.OPEN ? 'open' : status === SlotStatus.ENDED ? 'ended' : 'lost';
  }

  /** Bytes that came in and are not consumed. */
  readable(slot: number): number {
    const gpa = this.#layout.slotGpa(slot);
    return (
      (this.#memory.atomicLoad32(gpa + SlotWord.IN_HEAD) - this.#memory.load32(gpa + SlotWord.IN_TAIL)) >>> 0
    );
  }

  /** Copies the next bytes that came in, as many as `target` takes, and leaves them; answers how many. */
  peek(slot: number, target: Uint8Array): number {
    const byteCount = Math.min(this.readable(slot), target.length);
    const from = this.#memory.load32(this.#layout.slotGpa(slot) + SlotWord.IN_TAIL);
    readRing(this.#memory, this.#layout.inGpa(slot), this.ringBytes, from, target, byteCount);
    return byteCount;
  }

  /** The next `byteCount` bytes are done with; no more than are readable. */
  consume(slot: number, byteCount: number): void {
    const gpa = this.#layout.slotGpa(slot);
    this.#memory.atomicStore32(
      gpa + SlotWord.IN_TAIL,
      this.#memory.load32(gpa + SlotWord.IN_TAIL) + byteCount,
    );
    // After the room is there: whoever waits for it says so before it looks again.
    if (this.#memory.atomicLoad32(gpa + SlotWord.IN_WAITS) !== 0) this.#touch();
  }

  /** Takes the next bytes that came in, as many as `target` takes; answers how many. */
  read(slot: number, target: Uint8Array): number {
    const byteCount = this.peek(slot, target);
    if (byteCount > 0) this.consume(slot, byteCount);
    return byteCount;
  }

  /** Bytes that can be written now. */
  writable(slot: number): number {
    const gpa = this.#layout.slotGpa(slot);
    const inUse =
      (this.#memory.load32(gpa + SlotWord.OUT_HEAD) - this.#memory.atomicLoad32(gpa + SlotWord.OUT_TAIL)) >>>
      0;
    return this.ringBytes - inUse;
  }

  /**
   * Writes as much of `source` as there is room for; answers how much. Where that is not all, halted vCPUs are woken once
   * there is more room. What is written to a client that is gone is lost, and said to be written.
   */
  write(slot: number, source: Uint8Array): number {
    const gpa = this.#layout.slotGpa(slot);
    let byteCount = Math.min(this.writable(slot), source.length);
    if (byteCount < source.length) {
      this.#memory.atomicStore32(gpa + SlotWord.OUT_WAITS, 1);
      // Room may have come before the device could see that.
      byteCount = Math.min(this.writable(slot), source.length);
    }
    if (byteCount === 0) return 0;
    const from = this.#memory.load32(gpa + SlotWord.OUT_HEAD);
    const bytes = byteCount === source.length ? source : source.subarray(0, byteCount);
    writeRing(this.#memory, this.#layout.outGpa(slot), this.ringBytes, from, bytes);
    this.#memory.atomicStore32(gpa + SlotWord.OUT_HEAD, from + byteCount);
    this.#touch();
    return byteCount;
  }

  /** The connection is closed once all that was written has gone out; nothing more comes in. */
  close(slot: number): void {
    this.#memory.atomicStore32(this.#layout.slotGpa(slot) + SlotWord.CLOSED, 1);
    this.#touch();
  }
}
