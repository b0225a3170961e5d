// The tracer's worker as the main thread holds it: one request at a time, each a promise.
// Decides nothing; what the tracer does is tracer.ts.
import { MicrostunError } from '../../shared/errors.js';
import type { SharedMachine } from '../../shared/guest/shared-machine.js';
import type { BitmapFormat } from '../../shared/memory/compacted-bitmap.js';
import { viewMemory } from '../../shared/memory/layout.js';
import { removeTraces } from '../../shared/memory/tracing.js';
import { WorkerThread } from '../../shared/worker-thread.js';
import type { TracerMessage, TracerRequest, TracerWorkerData } from './tracer-worker.js';
import type { Harvest, LastHarvest, TraceMode } from './tracer.js';
import { WORKER_END_MS_MAX } from '../../shared/limits.js';

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
    const entry = new URL('./tracer-worker.js', import.meta.url);
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
