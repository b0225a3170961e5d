// The page server as the main thread holds it.
// Turns its messages into events; decides nothing.
import { MicrostunError } from '../../shared/errors.js';
import type { SharedMachine } from '../../shared/guest/shared-machine.js';
import type { Address } from '../../shared/wire/sockets.js';
import { WorkerThread } from '../../shared/worker-thread.js';
import type {
  FaultBytes,
  PageServerMessage,
  PageServerRequest,
  PageServerWorkerData,
} from './page-server-worker.js';
import { listenFailureOf } from '../listen-failure.js';
import { WORKER_END_MS_MAX } from '../../shared/limits.js';

export interface PageServerEvents {
  lost(error: MicrostunError): void;
  failed(error: MicrostunError): void;
}

export interface PageServerOptions {
  readonly listen: Address;
  readonly migrationId: string;
  /** Caps what it sends; undefined: as fast as it goes. */
  readonly bytesPerSecond: number | undefined;
}

export class PageServer {
  readonly #machine: SharedMachine;
  readonly #events: PageServerEvents;
  #worker: WorkerThread<PageServerRequest, PageServerMessage> | undefined;
  readonly #progress = new Float64Array(new SharedArrayBuffer(8));
  readonly #handedOver = new SharedArrayBuffer(4);
  #bytes: FaultBytes = { faults: 0, control: 0, socket: 0, cuts: 0 };

  constructor(machine: SharedMachine, events: PageServerEvents) {
    this.#machine = machine;
    this.#events = events;
  }

  /**
   * Starts listening; answers the port.
   * @throws MicrostunError LISTEN_FAILED.
   */
  start(options: PageServerOptions): Promise<number> {
    const workerData: PageServerWorkerData = {
      ...options,
      memory: this.#machine.memory,
      progress: this.#progress.buffer,
      handedOver: this.#handedOver,
    };
    return new Promise((resolve, reject) => {
      const entry = new URL('./page-server-worker.js', import.meta.url);
      this.#worker = new WorkerThread<PageServerRequest, PageServerMessage>(
        'page server',
        entry,
        workerData,
        (message) => {
          switch (message.kind) {
            case 'listening':
              resolve(message.port);
              return;
            case 'lost':
              this.#events.lost(new MicrostunError(message.code, message.reason));
              return;
            case 'ended':
              this.#bytes = message.bytes;
          }
        },
        (error) => {
          const ours = listenFailureOf(error);
          reject(ours);
          this.#events.failed(ours);
        },
      );
    });
  }

  /** Changes while pages are asked for. */
  get movedBytes(): number {
    return this.#progress[0]!;
  }

  /**
   * Whether the guest is handed over with pages to follow. Said before the hand-over is sent: a request that is caused
   * by it then finds the word, which a message to the worker might not outrun.
   */
  noteHandedOver(isHandedOver: boolean): void {
    Atomics.store(new Int32Array(this.#handedOver), 0, isHandedOver ? 1 : 0);
  }

  /** What the fault connections carried; whole once closed. */
  get bytes(): FaultBytes {
    return this.#bytes;
  }

  async close(): Promise<void> {
    this.#worker?.post({ kind: 'exit' });
    await this.#worker?.terminateAfter(WORKER_END_MS_MAX);
  }
}
