// Guest-side truth: each vCPU's throughput and its longest stalls, sampled all along by a worker of its own.
// The main thread starts and stops it; what is made of the samples is the report's business.
import type { MicrostunError } from '../errors.js';
import { WorkerThread } from '../worker-thread.js';
import type { SamplerMessage, SamplerWorkerData } from './sampler-worker.js';
import { SAMPLE_INTERVAL_MS } from './samples.js';
import type { SharedMachine } from './shared-machine.js';

export class GuestSampler {
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #samples: Promise<Float64Array>;

  /** `doublesMax` bounds its buffer (samples.ts). A sampler that fails answers no samples. One at a time a machine. */
  constructor(machine: SharedMachine, doublesMax: number, onFailure: (error: MicrostunError) => void) {
    const workerData: SamplerWorkerData = {
      machine,
      intervalMs: SAMPLE_INTERVAL_MS,
      doublesMax,
      stop: this.#stop.buffer,
    };
    this.#samples = new Promise((resolve) => {
      const worker = new WorkerThread<never, SamplerMessage>(
        'sampler',
        new URL('./sampler-worker.js', import.meta.url),
        workerData,
        (samples) => {
          void worker.ended();
          resolve(samples);
        },
        (error) => {
          resolve(new Float64Array(0));
          onFailure(error);
        },
      );
    });
  }

  /** Ends the sampling; answers rows as samples.ts says. */
  stop(): Promise<Float64Array> {
    Atomics.store(this.#stop, 0, 1);
    Atomics.notify(this.#stop, 0);
    return this.#samples;
  }
}
