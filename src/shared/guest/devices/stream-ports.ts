// The connections of a service as its device thread sees them: who comes gets a slot, bytes go into its ring and out of it.
// Called within slices of devices only; the program's side is streams.ts. Knows no socket.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import type { DeviceWindow } from './device-windows.js';
import { readRing, writeRing } from './rings.js';
import { serviceLayout, SLOT_BYTES, SlotStatus, SlotWord, type ServiceLayout } from './slot-words.js';

/** Which stream of which gateway carries a connection; both 0: none does. */
export interface Carrier {
  readonly gateway: number;
  readonly stream: number;
}

const NO_CARRIER: Carrier = { gateway: 0, stream: 0 };

export class StreamPorts {
  readonly connections: number;
  readonly ringBytes: number;
  readonly #memory: GuestMemory;
  readonly #layout: ServiceLayout;

  constructor(memory: GuestMemory, { device, gpa }: DeviceWindow) {
    this.connections = device.connections;
    this.ringBytes = device.ringBytes;
    this.#memory = memory;
    this.#layout = serviceLayout(gpa, device.connections, device.ringBytes);
  }

  status(slot: number): SlotStatus {
    return this.#memory.load32(this.#layout.slotGpa(slot) + SlotWord.STATUS) as SlotStatus;
  }

  /** Whether the guest is done with it. */
  isClosed(slot: number): boolean {
    return this.#memory.atomicLoad32(this.#layout.slotGpa(slot) + SlotWord.CLOSED) !== 0;
  }

  carrier(slot: number): Carrier {
    const gpa = this.#layout.slotGpa(slot);
    return {
      gateway: this.#memory.load32(gpa + SlotWord.GATEWAY) >>> 0,
      stream: this.#memory.load32(gpa + SlotWord.STREAM) >>> 0,
    };
  }

  /** Gives a free slot to a new connection; undefined when there is none. */
  open({ gateway, stream }: Carrier = NO_CARRIER): number | undefined {
    for (let slot = 0; slot < this.connections; slot++) {
      if (this.status(slot) !== SlotStatus.FREE) continue;
      const gpa = this.#layout.slotGpa(slot);
      this.#memory.fill(gpa, SLOT_BYTES, 0);
      this.#memory.store32(gpa + SlotWord.GATEWAY, gateway | 0);
      this.#memory.store32(gpa + SlotWord.STREAM, stream | 0);
      this.#memory.atomicStore32(gpa + SlotWord.STATUS, SlotStatus.OPEN);
      return slot;
    }
    return undefined;
  }

  /** The client says no more (`ENDED`), or is gone (`LOST`). */
  setStatus(slot: number, status: typeof SlotStatus.ENDED | typeof SlotStatus.LOST): void {
    this.#memory.atomicStore32(this.#layout.slotGpa(slot) + SlotWord.STATUS, status);
  }

  /** The next connection may have the slot. */
  free(slot: number): void {
    this.#memory.atomicStore32(this.#layout.slotGpa(slot) + SlotWord.STATUS, SlotStatus.FREE);
  }

  /** Bytes that came in so far, counted round at 2^32. */
  inCount(slot: number): number {
    return this.#memory.load32(this.#layout.slotGpa(slot) + SlotWord.IN_HEAD) >>> 0;
  }

  /** Bytes that are known to have gone out so far, counted round at 2^32. */
  outCount(slot: number): number {
    return this.#memory.load32(this.#layout.slotGpa(slot) + SlotWord.OUT_TAIL) >>> 0;
  }

  /** Puts in as much of `bytes` as there is room for; answers how much. Where that is not all, the guest rings for more. */
  put(slot: number, bytes: Uint8Array): number {
    const gpa = this.#layout.slotGpa(slot);
    let byteCount = Math.min(this.#room(gpa), bytes.length);
    const waits = this.#memory.load32(gpa + SlotWord.IN_WAITS);
    if (byteCount < bytes.length) {
      this.#memory.atomicStore32(gpa + SlotWord.IN_WAITS, 1);
      // Room may have come before the guest could see that.
      byteCount = Math.min(this.#room(gpa), bytes.length);
    } else if (waits !== 0) this.#memory.atomicStore32(gpa + SlotWord.IN_WAITS, 0);
    if (byteCount === 0) return 0;
    const from = this.#memory.load32(gpa + SlotWord.IN_HEAD);
    const fitting = byteCount === bytes.length ? bytes : bytes.subarray(0, byteCount);
    writeRing(this.#memory, this.#layout.inGpa(slot), this.ringBytes, from, fitting);
    this.#memory.atomicStore32(gpa + SlotWord.IN_HEAD, from + byteCount);
    return byteCount;
  }

  #room(gpa: number): number {
    const inUse =
      (this.#memory.load32(gpa + SlotWord.IN_HEAD) - this.#memory.atomicLoad32(gpa + SlotWord.IN_TAIL)) >>> 0;
    return Math.max(0, this.ringBytes - inUse);
  }

  /** Bytes that the guest wrote and that are not known to have gone out. */
  waiting(slot: number): number {
    const gpa = this.#layout.slotGpa(slot);
    const count =
      (this.#memory.atomicLoad32(gpa + SlotWord.OUT_HEAD) - this.#memory.load32(gpa + SlotWord.OUT_TAIL)) >>>
      0;
    // A guest that wrote over its own counts is to be no more than wrong.
    return Math.min(count, this.ringBytes);
  }

  /** Copies out bytes that wait, from the one after the first `skipped` on, as many as `target` takes; answers how many. */
  peek(slot: number, target: Uint8Array, skipped = 0): number {
    const byteCount = Math.min(this.waiting(slot) - skipped, target.length);
    if (byteCount <= 0) return 0;
    const from = this.outCount(slot) + skipped;
    readRing(this.#memory, this.#layout.outGpa(slot), this.ringBytes, from, target, byteCount);
    return byteCount;
  }

  /** The next `byteCount` bytes have gone out; answers whether the guest waits for the room. */
  release(slot: number, byteCount: number): boolean {
    const gpa = this.#layout.slotGpa(slot);
    this.#memory.atomicStore32(gpa + SlotWord.OUT_TAIL, this.outCount(slot) + byteCount);
    // After the room is there: whoever waits for it says so before it looks again. The next one says it anew.
    if (this.#memory.atomicLoad32(gpa + SlotWord.OUT_WAITS) === 0) return false;
    this.#memory.atomicStore32(gpa + SlotWord.OUT_WAITS, 0);
    return true;
  }
}
