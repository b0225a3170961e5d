// Memory that is kept for guests: touched before one comes, given to one at a time, and cleared before the next has it.
// Knows no guest and no migration; whoever gives it back says that nobody uses it any more.
import { MicrostunError } from '../../shared/errors.js';
import { layOut, reserveMemory, type MemoryHandle } from '../../shared/memory/layout.js';
import { formatBytes } from '../../shared/units.js';
import { WorkerThread } from '../../shared/worker-thread.js';
import type { ReserveMessage, ReserveRequest, ReserveWorkerData } from './reserve-worker.js';

export interface ReserveEvents {
  /** All of it is touched. */
  touched(): void;
  /** Its thread has failed: guests get memory of their own from now on. */
  failed(error: MicrostunError): void;
}

export class MemoryReserve {
  readonly bytes: number;
  readonly #memory: WebAssembly.Memory;
  readonly #worker: WorkerThread<ReserveRequest, ReserveMessage>;
  readonly #touchedBytes = new Float64Array(new SharedArrayBuffer(8));
  #state: 'clear' | 'clearing' | 'taken' | 'failed' = 'clear';
  #waiting: (() => void)[] = [];

  /**
   * Reserves `bytes` for guests of so much memory or less, and begins to touch them.
   * @throws MicrostunError INSUFFICIENT_MEMORY when no more than `availableBytes` are there, or the host has no room.
   */
  constructor(bytes: number, availableBytes: number, events: ReserveEvents) {
    this.bytes = bytes;
    this.#memory = reserve(bytes, availableBytes);
    const workerData: ReserveWorkerData = { memory: this.#memory, bytes, touchedBytes: this.#touchedBytes };
    this.#worker = new WorkerThread<ReserveRequest, ReserveMessage>(
      'reserve',
      new URL('./reserve-worker.js', import.meta.url),
      workerData,
      ({ kind }) => {
        if (kind === 'touched') events.touched();
        else this.#enter('clear');
      },
      (error) => {
        this.#enter('failed');
        events.failed(error);
      },
    );
  }

  /** What of it a guest may take without taking any from the host; undefined when it is not for the next guest. */
  get forNextGuest(): { readonly bytes: number; readonly untouchedBytes: number } | undefined {
    if (this.#state === 'taken' || this.#state === 'failed') return undefined;
    return { bytes: this.bytes, untouchedBytes: this.untouchedBytes };
  }

  /** How far the touching is. */
  get touchedBytes(): number {
    return this.#touchedBytes[0]!;
  }

  /** What is still going to be touched. */
  get untouchedBytes(): number {
    return this.#state === 'failed' ? 0 : this.bytes - this.touchedBytes;
  }

  /** Resolves when nothing is being cleared. */
  async settled(): Promise<void> {
    while (this.#state === 'clearing')
      await new Promise<void>((resolve) => {
        this.#waiting.push(resolve);
      });
  }

  /** Memory for a guest of `memoryBytes`, all zero; undefined when it is too small, or is not clear. */
  take(memoryBytes: number): MemoryHandle | undefined {
    if (this.#state !== 'clear' || memoryBytes > this.bytes) return undefined;
    this.#enter('taken');
    return layOut(this.#memory, memoryBytes);
  }

  /** Whether that memory is the reserve's. */
  holds({ memory }: MemoryHandle): boolean {
    return memory === this.#memory;
  }

  /** Nobody uses that memory any more: no thread has it, and no kernel reads into it. What is not the reserve's is left. */
  giveBack(handle: MemoryHandle): void {
    if (this.#state !== 'taken' || !this.holds(handle)) return;
    this.#enter('clearing');
    this.#worker.post({ kind: 'clear', memoryBytes: handle.memoryBytes });
  }

  close(): Promise<void> {
    return this.#worker.terminate();
  }

  #enter(state: 'clear' | 'clearing' | 'taken' | 'failed'): void {
    this.#state = state;
    for (const resolve of this.#waiting.splice(0)) resolve();
  }
}

function reserve(bytes: number, availableBytes: number): WebAssembly.Memory {
  const tooMuch = (cause?: unknown): MicrostunError =>
    new MicrostunError(
      'INSUFFICIENT_MEMORY',
      `--reserve ${formatBytes(bytes)} is more than this host has: ${formatBytes(availableBytes)} are available now. ` +
        'Choose a smaller one, or free memory',
      { cause },
    );
  if (bytes > availableBytes) throw tooMuch();
  try {
    return reserveMemory(bytes);
  } catch (error) {
    throw tooMuch(error);
  }
}
