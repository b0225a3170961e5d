// The receivers as the main thread holds them: one worker and one page connection each.
// Turns their messages into events; decides nothing.
import { asMicrostunError, MicrostunError } from '../../shared/errors.js';
import type { Pass } from '../../shared/wire/pass.js';
import type { SharedMachine } from '../../shared/guest/shared-machine.js';
import { viewMemory } from '../../shared/memory/layout.js';
import { ConnectionStates } from '../../shared/wire/connection-states.js';
import { listenFailureOf } from '../../shared/wire/listen-failure.js';
import { WorkerThread } from '../../shared/worker-thread.js';
import type { PageWays } from '../page-ways.js';
import { addUpCompared, type Compared } from './hash-comparison.js';
import { allocatePlacedHashes } from './placed-hashes.js';
import { allocatePlacementGate } from './placement-gate.js';
import type { ReceiverMessage, ReceiverRequest, ReceiverWorkerData } from './receiver-worker.js';
import { RoundShares } from './round-shares.js';
import { WORKER_END_MS_MAX } from '../../shared/limits.js';

export interface ReceiverEvents {
  /** All connections of `round` have been placed; `pages` in all. */
  roundPlaced(round: number, pages: number): void;
  /** Of the round that was just placed: what was compared in it. */
  compared(compared: Compared): void;
  /** The last page that the running guest lacked is placed. */
  allArrived(): void;
  /** Pages have come, if it was asked a second ago or so. */
  moved(): void;
  /** The source may dial these ports. */
  listening(ports: readonly number[]): void;
  /** A connection is up; all of them are when `isWhole`. */
  connected(isWhole: boolean): void;
  lost(error: MicrostunError): void;
  failed(error: MicrostunError): void;
  /** The source breaks the protocol in a way that no connection can see by itself. */
  outOfTurn(error: MicrostunError): void;
}

/** What was agreed of the pages of a migration. */
export interface PageAgreement {
  /** Whether all pages carry a check. */
  readonly pageChecks: boolean;
  /** Whether the guest is to be compared with its source. */
  readonly verifies: boolean;
}

export class ReceiverPool {
  readonly #workers: WorkerThread<ReceiverRequest, ReceiverMessage>[] = [];
  readonly #events: ReceiverEvents;
  readonly #workerData: readonly ReceiverWorkerData[];
  readonly #shares: RoundShares;
  /** The shared words of their placement gate. */
  readonly placementGate: SharedArrayBuffer;
  /** `PlacedHashes`, where the guest is to be compared with its source. */
  readonly placedHashes: SharedArrayBuffer | undefined;
  readonly #compared: Compared[] = [];
  readonly #receivedBytes: Float64Array;
  readonly #connections: ConnectionStates;
  readonly #ports: number[] = [];

  constructor(
    machine: SharedMachine,
    { end, pages }: PageWays,
    pass: Pass,
    events: ReceiverEvents,
    { pageChecks, verifies }: PageAgreement,
  ) {
    this.#events = events;
    this.#shares = new RoundShares(pages.length);
    this.#connections = new ConnectionStates(pages.length, (index) => {
      // Not all need have been started.
      this.#workers[index]?.post({ kind: 'renew' });
    });
    const { pageCount } = viewMemory(machine.memory);
    this.placementGate = allocatePlacementGate(pageCount);
    this.placedHashes = verifies ? allocatePlacedHashes(pageCount) : undefined;
    const receivedBytes = new SharedArrayBuffer(8 * pages.length);
    this.#receivedBytes = new Float64Array(receivedBytes);
    this.#workerData = pages.map((at, index) => ({
      memory: machine.memory,
      safepointWords: machine.safepointWords,
      placementGate: this.placementGate,
      receivedBytes,
      end,
      at,
      pass,
      index,
      receivers: pages.length,
      pageChecks,
      placedHashes: this.placedHashes,
    }));
  }

  /**
   * Starts the workers, which dial, or listen. Those that were started before one that cannot be are ended by
   * `close`, as all are.
   * @throws MicrostunError WORKER_FAILED when the host allows no further thread.
   */
  start(): void {
    const entry = new URL('./receiver-worker.js', import.meta.url);
    for (const [index, workerData] of this.#workerData.entries()) {
      this.#workers.push(
        new WorkerThread<ReceiverRequest, ReceiverMessage>(
          `receiver ${index}`,
          entry,
          workerData,
          (message) => {
            this.#receive(index, message);
          },
          (error) => {
            this.#events.failed(listenFailureOf(error));
          },
        ),
      );
    }
  }

  #receive(index: number, message: ReceiverMessage): void {
    switch (message.kind) {
      case 'listening':
        this.#ports[index] = message.port;
        // Not one is missing.
        if (Object.keys(this.#ports).length === this.count) this.#events.listening(this.#ports);
        return;
      case 'connected':
        this.#events.connected(this.#connections.noteUp(index));
        return;
      case 'round-placed':
        this.#onRoundPlaced(index, message);
        return;
      case 'moved':
        this.#events.moved();
        return;
      case 'all-arrived':
        this.#events.allArrived();
        return;
      case 'lost':
        this.#connections.noteLost(index);
        this.#events.lost(new MicrostunError(message.code, message.reason));
    }
  }

  #onRoundPlaced(
    index: number,
    { round, pages, compared }: Extract<ReceiverMessage, { kind: 'round-placed' }>,
  ): void {
    if (compared !== undefined) this.#compared.push(compared);
    try {
      const placed = this.#shares.placed(index, round, pages);
      if (placed === undefined) return;
      this.#events.roundPlaced(placed.round, placed.pages);
      const all = this.#compared.splice(0);
      if (all.length > 0) this.#events.compared(addUpCompared(all));
    } catch (error) {
      this.#events.outOfTurn(asMicrostunError(error, 'PROTOCOL'));
    }
  }

  /** Where they are dialled; none if they dial. */
  get ports(): readonly number[] {
    return this.#ports;
  }

  /** How many there are. */
  get count(): number {
    return this.#workerData.length;
  }

  /** Bytes that came on all page connections so far; a moment old. */
  get receivedBytes(): number {
    return this.#receivedBytes.reduce((total, bytes) => total + bytes, 0);
  }

  /** Gives up all connections, and dials under way, for new ones: nothing moves on them. */
  renew(): void {
    this.#connections.renewAll();
  }

  /** Dials again what was lost; a source that dials does so by itself. */
  reconnect(): void {
    this.#connections.renewLost();
  }

  /** In turn: each end of a thread holds the guest up for a while, if it touches memory just then. */
  async close(): Promise<void> {
    for (const worker of this.#workers) {
      worker.post({ kind: 'exit' });
      await worker.terminateAfter(WORKER_END_MS_MAX);
    }
  }
}
