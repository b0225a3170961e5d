// The copiers' workers as the main thread holds them: all of them together carry a round.
// Turns their messages into events; decides nothing, and touches no page.
import { assert, MicrostunError } from '../../shared/errors.js';
import type { SharedMachine } from '../../shared/guest/shared-machine.js';
import type { EndKind } from '../../shared/wire/connection-end.js';
import { ConnectionStates } from '../../shared/wire/connection-states.js';
import { listenFailureOf } from '../../shared/wire/listen-failure.js';
import type { Pass } from '../../shared/wire/pass.js';
import type { Address } from '../../shared/wire/sockets.js';
import { WorkerThread } from '../../shared/worker-thread.js';
import type { CopierMessage, CopierRequest, CopierWorkerData } from './copier-worker.js';
import type { RoundShare } from './copier.js';
import type { RoundKind } from './round-manner.js';
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
  /** Whether their connections are awaited, or dialled. */
  readonly end: EndKind;
  readonly pass: Pass;
  /** Caps what all of them send together. */
  readonly bytesPerSecond: number | undefined;
  /** Whether all pages carry a check. */
  readonly pageChecks: boolean;
}

/** The copiers, one worker and one connection each. */
export class Copiers {
  readonly #workers: WorkerThread<CopierRequest, CopierMessage>[] = [];
  readonly #progress: CopierWords[] = [];
  readonly #bytes: ConnectionBytes[] = [];
  readonly #machine: SharedMachine;
  readonly #events: CopierEvents;
  #connections: ConnectionStates | undefined;
  readonly #opened: ((port: number) => void)[] = [];
  #failed: (error: MicrostunError) => void = () => undefined;
  #shares: RoundShare[] = [];
  #isCopying = false;

  constructor(machine: SharedMachine, events: CopierEvents) {
    this.#machine = machine;
    this.#events = events;
  }

  /** Starts the workers; they have no connection yet. */
  start({ connections, end, pass, bytesPerSecond, pageChecks }: CopierOptions): void {
    const entry = new URL('./copier-worker.js', import.meta.url);
    this.#connections = new ConnectionStates(connections, (index) => {
      // Not all need have been started.
      this.#workers[index]?.post({ kind: 'renew' });
    });
    for (let index = 0; index < connections; index++) {
      const progress = new CopierWords();
      this.#progress.push(progress);
      const workerData: CopierWorkerData = {
        memory: this.#machine.memory,
        end,
        pass,
        index,
        copiers: connections,
        words: progress.buffer,
        bytesPerSecond: bytesPerSecond === undefined ? undefined : bytesPerSecond / connections,
        pageChecks,
      };
      const onMessage = (message: CopierMessage): void => {
        this.#receive(index, message);
      };
      const onFailure = (error: MicrostunError): void => {
        const ours = listenFailureOf(error);
        this.#failed(ours);
        this.#events.failed(ours);
      };
      this.#workers.push(new WorkerThread(`copier ${index}`, entry, workerData, onMessage, onFailure));
    }
  }

  /**
   * Has each listen at its own of `addresses`, or dial it; answers the ports.
   * @throws MicrostunError LISTEN_FAILED.
   */
  open(addresses: readonly Address[]): Promise<number[]> {
    assert(addresses.length === this.#workers.length, 'each copier has an address of its own');
    const failed = new Promise<never>((_resolve, reject) => {
      this.#failed = reject;
    });
    const ports = this.#workers.map(
      (worker, index) =>
        new Promise<number>((resolve) => {
          this.#opened[index] = resolve;
          worker.post({ kind: 'open', at: addresses[index]! });
        }),
    );
    return Promise.race([Promise.all(ports), failed]);
  }

  /** Gives up all connections, and dials under way, and dials them again. */
  redial(): void {
    this.#connections?.renewAll();
  }

  /** Has what was lost dialled again. */
  reconnect(): void {
    this.#connections?.renewLost();
  }

  #receive(index: number, message: CopierMessage): void {
    switch (message.kind) {
      case 'open':
        this.#opened[index]?.(message.port);
        return;
      case 'connected':
        if (this.#connections?.noteUp(index) === true) this.#events.connected();
        return;
      case 'lost':
        this.#connections?.noteLost(index);
        this.#events.lost(new MicrostunError(message.code, message.reason));
        return;
      case 'round-placed':
        this.#bytes[index] = message.bytes;
        this.#shares.push(message.share);
        if (this.#shares.length === this.#workers.length) this.#events.roundPlaced(this.#takeTotal());
    }
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
  copyRound(round: number, of: RoundKind): void {
    this.#isCopying = true;
    for (const worker of this.#workers) worker.post({ kind: 'copy-round', round, of });
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
      wire: this.#bytes.reduce((total, one) => total + one.wire, 0),
      cuts: this.#bytes.reduce((total, one) => total + one.cuts, 0),
    };
  }

  async close(): Promise<void> {
    for (const worker of this.#workers) worker.post({ kind: 'exit' });
    await Promise.all(this.#workers.map((worker) => worker.terminateAfter(WORKER_END_MS_MAX)));
  }
}
