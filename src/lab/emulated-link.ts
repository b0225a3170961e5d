// An emulated network between this process and a peer, for lab runs and tests: a worker through which all connections
// of a migration go, and which delays and cuts them. The thread that starts it holds this; it knows bytes, no frames.
import type { MicrostunError } from '../shared/errors.js';
import { WorkerThread } from '../shared/worker-thread.js';
import type {
  EmulatedLinkMessage,
  EmulatedLinkRequest,
  EmulatedLinkWorkerData,
} from './emulated-link-worker.js';
import type { Address } from '../shared/wire/sockets.js';

/** All connections are cut `atMs` after the migration began, and cannot be made again for `forMs`. */
export interface ScriptedCut {
  readonly atMs: number;
  readonly forMs: number;
}

export interface Emulation {
  /** Added to each round trip, half of it each way. Kept to about a millisecond. */
  readonly delayMs: number;
  readonly cuts: readonly ScriptedCut[];
}

/** Where the link listens, and where what connects there is passed on to. */
export interface LinkRoute {
  readonly listen: Address;
  readonly to: Address;
}

export interface EmulatedLinkEvents {
  /** The connections were cut. */
  cut(cut: ScriptedCut): void;
  /** Somebody connected, and whoever it was for could not be reached. */
  unreachable(reason: string): void;
  failed(error: MicrostunError): void;
}

/** Routes that the worker was asked for. */
interface Adding {
  readonly resolve: (ports: readonly number[]) => void;
  readonly reject: (error: MicrostunError) => void;
}

export class EmulatedLink {
  readonly #emulation: Emulation;
  readonly #events: EmulatedLinkEvents;
  readonly #adding: Adding[] = [];
  #worker: WorkerThread<EmulatedLinkRequest, EmulatedLinkMessage> | undefined;

  constructor(emulation: Emulation, events: EmulatedLinkEvents) {
    this.#emulation = emulation;
    this.#events = events;
  }

  /**
   * Begins to listen for each of `routes`; answers their ports. The cuts' clock starts now. `isThisHostOnly`: nobody on
   * another host, since what goes through is clear text.
   * @throws MicrostunError LISTEN_FAILED, wrapped in WORKER_FAILED.
   */
  start(routes: readonly LinkRoute[], isThisHostOnly: boolean): Promise<readonly number[]> {
    this.#worker = new WorkerThread<EmulatedLinkRequest, EmulatedLinkMessage>(
      'emulated link',
      new URL('./emulated-link-worker.js', import.meta.url),
      { ...this.#emulation, isThisHostOnly } satisfies EmulatedLinkWorkerData,
      (message) => {
        switch (message.kind) {
          case 'listening':
            this.#adding.shift()?.resolve(message.ports);
            return;
          case 'cut':
            this.#events.cut({ atMs: message.atMs, forMs: message.forMs });
            return;
          case 'unreachable':
            this.#events.unreachable(message.reason);
        }
      },
      (error) => {
        for (const { reject } of this.#adding.splice(0)) reject(error);
        this.#events.failed(error);
      },
    );
    return this.add(routes);
  }

  /**
   * Listens for more routes; answers their ports.
   * @throws MicrostunError as `start`.
   */
  add(routes: readonly LinkRoute[]): Promise<readonly number[]> {
    return new Promise((resolve, reject) => {
      this.#adding.push({ resolve, reject });
      this.#worker?.post({ kind: 'add', routes });
    });
  }

  /** Passes on what is under way, then ends. */
  async close(): Promise<void> {
    this.#worker?.post({ kind: 'exit' });
    await this.#worker?.terminateAfter(this.#emulation.delayMs + CLOSE_MS);
  }
}

/** Connections whose peers do not end them are ended after this. */
const CLOSE_MS = 1000;
