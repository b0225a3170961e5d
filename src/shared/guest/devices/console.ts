// A console: what the guest writes goes into a ring that nobody has to empty, and is the scroll-back of whoever looks on;
// what is typed waits in another. Both sides of it, the program's and the device's; knows no socket.
import type { GuestMemory } from '../../memory/guest-memory-contract.js';
import { PAGE_BYTES } from '../../memory/pages.js';
import { CONSOLE_INPUT_BYTES, ConsoleWord } from './console-words.js';
import type { DeviceWindow } from './device-windows.js';
import { readRing, writeRing } from './rings.js';

/** The console as its guest program sees it; one vCPU at a time writes, and one reads. */
export class ConsoleStream {
  readonly #memory: GuestMemory;
  readonly #gpa: number;
  readonly #ringBytes: number;
  readonly #touch: () => void;
  readonly #encoder = new TextEncoder();

  constructor(memory: GuestMemory, { device, gpa }: DeviceWindow, touch: () => void) {
    this.#memory = memory;
    this.#gpa = gpa;
    this.#ringBytes = device.ringBytes;
    this.#touch = touch;
  }

  /** Writes text, or bytes; never waits: what is older than the scroll-back is gone. */
  write(text: string | Uint8Array): void {
    const all = typeof text === 'string' ? this.#encoder.encode(text) : text;
    const bytes = all.length > this.#ringBytes ? all.subarray(all.length - this.#ringBytes) : all;
    const written = this.#memory.load32(this.#gpa + ConsoleWord.WRITTEN);
    const from = written + (all.length - bytes.length);
    this.#memory.atomicStore32(this.#gpa + ConsoleWord.CLAIMED, written + all.length);
    writeRing(this.#memory, this.#gpa + PAGE_BYTES, this.#ringBytes, from, bytes);
    if (all.length >= this.#ringBytes || (written & (this.#ringBytes - 1)) + all.length >= this.#ringBytes)
      this.#memory.store32(this.#gpa + ConsoleWord.FILLED, 1);
    this.#memory.atomicStore32(this.#gpa + ConsoleWord.WRITTEN, written + all.length);
    this.#touch();
  }

  /** Takes what was typed, as much as `target` takes; answers how many bytes. */
  read(target: Uint8Array): number {
    const read = this.#memory.load32(this.#gpa + ConsoleWord.READ);
    const typed = this.#memory.atomicLoad32(this.#gpa + ConsoleWord.TYPED);
    const byteCount = Math.min((typed - read) >>> 0, target.length);
    if (byteCount === 0) return 0;
    readRing(
      this.#memory,
      this.#gpa + PAGE_BYTES + this.#ringBytes,
      CONSOLE_INPUT_BYTES,
      read,
      target,
      byteCount,
    );
    this.#memory.atomicStore32(this.#gpa + ConsoleWord.READ, read + byteCount);
    // There may be more that had no room.
    this.#touch();
    return byteCount;
  }
}

/** The console as its device thread sees it, within slices of devices. */
export class ConsolePort {
  readonly ringBytes: number;
  readonly #memory: GuestMemory;
  readonly #gpa: number;

  constructor(memory: GuestMemory, { device, gpa }: DeviceWindow) {
    this.ringBytes = device.ringBytes;
    this.#memory = memory;
    this.#gpa = gpa;
  }

  /** Bytes ever written, counted round at 2^32. */
  get written(): number {
    return this.#memory.atomicLoad32(this.#gpa + ConsoleWord.WRITTEN) >>> 0;
  }

  /** Where the scroll-back begins: counted as `written`. */
  get oldest(): number {
    const written = this.written;
    const isFilled = this.#memory.load32(this.#gpa + ConsoleWord.FILLED) !== 0;
    return isFilled ? (written - this.ringBytes) >>> 0 : 0;
  }

  /**
   * What was written after the byte that is counted `seen`, or all of the scroll-back when that is gone. What the guest
   * began to write over meanwhile is left out.
   */
  since(seen: number): { readonly bytes: Uint8Array; readonly written: number } {
    const written = this.written;
    const byteCount = Math.min((written - seen) >>> 0, this.ringBytes);
    const bytes = new Uint8Array(byteCount);
    readRing(this.#memory, this.#gpa + PAGE_BYTES, this.ringBytes, written - byteCount, bytes, byteCount);
    const claimed = this.#memory.atomicLoad32(this.#gpa + ConsoleWord.CLAIMED);
    const overwritten = Math.max(0, ((claimed - written) >>> 0) + byteCount - this.ringBytes);
    return { bytes: bytes.subarray(Math.min(overwritten, byteCount)), written };
  }

  /** Puts in what was typed, as far as there is room; answers how much. */
  type(bytes: Uint8Array): number {
    const typed = this.#memory.load32(this.#gpa + ConsoleWord.TYPED);
    const inUse = (typed - this.#memory.atomicLoad32(this.#gpa + ConsoleWord.READ)) >>> 0;
    const byteCount = Math.min(CONSOLE_INPUT_BYTES - inUse, bytes.length);
    if (byteCount === 0) return 0;
    const ringGpa = this.#gpa + PAGE_BYTES + this.ringBytes;
    writeRing(this.#memory, ringGpa, CONSOLE_INPUT_BYTES, typed, bytes.subarray(0, byteCount));
    this.#memory.atomicStore32(this.#gpa + ConsoleWord.TYPED, typed + byteCount);
    return byteCount;
  }
}
