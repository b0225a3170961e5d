// The copiers' workers as the main thread holds them: all of them together carry a round.
// Turns their messages into events; decides nothing, and touches no page.
import { MicrostunError } from '../../shared/errors.js';
import type { SharedMachine } from '../../shared/guest/shared-machine.js';
import type { Address } from '../../shared/wire/sockets.js';
import { WorkerThread } from '../../shared/worker-thread.js';
import { listenFailureOf } from '../listen-failure.js';
import type { CopierMessage, CopierRequest, CopierWorkerData } from './copier-worker.js';
import type { RoundShare } from './copier.js';
import type { ConnectionBytes } from './page-line.js';
import { CopierWords } from './copier-words.js';
import { WORKER_END_MS_MAX } from '../../shared/limits.js';

/** What all copiers together carried of a round. */
export type RoundTotal = RoundShare;

export interface CopierEvents {
  /** Every page connection is up. */
  connected(): void;
  /** All copiers' shares of the round are placed at the destination. */
  roundPlaced(total: RoundTotal): void;
  lost(error: MicrostunError): void;
  failed(error: MicrostunError): void;
}

export interface CopierOptions {
  readonly connections: number;
  /** Where the first copier listens, and the others on the ports after it; on any free ones if the port is 0. */
  readonly listen: Address;
  readonly migrationId: string;
  /** Caps what all of them send together. */
  readonly bytesPerSecond: number | undefined;
}

/** The copiers, one worker and one connection each. */
export class Copiers {
  readonly #workers: WorkerThread<CopierRequest, CopierMessage>[] = [];
  readonly #progress: CopierWords[] = [];
  readonly #bytes: ConnectionBytes[] = [];
  readonly #machine: SharedMachine;
  readonly #events: CopierEvents;
  readonly #isConnected: boolean[] = [];
  #shares: RoundShare[] = [];
  #isCopying = false;

  constructor(machine: SharedMachine, events: CopierEvents) {
    this.#machine = machine;
    this.#events = events;
  }

  /**
   * Starts the workers, each with a port of its own; answers their ports.
   * @throws MicrostunError LISTEN_FAILED.
   */
  start(options: CopierOptions): Promise<number[]> {
    const { connections, listen, migrationId, bytesPerSecond } = options;
    return Promise.all(
      Array.from({ length: connections }, (_, index) => {
        const progress = new CopierWords();
        this.#progress.push(progress);
        const port = listen.port === 0 ? 0 : listen.port + index;
        return this.#startCopier({
          memory: this.#machine.memory,
          listen: { host: listen.host, port },
          migrationId,
          index,
          copiers: connections,
          words: progress.buffer,
          bytesPerSecond: bytesPerSecond === undefined ? undefined : bytesPerSecond / connections,
        });
      }),
    );
  }

  #startCopier(workerData: CopierWorkerData): Promise<number> {
    return new Promise((resolve, reject) => {
      const entry = new URL('./copier-worker.js', import.meta.url);
      const onMessage = (message: CopierMessage): void => {
        if (message.kind === 'listening') resolve(message.port);
        else this.#receive(workerData.index, message, workerData.copiers);
      };
      const onFailure = (error: MicrostunError): void => {
        const ours = listenFailureOf(error);
        reject(ours);
        this.#events.failed(ours);
      };
      this.#workers.push(
        new WorkerThread(`copier ${workerData.index}`, entry, workerData, onMessage, onFailure),
      );
    });
  }

  #receive(index: number, message: Exclude<CopierMessage, { kind: 'listening' }>, copiers: number): void {
    switch (message.kind) {
      case 'connected':
        this.#isConnected[index] = true;
        if (this.#connectedCount === copiers) this.#events.connected();
        return;
      case 'lost':
        this.#isConnected[index] = false;
        this.#events.lost(new MicrostunError(message.code, message.reason));
        return;
      case 'round-placed':
        this.#bytes[index] = message.bytes;
        this.#shares.push(message.share);
        if (this.#shares.length === copiers) this.#events.roundPlaced(this.#takeTotal());
    }
  }

  get #connectedCount(): number {
    return this.#isConnected.filter(Boolean).length;
  }

  #takeTotal(): RoundTotal {
    const shares = this.#shares;
    this.#shares = [];
    this.#isCopying = false;
    const sum = (pick: (share: RoundShare) => number): number =>
      shares.reduce((total, share) => total + pick(share), 0);
    return {
      round: shares[0]!.round,
      sentPages: sum((share) => share.sentPages),
      zeroPages: sum((share) => share.zeroPages),
      framingBytes: sum((share) => share.framingBytes),
    };
  }

  /** Sends the pages in the shared dirty bitmap as `round`. */
  copyRound(round: number, flags: number): void {
    this.#isCopying = true;
    for (const worker of this.#workers) worker.post({ kind: 'copy-round', round, flags });
  }

  /** The round ends where it is: at the next region of each copier. */
  stopRound(round: number): void {
    for (const progress of this.#progress) progress.stop(round);
  }

  /** Whether a round is under way: sent or not, it is not known to be placed. */
  get isCopying(): boolean {
    return this.#isCopying;
  }

  /** Pages and bytes sent so far by all copiers. */
  get progress(): { readonly pages: number; readonly bytes: number } {
    return {
      pages: this.#progress.reduce((total, { pages }) => total + pages, 0),
      bytes: this.#progress.reduce((total, { bytes }) => total + bytes, 0),
    };
  }

  /** Changes while anything moves on the page connections. */
  get movedBytes(): number {
    return this.#progress.reduce((total, { movedBytes }) => total + movedBytes, 0);
  }

  /** Bytes of all page connections when their last rounds were placed. */
  get bytes(): ConnectionBytes {
    return {
      control: this.#bytes.reduce((total, one) => total + one.control, 0),
      socket: this.#bytes.reduce((total, one) => total + one.socket, 0),
      cuts: this.#bytes.reduce((total, one) => total + one.cuts, 0),
    };
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) worker.post({ kind: 'exit' });
    await Promise.all(this.#workers.map((worker) => worker.terminateAfter(WORKER_END_MS_MAX)));
  }
}
