// The fetcher as the main thread holds it: remote page faults, and the last step of a post-copy.
// Turns its messages into events; decides nothing.
import { MicrostunError } from '../../shared/errors.js';
import type { GuestMachine } from '../../shared/guest/machine.js';
import type { Address } from '../../shared/wire/sockets.js';
import { WorkerThread } from '../../shared/worker-thread.js';
import type { FetcherMessage, FetcherRequest, FetcherWorkerData } from './fetcher-worker.js';
import { WORKER_END_MS_MAX } from '../../shared/limits.js';

export interface FetcherEvents {
  /** The last lacking page was placed by a fault. */
  allArrived(): void;
  /** All pages are PRESENT. */
  settled(fetchedPages: number): void;
  connected(): void;
  lost(error: MicrostunError): void;
  failed(error: MicrostunError): void;
}

export class Fetcher {
  readonly #worker: WorkerThread<FetcherRequest, FetcherMessage>;
  #isLost = false;

  constructor(machine: GuestMachine, source: Address, migrationId: string, events: FetcherEvents) {
    const faults = machine.takeFaultPorts();
    const { memory, safepointWords } = machine.shared;
    const workerData: FetcherWorkerData = { memory, safepointWords, source, migrationId, faults };
    this.#worker = new WorkerThread<FetcherRequest, FetcherMessage>(
      'fetcher',
      new URL('./fetcher-worker.js', import.meta.url),
      workerData,
      (message) => {
        switch (message.kind) {
          case 'connected':
            this.#isLost = false;
            events.connected();
            return;
          case 'all-arrived':
            events.allArrived();
            return;
          case 'settled':
            events.settled(message.fetchedPages);
            return;
          case 'lost':
            this.#isLost = true;
            events.lost(new MicrostunError(message.code, message.reason));
        }
      },
      (error) => {
        events.failed(error);
      },
      faults,
    );
  }

  /** Every page has arrived: give the fast path to them all. */
  settle(): void {
    this.#worker.post({ kind: 'settle' });
  }

  /** Gives up the connection, or a dial under way, and dials again: nothing moves on it. */
  redial(): void {
    this.#isLost = false;
    this.#worker.post({ kind: 'dial' });
  }

  /** Dials again if the connection was lost; one that is being dialled tells how that ends. */
  reconnect(): void {
    if (this.#isLost) this.redial();
  }

  async close(): Promise<void> {
    this.#worker.post({ kind: 'exit' });
    await this.#worker.terminateAfter(WORKER_END_MS_MAX);
  }
}
