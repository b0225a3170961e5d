// Guest-side truth: the guest's throughput, sampled all along by a worker of its own.
// The main thread starts and stops it; what is made of the samples is the report's business.
import type { MicrostunError } from '../errors.js';
import { WorkerThread } from '../worker-thread.js';
import type { SamplerMessage, SamplerWorkerData } from './sampler-worker.js';
import { SAMPLE_INTERVAL_MS, SAMPLES_MAX } from './samples.js';
import type { SharedMachine } from './shared-machine.js';

export class ThroughputSampler {
  readonly #stop = new Int32Array(new SharedArrayBuffer(4));
  readonly #samples: Promise<Float64Array>;

  constructor(machine: SharedMachine, onFailure: (error: MicrostunError) => void) {
    const workerData: SamplerWorkerData = {
      machine,
      intervalMs: SAMPLE_INTERVAL_MS,
      samplesMax: SAMPLES_MAX,
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

  /** Ends the sampling; answers instants and page counts in turn, as sampler-worker.ts says. */
  stop(): Promise<Float64Array> {
    Atomics.store(this.#stop, 0, 1);
    Atomics.notify(this.#stop, 0);
    return this.#samples;
  }
}
