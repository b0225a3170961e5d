// Touches the memory of a guest that comes while its pages come in, and is done or not when the guest is there.
// Knows no page and no source; nobody waits for it.
import type { MemoryHandle } from '../../shared/memory/layout.js';
import { WorkerThread } from '../../shared/worker-thread.js';
import type { ToucherWorkerData } from './toucher-worker.js';

export class Toucher {
  readonly #worker: WorkerThread<never, never>;

  /** Begins at once; a guest in segments has touched `touchedBytes` so far. */
  constructor(memory: MemoryHandle, touchedBytes: number) {
    const workerData: ToucherWorkerData = { memory, touchedBytes };
    this.#worker = new WorkerThread(
      'toucher',
      new URL('./toucher-worker.js', import.meta.url),
      workerData,
      () => undefined,
      // What it did not touch, the receivers do.
      () => undefined,
    );
  }

  /** Ends it, wherever it is. */
  close(): Promise<void> {
    return this.#worker.terminate();
  }
}
