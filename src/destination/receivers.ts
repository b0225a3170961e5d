// The receivers as the main thread holds them: one worker and one page connection each.
// Turns their messages into events; decides nothing.
import { MicrostunError } from '../shared/errors.js';
import type { SharedMachine } from '../shared/guest/shared-machine.js';
import { WorkerThread } from '../shared/worker-thread.js';
import type { ReceiverMessage, ReceiverRequest, ReceiverWorkerData } from './receiver-worker.js';

export interface ReceiverEvents {
  /** All of guest memory has been touched. */
  touched(): void;
  /** All connections of `round` have been placed; `pages` in all. */
  roundPlaced(round: number, pages: number): void;
  lost(error: MicrostunError): void;
  failed(error: MicrostunError): void;
}

const CLOSE_MS = 2000;

export class ReceiverPool {
  readonly #workers: WorkerThread<ReceiverRequest, ReceiverMessage>[];
  readonly #events: ReceiverEvents;
  #touched = 0;
  #roundShares = 0;
  #roundPages = 0;
  #switched = 0;
  #onAllSwitched: (() => void) | undefined;

  constructor(
    machine: SharedMachine,
    host: string,
    ports: readonly number[],
    migrationId: string,
    events: ReceiverEvents,
  ) {
    this.#events = events;
    const entry = new URL('./receiver-worker.js', import.meta.url);
    this.#workers = ports.map((port, index) => {
      const workerData: ReceiverWorkerData = {
        memory: machine.memory,
        safepointWords: machine.safepointWords,
        source: { host, port },
        migrationId,
        index,
        receivers: ports.length,
      };
      return new WorkerThread<ReceiverRequest, ReceiverMessage>(
        `receiver ${index}`,
        entry,
        workerData,
        (message) => {
          this.#receive(message);
        },
        (error) => {
          events.failed(error);
        },
      );
    });
  }

  #receive(message: ReceiverMessage): void {
    switch (message.kind) {
      case 'touched':
        if (++this.#touched === this.#workers.length) this.#events.touched();
        return;
      case 'connected':
        return;
      case 'round-placed':
        this.#roundPages += message.pages;
        if (++this.#roundShares < this.#workers.length) return;
        this.#events.roundPlaced(message.round, this.#roundPages);
        this.#roundShares = 0;
        this.#roundPages = 0;
        return;
      case 'guest-runs':
        if (++this.#switched === this.#workers.length) this.#onAllSwitched?.();
        return;
      case 'lost':
        this.#events.lost(new MicrostunError(message.code, message.reason));
    }
  }

  /** From now on pages are placed only where they are absent; resolves when every receiver knows. */
  guestRuns(): Promise<void> {
    return new Promise((resolve) => {
      this.#onAllSwitched = resolve;
      for (const worker of this.#workers) worker.post({ kind: 'guest-runs' });
    });
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) worker.post({ kind: 'exit' });
    await Promise.all(this.#workers.map((worker) => worker.terminateAfter(CLOSE_MS)));
  }
}
