// Guest-side truth: each vCPU's throughput and its longest stalls, sampled all along by a worker of its own.
// The main thread starts and stops it; what is made of the samples is the report's business.
import type { MicrostunError } from '../errors.js';
import { WorkerThread } from '../worker-thread.js';
import type { SamplerMessage, SamplerWorkerData } from './sampler-worker.js';
import { SAMPLE_INTERVAL_MS, SamplerCommand } from './samples.js';
import type { SharedMachine } from './shared-machine.js';

export class GuestSampler {
  readonly #command = new Int32Array(new SharedArrayBuffer(4));
  readonly #samples: Promise<Float64Array>;

  /** `doublesMax` bounds its buffer (samples.ts). A sampler that fails answers no samples. One at a time a machine. */
  constructor(machine: SharedMachine, doublesMax: number, onFailure: (error: MicrostunError) => void) {
    const workerData: SamplerWorkerData = {
      machine,
      intervalMs: SAMPLE_INTERVAL_MS,
      doublesMax,
      command: this.#command.buffer,
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

  /** Begins to sample. */
  start(): void {
    this.#tell(SamplerCommand.SAMPLE);
  }

  /** Ends the sampling; answers rows as samples.ts says. */
  stop(): Promise<Float64Array> {
    this.#tell(SamplerCommand.STOP);
    return this.#samples;
  }

  #tell(command: number): void {
    Atomics.store(this.#command, 0, command);
    Atomics.notify(this.#command, 0);
  }
}
