// The device thread's side of safepoints: it is parked, but for short slices that it may enter only while the guest runs.
// Words and Atomics only; the other side is safepoint-control.ts, the argument docs/memory-model.md.
import {
  COMMAND,
  Command,
  DEVICES_HELD,
  DEVICES_LEFT,
  DOORBELL,
  NEWS,
  ring,
  vcpusOf,
} from './safepoint-words.js';
import { VcpuSafepoint } from './vcpu-safepoint.js';

export class DeviceSafepoint {
  readonly #words: Int32Array<SharedArrayBuffer>;
  /** It takes part as one more vCPU, after the last. */
  readonly #participant: VcpuSafepoint;

  constructor(buffer: SharedArrayBuffer) {
    this.#words = new Int32Array(buffer);
    this.#participant = new VcpuSafepoint(buffer, vcpusOf(this.#words));
  }

  get command(): Command {
    return Atomics.load(this.#words, COMMAND) as Command;
  }

  #mayEnter(): boolean {
    return this.command === Command.RUN && Atomics.load(this.#words, DEVICES_HELD) === 0;
  }

  /**
   * Enters a slice, in which guest memory may be touched; answers false, and is in none, when the guest is to stand still.
   * It publishes that it runs before it looks at the command, while whoever commands looks at its state after: seen in its
   * slice there, or turned back here. So once it was seen parked after PARK was commanded, it touches no memory before RUN.
   */
  enter(): boolean {
    if (!this.#mayEnter()) return false;
    this.#participant.enter();
    if (this.#mayEnter()) return true;
    this.leave();
    return false;
  }

  leave(): void {
    this.#participant.leave();
  }

  /** Inside of a slice, as a vCPU does. */
  waitForPage(page: number, isHere: () => boolean, ask: () => void): void {
    this.#participant.waitForPage(page, isHere, ask);
  }

  /** Sleeps inside of a slice, as a vCPU does. */
  pause(ms: number): void {
    this.#participant.pause(ms);
  }

  /** Halted vCPUs look whether there is something for them. What it is was stored before. */
  tellVcpus(): void {
    ring(this.#words, NEWS);
  }

  /** The guest has left for another host. Said before the doorbell rings. */
  get hasLeft(): boolean {
    return Atomics.load(this.#words, DEVICES_LEFT) === 1;
  }

  /** Counts up with each command, and with work of vCPUs for the devices. */
  get doorbell(): number {
    return Atomics.load(this.#words, DOORBELL);
  }

  /** Resolves once `doorbell` is not `seen` any more, which it may be already: answers whether it had to wait. */
  async rung(seen: number): Promise<boolean> {
    const waiting = Atomics.waitAsync(this.#words, DOORBELL, seen);
    if (waiting.async) await waiting.value;
    return waiting.async;
  }

  exit(): void {
    this.#participant.exit();
  }
}
