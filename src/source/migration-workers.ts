// The workers of an outgoing migration as the main thread holds them: the tracer and the copiers.
// Turns their messages into promises; decides nothing.
import { MicrostunError } from '../shared/errors.js';
import type { SharedMachine } from '../shared/guest/shared-machine.js';
import type { BitmapFormat } from '../shared/memory/compacted-bitmap.js';
import { viewMemory } from '../shared/memory/layout.js';
import { removeTraces } from '../shared/memory/tracing.js';
import { WorkerThread } from '../shared/worker-thread.js';
import type { CopierMessage, CopierRequest, CopierWorkerData } from './pages/copier-worker.js';
import type { ConnectionBytes, RoundShare } from './pages/copier.js';
import { CopierWords } from './pages/copier-words.js';
import type { TracerMessage, TracerRequest, TracerWorkerData } from './tracer/tracer-worker.js';
import type { Harvest, LastHarvest, TraceMode } from './tracer/tracer.js';
import { WORKER_END_MS_MAX } from '../shared/limits.js';

/** The dedicated tracer: one request at a time. */
export class TracerThread {
  readonly #worker: WorkerThread<TracerRequest, TracerMessage>;
  #answered: ((message: TracerMessage) => void) | undefined;
  #failed: ((error: MicrostunError) => void) | undefined;
  #previous: Promise<unknown> = Promise.resolve();
  readonly #giveUp = new Int32Array(new SharedArrayBuffer(4));
  readonly #machine: SharedMachine;
  #failure: MicrostunError | undefined;

  constructor(machine: SharedMachine, mode: TraceMode, onFailure: (error: MicrostunError) => void) {
    this.#machine = machine;
    const entry = new URL('./tracer/tracer-worker.js', import.meta.url);
    this.#worker = new WorkerThread(
      'tracer',
      entry,
      { machine, mode, giveUp: this.#giveUp.buffer } satisfies TracerWorkerData,
      (message) => {
        this.#answered?.(message);
      },
      (error) => {
        this.#failure = error;
        this.#failed?.(error);
        onFailure(error);
      },
    );
  }

  async installTraces(): Promise<number> {
    return (await this.#ask({ kind: 'install' }, 'installed')).installMs;
  }

  /** `keepsRest`: what is dirty stays so. */
  async harvest(keepsRest = false): Promise<Harvest> {
    return (await this.#ask({ kind: 'harvest', keepsRest }, 'harvested')).harvest;
  }

  async takeLast(format: BitmapFormat, everything: boolean): Promise<LastHarvest> {
    return (await this.#ask({ kind: 'take-last', format, everything }, 'taken')).last;
  }

  /** Removes all traces, whatever is under way: waits for vCPUs are given up. Also when the worker has failed. */
  async removeTraces(): Promise<void> {
    this.#stopWaiting();
    try {
      await this.#ask({ kind: 'remove' }, 'removed');
    } catch {
      removeTraces(viewMemory(this.#machine.memory));
    }
  }

  /** Ends the worker, whatever it waits for. */
  async close(): Promise<void> {
    this.#stopWaiting();
    this.#worker.post({ kind: 'exit' });
    await this.#worker.terminateAfter(WORKER_END_MS_MAX);
  }

  // What is under way fails as CANCELLED within a moment.
  #stopWaiting(): void {
    Atomics.store(this.#giveUp, 0, 1);
  }

  // The worker does one request at a time, and so do we.
  #ask<Kind extends TracerMessage['kind']>(
    request: TracerRequest,
    kind: Kind,
  ): Promise<Extract<TracerMessage, { kind: Kind }>> {
    const answer = this.#previous.then(
      () =>
        new Promise<Extract<TracerMessage, { kind: Kind }>>((resolve, reject) => {
          if (this.#failure !== undefined) {
            reject(this.#failure);
            return;
          }
          this.#failed = reject;
          this.#answered = (message) => {
            if (message.kind === kind) resolve(message as Extract<TracerMessage, { kind: Kind }>);
            else if (message.kind === 'failed') reject(new MicrostunError(message.code, message.reason));
            else reject(new Error(`the tracer answered ${message.kind} to ${request.kind}`));
          };
          this.#worker.post(request);
        }),
    );
    this.#previous = answer.catch(() => undefined);
    return answer;
  }
}

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

/** The copiers, one worker and one connection each. */
export class CopierPool {
  readonly #workers: WorkerThread<CopierRequest, CopierMessage>[] = [];
  readonly #progress: CopierWords[] = [];
  readonly #bytes: ConnectionBytes[] = [];
  readonly #events: CopierEvents;
  readonly #isConnected: boolean[] = [];
  #shares: RoundShare[] = [];
  #isCopying = false;

  constructor(events: CopierEvents) {
    this.#events = events;
  }

  /**
   * Starts `copiers` workers, each listening on `host` (from port `firstPort`, or any if 0); answers their ports.
   * @throws MicrostunError LISTEN_FAILED.
   */
  async start(
    machine: SharedMachine,
    copiers: number,
    host: string,
    firstPort: number,
    migrationId: string,
    bytesPerSecond: number | undefined,
  ): Promise<number[]> {
    return Promise.all(
      Array.from({ length: copiers }, (_, index) => {
        const progress = new CopierWords();
        this.#progress.push(progress);
        const port = firstPort === 0 ? 0 : firstPort + index;
        return this.#startCopier({
          memory: machine.memory,
          listen: { host, port },
          migrationId,
          index,
          copiers,
          words: progress.buffer,
          bytesPerSecond: bytesPerSecond === undefined ? undefined : bytesPerSecond / copiers,
        });
      }),
    );
  }

  #startCopier(workerData: CopierWorkerData): Promise<number> {
    return new Promise((resolve, reject) => {
      const entry = new URL('./pages/copier-worker.js', import.meta.url);
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

/** A worker's failure as what it was: most of them cannot listen. */
export function listenFailureOf(error: MicrostunError): MicrostunError {
  const { cause } = error;
  return cause instanceof Error && 'code' in cause && cause.code === 'LISTEN_FAILED'
    ? new MicrostunError('LISTEN_FAILED', cause.message, { cause })
    : error;
}
