// The fetcher as the main thread holds it: remote page faults, and the last step of a post-copy.
// Turns its messages into events; decides nothing.
import { MicrostunError } from '../../shared/errors.js';
import type { Pass } from '../../shared/wire/pass.js';
import type { GuestMachine } from '../../shared/guest/machine.js';
import { listenFailureOf } from '../../shared/wire/listen-failure.js';
import { WorkerThread } from '../../shared/worker-thread.js';
import type { ReceiverPool } from '../pages/receivers.js';
import type { PageWays } from '../page-ways.js';
import type { GuestSize } from '../room.js';
import type { TakenOver } from '../take-over.js';
import type { FetcherMessage, FetcherRequest, FetcherWorkerData } from './fetcher-worker.js';
import { WORKER_END_MS_MAX } from '../../shared/limits.js';

export interface FetcherEvents {
  /** A hand-over came, and its last pages did not yet. */
  placing(): void;
  /** The guest is this side's, and its vCPUs were told to run. */
  takenOver(facts: TakenOver): void;
  /** What the source said on the fault connection is wrong, or the guest cannot be resumed. */
  declined(error: MicrostunError): void;
  /** The last lacking page was placed by a fault. */
  allArrived(): void;
  /** All pages are PRESENT. */
  settled(fetchedPages: number): void;
  /** The source may dial this port. */
  listening(port: number): void;
  connected(): void;
  lost(error: MicrostunError): void;
  failed(error: MicrostunError): void;
}

/** Where the guest comes to. */
export interface GuestPlace {
  readonly machine: Pick<GuestMachine, 'shared' | 'takeFaultPorts'>;
  /** The shared word of the gate that stands before the take-over. */
  readonly gate: SharedArrayBuffer;
  readonly receivers: Pick<ReceiverPool, 'placementGate' | 'placedHashes' | 'count'>;
  readonly size: GuestSize;
}

export class Fetcher {
  readonly #worker: WorkerThread<FetcherRequest, FetcherMessage>;
  #isLost = false;
  /** Where it is dialled; undefined if it dials. */
  port: number | undefined;

  constructor(
    { machine, gate, receivers, size }: GuestPlace,
    { end, faults: at }: PageWays,
    pass: Pass,
    events: FetcherEvents,
  ) {
    const faults = machine.takeFaultPorts();
    const workerData: FetcherWorkerData = {
      machine: machine.shared,
      gate,
      placementGate: receivers.placementGate,
      placedHashes: receivers.placedHashes,
      receivers: receivers.count,
      size,
      end,
      at,
      pass,
      faults,
    };
    this.#worker = new WorkerThread<FetcherRequest, FetcherMessage>(
      'fetcher',
      new URL('./fetcher-worker.js', import.meta.url),
      workerData,
      (message) => {
        switch (message.kind) {
          case 'listening':
            this.port = message.port;
            events.listening(message.port);
            return;
          case 'connected':
            this.#isLost = false;
            events.connected();
            return;
          case 'placing':
            events.placing();
            return;
          case 'taken-over':
            events.takenOver(message.facts);
            return;
          case 'declined':
            events.declined(new MicrostunError(message.code, message.reason));
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
        events.failed(listenFailureOf(error));
      },
      faults,
    );
  }

  /** The receivers have placed a round. */
  roundPlaced(): void {
    this.#worker.post({ kind: 'round-placed' });
  }

  /** Every page has arrived: give the fast path to them all. */
  settle(): void {
    this.#worker.post({ kind: 'settle' });
  }

  /** Gives up the connection, or a dial under way, for a new one: nothing moves on it. */
  renew(): void {
    this.#isLost = false;
    this.#worker.post({ kind: 'renew' });
  }

  /** Dials again if the connection was lost, where the source does not; one that is being dialled tells how that ends. */
  reconnect(): void {
    if (this.#isLost) this.renew();
  }

  async close(): Promise<void> {
    this.#worker.post({ kind: 'exit' });
    await this.#worker.terminateAfter(WORKER_END_MS_MAX);
  }
}
