// The tracer's worker as the main thread holds it: traces and harvests one at a time, each a promise; and the switch-over,
// which that thread does alone. Decides nothing; what the worker does is tracer.ts and departure.ts.
import { MicrostunError } from '../../shared/errors.js';
import type { SharedMachine } from '../../shared/guest/shared-machine.js';
import { viewMemory } from '../../shared/memory/layout.js';
import { removeTraces } from '../../shared/memory/tracing.js';
import { WorkerThread } from '../../shared/worker-thread.js';
import { WORKER_END_MS_MAX } from '../../shared/limits.js';
import type { FaultBytes } from '../faults/fault-ledger.js';
import type { FaultLineOptions } from '../faults/fault-line.js';
import { listenFailureOf } from '../../shared/wire/listen-failure.js';
import type { Departed, SwitchOver } from './departure.js';
import type { TracerAnswer, TracerMessage, TracerRequest, TracerWorkerData } from './tracer-worker.js';
import type { Harvest, TraceMode } from './tracer.js';

export interface TracerEvents {
  /** The destination has said on the fault connection that it runs the guest, at `at` (`monotonicUs`). */
  takenOver(at: number): void;
  /** The fault connection is lost, or could not be dialled: whoever dials does so again. */
  lost(error: MicrostunError): void;
  failed(error: MicrostunError): void;
}

/** A switch-over whose end is waited for. */
interface Departing {
  readonly resolve: (departed: Departed) => void;
  readonly reject: (error: MicrostunError) => void;
}

export class TracerThread {
  readonly #worker: WorkerThread<TracerRequest, TracerMessage>;
  readonly #events: TracerEvents;
  #answered: ((message: TracerAnswer) => void) | undefined;
  #failed: ((error: MicrostunError) => void) | undefined;
  #departing: Departing | undefined;
  #previous: Promise<unknown> = Promise.resolve();
  readonly #giveUp = new Int32Array(new SharedArrayBuffer(4));
  readonly #progress = new Float64Array(new SharedArrayBuffer(8));
  readonly #machine: SharedMachine;
  #failure: MicrostunError | undefined;
  #isLost = false;
  #bytes: FaultBytes & { readonly cuts: number } = {
    faults: 0,
    bitmap: 0,
    checkpoint: 0,
    control: 0,
    socket: 0,
    wire: 0,
    cuts: 0,
  };

  /** `gate`: the shared word of the gate that stands before the hand-over. */
  constructor(machine: SharedMachine, mode: TraceMode, gate: SharedArrayBuffer, events: TracerEvents) {
    this.#machine = machine;
    this.#events = events;
    const workerData: TracerWorkerData = {
      machine,
      mode,
      giveUp: this.#giveUp.buffer,
      gate,
      progress: this.#progress.buffer,
    };
    const entry = new URL('./tracer-worker.js', import.meta.url);
    this.#worker = new WorkerThread(
      'tracer',
      entry,
      workerData,
      (message) => {
        this.#take(message);
      },
      (error) => {
        this.#failure = error;
        this.#failed?.(error);
        this.#departing?.reject(error);
        events.failed(error);
      },
    );
  }

  #take(message: TracerMessage): void {
    switch (message.kind) {
      case 'departed':
        this.#departing?.resolve(message.departed);
        return;
      case 'stayed':
        this.#departing?.reject(new MicrostunError(message.code, message.reason));
        return;
      case 'taken-over':
        this.#events.takenOver(message.at);
        return;
      case 'lost':
        this.#isLost = true;
        this.#events.lost(new MicrostunError(message.code, message.reason));
        return;
      case 'ended':
        this.#bytes = message.bytes;
        return;
      default:
        this.#answered?.(message);
    }
  }

  /**
   * Listens for the fault connection, or dials it; answers the port.
   * @throws MicrostunError LISTEN_FAILED.
   */
  async open(options: FaultLineOptions): Promise<number> {
    try {
      return (await this.#ask({ kind: 'open', options }, 'open')).port;
    } catch (error) {
      throw error instanceof MicrostunError ? listenFailureOf(error) : error;
    }
  }

  /** Gives up the fault connection, or a dial under way, and dials again. */
  redial(): void {
    this.#isLost = false;
    this.#worker.post({ kind: 'renew' });
  }

  /** Dials again if the connection was lost; one that is being dialled tells how that ends. */
  reconnect(): void {
    if (this.#isLost) this.redial();
  }

  /** Every page that there is counts as dirty then. */
  async installTraces(): Promise<Harvest> {
    return (await this.#ask({ kind: 'install' }, 'installed')).installed;
  }

  /** `keepsRest`: what is dirty stays so. */
  async harvest(keepsRest = false): Promise<Harvest> {
    return (await this.#ask({ kind: 'harvest', keepsRest }, 'harvested')).harvest;
  }

  /**
   * Has the guest leave: what goes ahead is announced, the vCPUs are parked, and the hand-over is sent, unless the gate
   * is shut first. Resolves once it is sent; `removeTraces` ends what is under way.
   * @throws MicrostunError GUEST_FAILED, TIMEOUT: it cannot be stopped; CANCELLED: it is to stay.
   */
  switchOver(how: SwitchOver): Promise<Departed> {
    return new Promise((resolve, reject) => {
      if (this.#failure !== undefined) {
        reject(this.#failure);
        return;
      }
      this.#departing = { resolve, reject };
      this.#worker.post({ kind: 'switch-over', how });
    });
  }

  /** Changes while pages are asked for. */
  get movedBytes(): number {
    return this.#progress[0]!;
  }

  /** What the fault connections carried; whole once closed. */
  get bytes(): FaultBytes & { readonly cuts: number } {
    return this.#bytes;
  }

  /**
   * Removes all traces, whatever is under way: waits for vCPUs are given up, a switch-over ends, and no page may be asked
   * for any more. Also when the worker has failed.
   */
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
  #ask<Kind extends TracerAnswer['kind']>(
    request: TracerRequest,
    kind: Kind,
  ): Promise<Extract<TracerAnswer, { kind: Kind }>> {
    const answer = this.#previous.then(
      () =>
        new Promise<Extract<TracerAnswer, { kind: Kind }>>((resolve, reject) => {
          if (this.#failure !== undefined) {
            reject(this.#failure);
            return;
          }
          this.#failed = reject;
          this.#answered = (message) => {
            if (message.kind === kind) resolve(message as Extract<TracerAnswer, { kind: Kind }>);
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
